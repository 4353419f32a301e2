r"""Text from outside as terminals and spreadsheets may have it.

Names of classes and files, networks and errors can hold characters that move a terminal's cursor,
colour it or write its title, and cells that a spreadsheet takes for formulas.
"""

import unicodedata

HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that are no text: control, format (right-to-left too), surrogates."""

JOINERS = "\u200c\u200d"
"""Format characters that some scripts and emoji are written with."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How cells begin that a spreadsheet may compute."""


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
