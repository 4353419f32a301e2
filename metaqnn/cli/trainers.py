"""Commands that train networks, and have the options of what trains them."""

from pathlib import Path
from typing import Any, ClassVar

import click
import cloup

from metaqnn.cli.help import GroupedCommand
from metaqnn.cli.options import make_option, scan
from metaqnn.config import ROLES, read_values, unknown_option
from metaqnn.config.trust import check_read, leave_unread
from metaqnn.environment import CONFIG
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import EVALUATORS, find_evaluator
from metaqnn.evaluators.trainer import Trainer
from metaqnn.options import fields_of
from metaqnn.registry import MADE
from metaqnn.training.shared import names_of_training

MADE_HERE = "metaqnn.options"
"""What the context of a command remembers of the options that it made."""


class TrainerCommand(GroupedCommand):
    """Has the options of the trainer that its arguments choose, and its recipes.

    Attributes:
        recipe: The usual one, and what help says of recipes.
    """

    recipe: ClassVar[tuple[str, str]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out what trains, then parse."""
        name, trainer = self.choose(args)
        ctx.meta[MADE_HERE] = [self._recipes(trainer), *self._options(trainer)]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            asked = error.option_name.removeprefix("--no-").lstrip("-").replace("-", "_")
            others = {key for part in EVALUATORS for key in fields_of(_options_of(part))}
            if asked in others - {*fields_of(trainer.Options)}:
                raise MetaqnnError(
                    unknown_option(asked, {"evaluator": name}, ("evaluator",))
                ) from None
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Those of the command, those of the trainer, and --help."""
        own = super().get_params(ctx)
        return [*own[:-1], *ctx.meta.get(MADE_HERE, []), *own[-1:]]

    def choose(self, args: list[str]) -> tuple[str, type[Trainer]]:
        """The name of what trains, and its class, by what the arguments say of the data set."""
        return find_trainer(scan(args, ("dataset",)))

    def names(self, trainer: type[Trainer]) -> list[str]:
        """The options of a trainer that the command has."""
        return [name for name in fields_of(trainer.Options) if name != "recipe"]

    def recipes(self, trainer: type[Trainer]) -> tuple[str, ...]:
        """The recipes of a trainer that the command knows."""
        return (*trainer.recipes, *trainer.search_recipes)

    def _recipes(self, trainer: type[Trainer]) -> click.Parameter:
        usual, text = self.recipe
        known = click.Choice(self.recipes(trainer))
        return cloup.Option(["--recipe"], type=known, default=usual, show_default=True, help=text)

    def _options(self, trainer: type[Trainer]) -> list[click.Parameter]:
        training = names_of_training(trainer.Options)
        return [
            make_option(trainer.Options, name, has_default=name not in training)
            for name in self.names(trainer)
        ]


class FinalCommand(TrainerCommand):
    """Has the options that final trainings of the run in its folder may be given anew."""

    def choose(self, args: list[str]) -> tuple[str, type[Trainer]]:
        """That of the run."""
        files = [Path(arg) / CONFIG for arg in args if not arg.startswith("-")]
        there = [path for path in files if path.is_file()]
        if there and "--trust" not in args:
            check_read(leave_unread(there[0].parent))
        return find_trainer(read_values(there[0]) if there else {})

    def names(self, trainer: type[Trainer]) -> list[str]:
        """Those that may be others in the end."""
        return [name for name in fields_of(trainer.Options) if name in trainer.anew]

    def recipes(self, trainer: type[Trainer]) -> tuple[str, ...]:
        """Those of final trainings."""
        return trainer.recipes


def find_trainer(given: dict[str, Any]) -> tuple[str, type[Trainer]]:
    """The name and class of what trains the networks of a run with such options.

    What trains none is told where it is called; until then it is the usual one.
    """
    role = ROLES[0]
    for name in (role.chosen(given), role.default):
        if isinstance(name, str) and not name.endswith(MADE):
            found = find_evaluator(name)
            if issubclass(found, Trainer):
                return name, found
    raise AssertionError("the usual evaluator trains networks")


def _options_of(part: str) -> Any:
    return find_evaluator(part).Options
