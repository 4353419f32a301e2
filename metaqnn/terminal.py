r"""What terminals show: a progress bar, and text from outside as terminals and tables may have it.

Names of classes and files, networks and errors can hold characters that move a terminal's cursor,
colour it or write its title, and cells that a spreadsheet takes for formulas.
"""

import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that are no text: control, format (right-to-left too), surrogates."""

JOINERS = "\u200c\u200d"
"""Format characters that some scripts and emoji are written with."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How cells begin that a spreadsheet may compute."""

LONGEST = 1000
"""Characters of an error message."""


def printable(text: str, keep: str = "") -> str:
    r"""The text with all that is no text as a visible escape, such as \x1b or \n.

    Args:
        text: Of wherever it comes.
        keep: Characters to be left as they are.
    """
    return "".join(
        letter.encode("unicode_escape").decode() if _is_hidden(letter, keep) else letter
        for letter in text
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """So many of something: "1 epoch", "2,500 epochs".

    Args:
        number: Of them.
        one: What it is, in the singular.
        many: In the plural; without it that has an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def shortened(text: str) -> str:
    """The text without its middle where it is longer than LONGEST."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"


def as_cell(text: str) -> str:
    """The same as the cell of a table of CSV; an apostrophe before what would be a formula."""
    return f"'{printable(text)}" if text.startswith(FORMULA) else printable(text)


def _is_hidden(letter: str, keep: str) -> bool:
    return (
        not (" " <= letter <= "~")
        and letter not in keep
        and letter not in JOINERS
        and unicodedata.category(letter) in HIDDEN
    )


_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Let nothing show a bar that is made meanwhile, if it is to be quiet."""
    token = _quiet.set(quiet or _quiet.get())
    try:
        yield
    finally:
        _quiet.reset(token)


@contextmanager
def ticking(progress: "Progress", task: "TaskID", seconds: float) -> Iterator[None]:
    """Meanwhile a task of a bar moves with the time, of which it has so many seconds."""
    began, over = time.monotonic(), threading.Event()
    progress.update(task, total=round(seconds))

    def tick() -> None:
        while not over.wait(0.5):
            gone = min(round(seconds), int(time.monotonic() - began))
            progress.update(task, completed=gone)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        progress.update(task, completed=round(seconds))


def make_bar(*, quiet: bool = False) -> "Progress":
    """A bar on standard error, where that is a terminal; its tasks have a field `state`."""
    from rich.console import Console  # where there is a bar, for --help answers at once
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True, quiet=quiet or _quiet.get() or not sys.stderr.isatty()),
        speed_estimate_period=86_400,  # a network may take many minutes
    )
