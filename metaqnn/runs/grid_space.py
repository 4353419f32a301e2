"""One network by several recipes, as a space whose one decision is which of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from metaqnn.evaluators.base import Job
from metaqnn.evaluators.trainer import Trainer
from replay import Outcome
from state_space import Architecture, Decision, Space, Token, legal_walk
from state_space.notation import NotationError

SETTING = "setting"
"""What is decided, and of a network's settings the one that says it, by its place."""


class GridState(NamedTuple):
    """The setting, once it is decided; else nothing."""

    setting: str


class GridSpace(Space[GridState]):
    """A network with each of some settings of the recipe.

    Attributes:
        network: As it is trained.
    """

    def __init__(self, network: Architecture, settings: Sequence[Token]) -> None:
        """The settings are texts."""
        self.network = network
        self.vocabulary = {SETTING: tuple(settings)}

    def initial_state(self, stage: int = 0) -> GridState:
        """None is decided."""
        return GridState("")

    def decision(self, state: GridState) -> Decision | None:
        """Which setting."""
        return None if state.setting else Decision(SETTING, self.vocabulary[SETTING])

    def step(self, state: GridState, token: Token) -> GridState:
        """It is decided."""
        return GridState(token)

    def observation(self, state: GridState) -> GridState:
        """The state itself."""
        return state

    def action(self, token: Token) -> GridState:
        """The setting."""
        return GridState(token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The network, whose own settings say which one it is trained by."""
        ((_, _, setting),) = legal_walk(self, walk)
        place = self.vocabulary[SETTING].index(setting)
        return replace(self.network, settings={**self.network.settings, SETTING: place})

    def text(self, walk: Sequence[Token]) -> str:
        """The setting."""
        ((_, _, setting),) = legal_walk(self, walk)
        return setting

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a setting."""
        if text not in self.vocabulary[SETTING]:
            raise NotationError(f"{text!r} is not a setting of the grid")
        return (text,)


@dataclass(frozen=True)
class GridEvaluator:
    """Trains the networks of a `GridSpace`; the score is that on the validation part.

    Attributes:
        trainer: By some recipe.
        recipes: In the order of the space's settings.
    """

    trainer: Trainer
    recipes: tuple[Any, ...]

    def __call__(self, job: Job) -> Outcome:
        """Train the job's network by the recipe that it says."""
        own = dict(job.architecture.settings)
        recipe = self.recipes[int(own.pop(SETTING))]
        network = replace(job.architecture, settings=own)
        return self.trainer.by(recipe)(replace(job, architecture=network))

    def with_data(self) -> "GridEvaluator":
        """The same, with its data, for a machine that does not have them."""
        return replace(self, trainer=self.trainer.with_data())
