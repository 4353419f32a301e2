"""What the tests of commands have in common."""

from typing import Any

from click.testing import CliRunner

from metaqnn.cli import main

FAST = ["--budget", "4", "--epochs", "1", "--device", "cpu", "--quiet"]
"""Options of a run that takes a second."""


def call(*arguments: Any) -> Any:
    """Call a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Any, *parts: str) -> None:
    """Assert that a command ended with one line of error, which has these parts."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line
