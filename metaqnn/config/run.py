"""The configuration of a run: one section a part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import tomli_w

from metaqnn.config.options import RunOptions
from metaqnn.config.parts import COMMON, Key, Objects, chosen_sections, homes_of, unknown_option
from metaqnn.errors import MetaqnnError
from metaqnn.options import Section, fields_of, flatten, make, names_of
from metaqnn.search.rewards import REWARDS, RewardOptions
from metaqnn.stopping.base import STOPPERS, StoppingOptions
from state_space.settings import suggestion


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does: one section a part, checked.

    In TOML and on the command line the options of all sections stand side by side.

    Attributes:
        run: What belongs to no part.
        rewards: What the agent is told.
        stopping: Which stopper there is, if any.
        parts: The options of the chosen parts, by role.
    """

    run: RunOptions
    rewards: RewardOptions
    stopping: StoppingOptions
    parts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], objects: Objects | None = None) -> Self:
        """The configuration of keys as in a TOML file, "start-from" for start_from.

        Args:
            values: By key.
            objects: Parts that are given, and so have no options.

        Raises:
            MetaqnnError: A key is unknown or of a part that is not chosen, or a value impossible.
        """
        given = {key.replace("-", "_"): value for key, value in values.items()}

        def spell(name: str) -> str:  # as a program or as a file does
            return name if any("_" in key for key in values) else name.replace("_", "-")

        sections = chosen_sections(given, objects)
        known = homes_of(sections)
        for name in given:
            if name not in known:
                raise MetaqnnError(
                    unknown_option(name, given)
                    or f"unknown option {spell(name)}{suggestion(spell(name), map(spell, known))}"
                )
        for section in sections.values():
            given = section.complete(given)
        made = {
            home: make(section, {name: given[name] for name in fields_of(section) if name in given})
            for home, section in sections.items()
        }
        REWARDS.check(made["rewards"].reward)  # type: ignore[attr-defined]  # a RewardOptions
        common: Any = {name: made.pop(name) for name in COMMON}
        return cls(**common, parts=made)

    @property
    def stopper(self) -> str | None:
        """The name of what ends trainings; None where all are trained in full."""
        return next((name for name in STOPPERS if getattr(self.stopping, name)), None)

    def sections(self) -> dict[str, Section]:
        """All sections by their name or role."""
        return {"run": self.run, "rewards": self.rewards, "stopping": self.stopping, **self.parts}

    def keys(self) -> dict[str, Key]:
        """All options by name."""
        return homes_of({home: type(section) for home, section in self.sections().items()})

    def values(self) -> dict[str, Any]:
        """The values of all options by name."""
        return {
            name: value
            for section in self.sections().values()
            for name, value in flatten(section).items()
        }

    def flat(self) -> dict[str, Any]:
        """All options that have a value, as in a TOML file."""
        values = self.values().items()
        return {name.replace("_", "-"): value for name, value in values if value is not None}

    @property
    def identity(self) -> dict[str, Any]:
        """The options that make a run another one, as in a TOML file."""
        keys = self.keys()
        free = () if self.stopper else ("stopping",)
        return {
            name: value
            for name, value in self.flat().items()
            for key in [keys[name.replace("-", "_")]]
            if not key.is_free and key.home not in free
        }

    def defaults(self) -> dict[str, Any]:
        """The values that the same options have where nobody gives them, as in a TOML file.

        One without a default has the value that was given.
        """
        return {
            name.replace("_", "-"): value
            for section in self.sections().values()
            for name, value in flatten(_with_defaults(section)).items()
        }

    def inputs(self) -> dict[str, str]:
        """The files that options name and a run's folder keeps, by option."""
        values = self.values()
        names = [name for one in self.sections().values() for name in names_of(type(one), "INPUTS")]
        return {name: values[name] for name in names if values[name] is not None}

    def changed(self, options: Mapping[str, Any], objects: Objects | None = None) -> Self:
        """The configuration with some other values.

        What it says of an executor does not hold for another: not its workers, and in-process,
        which is the default, not where workers or a timeout are asked for.

        Raises:
            MetaqnnError: See `from_flat`.
        """
        own = [name for name, key in self.keys().items() if key.home == "executor"]
        kept = self.values()
        options = {name.replace("-", "_"): value for name, value in options.items()}
        if options.get("executor", self.run.executor) != self.run.executor:
            kept = {name: value for name, value in kept.items() if name not in own}
        elif self.run.executor == "in-process":
            del kept["executor"]
        kept = {name: value for name, value in kept.items() if value is not None}
        return self.from_flat({**kept, **options}, objects)

    def to_toml(self) -> str:
        """The text that `read_toml` and `from_flat` turn into this configuration."""
        return tomli_w.dumps(self.flat())


def _with_defaults(section: Section) -> Section:
    fields = fields_of(type(section))
    given = {name: getattr(section, name) for name in fields if fields[name][1].is_required()}
    return make(type(section), given)
