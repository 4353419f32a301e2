"""The command line: one file a command, imported when it is called."""

import errno
import sqlite3
from importlib import import_module
from typing import Any

import click

from metaqnn import __version__
from metaqnn.errors import MetaqnnError

COMMANDS = {
    "run": "Search for networks that fit a data set.",
    "resume": "Go on with a run that was stopped.",
    "compare": "Compare agents by searches with several seeds.",
    "top-k": "Show the best networks of a run.",
    "trials": "Write all trials of a run as CSV or Parquet.",
    "plot": "Draw figures of a run.",
    "report": "Write a page that explains a run.",
    "finalize": "Train the best networks of a run anew, on all images, and test them.",
    "train": "Train a network of your own on a data set.",
    "export": "Write a trained network as safetensors, ONNX, torch.export or source.",
    "predict": "Classify pictures with an exported network.",
    "q-table": "Export what a run has learnt, as CSV.",
    "space": "Describe a search space: its size and its layers.",
    "show": "Describe a network: its layers, shapes and costs.",
    "datasets": "List the data sets.",
    "check": "Say what is read of a data set, and what looks wrong.",
}
"""The commands in the order of --help; the command top-k is `top_k` in metaqnn/cli/top_k.py."""


class Commands(click.Group):
    """Imports a command when it is called, so that --help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"metaqnn.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of a name; an unknown one is answered with the nearest."""
        from state_space.settings import suggestion

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{suggestion(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what a user can cause is told in one line."""
        try:
            return super().invoke(ctx)
        except MetaqnnError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except sqlite3.Error as error:
            click.echo(f"Error: the replay memory cannot be read or written: {error}", err=True)
            ctx.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of our output has gone, as `head` does: not a failure to tell
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="metaqnn")
def main() -> None:
    """Design neural networks for your data by reinforcement learning."""
