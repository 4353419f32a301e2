"""The command line: one file a command, imported when it is called."""

import errno
import sqlite3
import traceback
from importlib import import_module
from typing import Any, NoReturn

import click

from metaqnn import __version__
from metaqnn.errors import MetaqnnError
from metaqnn.storage import FREE_SPACE, way_on
from metaqnn.terminal import printable, shortened

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
    "predict": "Classify pictures with an exported network, or score texts.",
    "generate": "Let an exported language model write a text.",
    "q-table": "Export what a run has learnt, as CSV.",
    "space": "Describe a search space: its size and its layers.",
    "show": "Describe a network: its layers, shapes and costs.",
    "datasets": "List the data sets.",
    "check": "Say what is read of a data set, and what looks wrong.",
    "doctor": "Describe this machine and try it, for a report of a fault.",
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
        """Run a command; whatever goes wrong is told in one line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except MetaqnnError as error:
            _tell(ctx, error, str(error), error.exit_code)
        except sqlite3.Error as error:
            advice = FREE_SPACE if _is_full(error) else ""
            _tell(ctx, error, f"the replay memory cannot be read or written: {error}{advice}")
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of our output has gone, as `head` does: not a failure to tell
            _tell(ctx, error, f"{error}{way_on(error)}")
        except MemoryError as error:
            _tell(ctx, error, f"there is not enough memory: {error}")
        except Exception as error:
            from state_space import IllegalMove  # numpy, which --help does without

            if isinstance(error, IllegalMove):
                _tell(ctx, error, f"a network is not of the search space: {error}", 2)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            hint = "" if ctx.params["debug"] else "; run with --debug for the traceback"
            _tell(ctx, error, reason + hint)


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _tell(ctx: click.Context, error: Exception, line: str, exit_code: int = 1) -> NoReturn:
    """End with a line, after the traceback where that is asked for."""
    if ctx.params["debug"]:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"Error: {printable(shortened(line))}", err=True)
    ctx.exit(exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="metaqnn")
@click.option("--debug", is_flag=True, help="Show where in the code an error comes from.")
def main(debug: bool) -> None:
    """Design neural networks for your data by reinforcement learning."""
