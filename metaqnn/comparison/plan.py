"""A comparison: several agents with several seeds, on one space with one evaluator."""

import json
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import tomli_w

from metaqnn.comparison.searches import SEARCHES, search_path
from metaqnn.config import (
    RunConfig,
    belonging,
    chosen_sections,
    claim_options,
    unknown_option,
)
from metaqnn.config.trust import is_code
from metaqnn.environment import check_content, write_environment
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.options import fields_of
from metaqnn.runs.assembly import (
    make_agent,
    make_evaluator,
    make_experiences,
    make_rules,
    make_stopper,
)
from metaqnn.runs.creation import find_task
from metaqnn.runs.run import Run
from metaqnn.spaces import read_space
from metaqnn.storage import read_toml, why
from metaqnn.task import read_task

SETTINGS = "comparison.toml"

FREE = ("device", "data-dir", "download", "table", "surrogate-from")
"""Options that do not make a comparison another one."""

LONGEST_LABEL = 200
"""Bytes of an entrant's label, which is the name of a folder."""

SHARED_ROLES = ("evaluator", "executor")
SHARED = (
    *("agent", "seed", "budget", "time_limit", "space", "evaluator", "executor", "device", "keep"),
)
"""Options, and roles with all their options, that an agent cannot have of its own."""


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
        options: dict[str, Any] = {}
        for part in parts:
            key, _, value = part.partition("=")
            options[key.replace("_", "-")] = _value(value)
        named = {key.replace("-", "_"): value for key, value in options.items()}
        named["agent"] = name
        claim_options(named)
        sections = chosen_sections(dict(named))
        own = [
            key.replace("_", "-")
            for home, section in sections.items()
            for key in fields_of(section)
            if home not in SHARED_ROLES and key not in SHARED
        ]
        for key in options:
            if key not in own:
                field = key.replace("-", "_")
                is_shared = any(field in fields_of(section) for section in sections.values())
                whose = None if is_shared else unknown_option(field, named, ("agent", "stopper"))
                reason = whose or f"{key} is no option of a single agent"
                raise MetaqnnError(f"agent {text!r}: {reason}; allowed: {', '.join(own)}")
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
        budgets: Trainings, ascending.
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
            "images": self.base.task.images,
            "score": self.base.task.record,
        }

    def plan(self, entrants: Iterable[Entrant], seeds: Sequence[int]) -> list[Run]:
        """All searches; the path of each is its file's, without .csv.

        An agent that plans for its budget has a search for every budget, and so has one whose best
        networks are trained again; any other agent only for the largest.

        Raises:
            MetaqnnError: An agent, one of its options or a file that it names is impossible.
        """
        runs = []
        known: set[str] = set()
        for entrant in entrants:
            tried = self._search(entrant, self.budgets[-1], seeds[0])
            known |= {name.replace("_", "-") for name in tried.config.values()}
            space = tried.space()
            plans = make_agent(tried, space).plans_for_budget or tried.config.run.confirm > 0
            make_rules(tried, space)
            make_stopper(tried, self.evaluator)
            make_experiences(tried, space)
            for budget in self.budgets if plans else self.budgets[-1:]:
                runs += [self._search(entrant, budget, seed) for seed in seeds]
        for name in self.options:
            if name not in known:
                raise MetaqnnError(f"{name} is an option of none of the agents compared")
        return runs

    @cached_property
    def evaluator(self) -> Evaluator:
        """What scores the networks of all searches.

        Raises:
            MetaqnnError: See `make_evaluator`.
        """
        return make_evaluator(self.base, self.base.space())

    def _search(self, entrant: Entrant, budget: int, seed: int) -> Run:
        # of what is asked of all, an agent has what belongs to it
        shared = belonging({**self.options, **entrant.options})
        own = {**entrant.options, "seed": seed, "budget": budget}
        config = RunConfig.from_flat({**shared, **own})
        path = search_path(self.path, entrant.label, budget, seed)
        # no such folder is ever there, so files that the options name are not looked for in it
        return replace(self.base, path=path.with_suffix(""), config=config)


def plan_comparison(path: Path, options: Mapping[str, Any], budgets: tuple[int, ...]) -> Comparison:
    """The comparison that options ask for, whose folder is not made yet.

    Raises:
        MetaqnnError: An option is impossible, or the images cannot be loaded.
    """
    config = RunConfig.from_flat(belonging(options))
    settings = read_space(config.run.space)
    run = Run(path, config, settings, find_task(config, settings))
    return Comparison(run, options, budgets)


def open_comparison(path: Path) -> Comparison:
    """The comparison in a folder.

    Raises:
        MetaqnnError: The folder is not that of a comparison.
    """
    if not (path / SETTINGS).is_file():
        raise MetaqnnError(f"{path} is not the folder of a comparison: it has no {SETTINGS}")
    found = read_toml(path / SETTINGS)
    try:
        task, options = read_task(found["images"], found.get("score")), found["options"]
        config = RunConfig.from_flat(belonging(options))
        base = Run(path, config, found["space"], task)
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
        _check_code(path, comparison.options)
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
        write_environment(building, command, facts, comparison.base.task)
        building.rename(path)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise MetaqnnError(f"{path} cannot be made: {why(error, path)}") from None


def _check_code(path: Path, options: Mapping[str, Any]) -> None:
    """See whether a folder names code that nobody has asked for, which opening it would import.

    Raises:
        MetaqnnError: It does.
    """
    found = read_toml(path / SETTINGS).get("options") if (path / SETTINGS).is_file() else None
    for option, place in found.items() if isinstance(found, dict) else ():
        if place != options.get(option) and is_code(place, option):
            raise MetaqnnError(
                f"{path / SETTINGS} names the {option} {place}, which this command does not: its "
                "code is not imported; choose another folder, or name it too"
            )


def _identity(comparison: Comparison) -> dict[str, Any]:
    """What makes the comparison what it is, by the names of options."""
    content = comparison.settings
    options = {key: value for key, value in content["options"].items() if key not in FREE}
    found = {**options, "budgets": content["budgets"], "images": content["images"]}
    # tuples are lists in the file
    identity: dict[str, Any] = json.loads(json.dumps({**found, "layers": content["space"]}))
    return identity
