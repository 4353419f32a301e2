"""A comparison: several agents with several seeds, on one space with one evaluator."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import tomli_w

from metaqnn.comparison.searches import SEARCHES, search_path
from metaqnn.config import RunConfig, keys, read_toml
from metaqnn.environment import check_content, write_environment
from metaqnn.errors import MetaqnnError
from metaqnn.runs.run import Run

SETTINGS = "comparison.toml"

FREE = ("device", "data-dir", "download", "table", "surrogate-from")
"""Options that do not make a comparison another one."""

LONGEST_LABEL = 200
"""Bytes of an entrant's label, which is the name of a folder."""

SHARED_SECTIONS = ("data", "evaluation", "execution", "recipe")
SHARED = ("agent", "seed", "budget", "space", "device", "keep")
"""Options, and sections of them, that an agent cannot have of its own."""


@dataclass(frozen=True)
class Entrant:
    """An agent with options of its own.

    Attributes:
        label: What a person wrote: "q-learning,alpha=0.1".
        options: As keys of the configuration.
    """

    label: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The entrant of NAME,OPTION=VALUE,...; values are TOML's, or else text.

        A comma is part of a value unless OPTION= follows.

        Raises:
            MetaqnnError: An option is not the agent's own.
        """
        if len(quote(text)) > LONGEST_LABEL:
            raise MetaqnnError(f"agent {text!r}: its options are too long for a folder's name")
        name, *parts = re.split(r",\s*(?=[\w-]+=)", text)
        own = [
            key.replace("_", "-")
            for section, key in keys()
            if section not in SHARED_SECTIONS and key not in SHARED
        ]
        options: dict[str, Any] = {}
        for part in parts:
            key, _, value = part.partition("=")
            if key.replace("_", "-") not in own:
                raise MetaqnnError(
                    f"agent {text!r}: {key} is no option of a single agent; "
                    f"allowed: {', '.join(own)}"
                )
            options[key.replace("_", "-")] = _value(value)
        return cls(text, {**options, "agent": name})


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


@dataclass(frozen=True)
class Comparison:
    """What the searches of a comparison share.

    Attributes:
        base: Folder, space, images and evaluator; its agent, seed and budget mean nothing.
        options: What was asked of all agents, as keys of the configuration.
        budgets: Distinct networks, ascending.
    """

    base: Run
    options: Mapping[str, Any]
    budgets: tuple[int, ...]

    @property
    def path(self) -> Path:
        """The folder."""
        return self.base.path

    @property
    def settings(self) -> dict[str, Any]:
        """The content of comparison.toml."""
        return {
            "budgets": list(self.budgets),
            "options": dict(self.options),
            "space": dict(self.base.space_settings),
            "images": {"shape": list(self.base.shape), "classes": list(self.base.classes)},
        }

    def plan(self, entrants: Iterable[Entrant], seeds: Sequence[int]) -> list[Run]:
        """All searches; the path of each is its file's, without .csv.

        An agent that plans for its budget has a search for every budget, any other agent only for
        the largest.

        Raises:
            MetaqnnError: An agent, one of its options or a file that it names is impossible.
        """
        runs = []
        for entrant in entrants:
            tried = self._search(entrant, self.budgets[-1], seeds[0])
            plans = tried.agent().plans_for_budget
            tried.rules()
            tried.stopper()
            tried.experiences()
            for budget in self.budgets if plans else self.budgets[-1:]:
                runs += [self._search(entrant, budget, seed) for seed in seeds]
        return runs

    def _search(self, entrant: Entrant, budget: int, seed: int) -> Run:
        own = {**entrant.options, "seed": seed, "budget": budget}
        config = RunConfig.from_flat({**self.options, **own})
        path = search_path(self.path, entrant.label, budget, seed)
        # no such folder is ever there, so files that the options name are not looked for in it
        return replace(self.base, path=path.with_suffix(""), config=config)


def open_comparison(path: Path) -> Comparison:
    """The comparison in a folder.

    Raises:
        MetaqnnError: The folder is not that of a comparison.
    """
    if not (path / SETTINGS).is_file():
        raise MetaqnnError(f"{path} is not the folder of a comparison: it has no {SETTINGS}")
    found = read_toml(path / SETTINGS)
    try:
        images, options = found["images"], found["options"]
        shape = (images["shape"][0], images["shape"][1], images["shape"][2])
        config = RunConfig.from_flat(options)
        base = Run(path, config, found["space"], shape, tuple(images["classes"]))
        return Comparison(base, options, tuple(found["budgets"]))
    except (KeyError, IndexError, TypeError) as error:
        raise MetaqnnError(f"{path / SETTINGS} is damaged: {error!r}") from None


def prepare(comparison: Comparison, command: list[str], facts: Mapping[str, Any]) -> None:
    """Make the folder, whole or not at all, unless it is there; the facts are the evaluator's.

    Raises:
        MetaqnnError: The folder belongs to something else, or cannot be written.
    """
    path = comparison.path
    if path.exists():
        there, here = _identity(open_comparison(path)), _identity(comparison)
        for name in {**there, **here}:
            if there.get(name) != here.get(name):
                raise MetaqnnError(
                    f"{path} was made with {name} {there.get(name)!r}, not {here.get(name)!r}: "
                    "choose another folder"
                )
        check_content(path, facts)
        return
    building = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(building, ignore_errors=True)
        (building / SEARCHES).mkdir(parents=True)
        (building / SETTINGS).write_text(tomli_w.dumps(comparison.settings), encoding="utf-8")
        write_environment(building, command, facts, comparison.base.shape, comparison.base.classes)
        building.rename(path)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise MetaqnnError(f"{path} cannot be made: {error}") from None


def _identity(comparison: Comparison) -> dict[str, Any]:
    """What makes the comparison what it is, by the names of options."""
    content = comparison.settings
    options = {key: value for key, value in content["options"].items() if key not in FREE}
    found = {**options, "budgets": content["budgets"], "images": content["images"]}
    # tuples are lists in the file
    identity: dict[str, Any] = json.loads(json.dumps({**found, "layers": content["space"]}))
    return identity
