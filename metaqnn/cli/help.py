"""Help in groups: the options that matter first, the others under the headings of their parts."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

import click
import cloup

FIRST = "Options"
"""Heading of the options that matter first."""

WIDTH = {"max_content_width": 100}
"""Of the settings of commands with many options: columns of help, where the terminal has them."""


class Extent(IntEnum):
    """How much --help says of the options of a group."""

    NAMES = 0
    LINES = 1
    ALL = 2


class Group(cloup.OptionGroup):
    """A group of options, which is known by its heading.

    Attributes:
        extent: How much --help says of the options; where they differ, of all what it says of one.
        hint: The arguments with which it says all.
    """

    def __init__(self, title: str, extent: Extent = Extent.LINES, hint: str = "") -> None:
        """Know what is said."""
        super().__init__(title)
        self.extent = extent
        self.hint = hint


OUTPUT = Group("Output")
"""That of the options of commands which say where results go and what is printed."""


class GroupedCommand(cloup.Command):
    """A command whose help has its options in groups.

    Attributes:
        first: The options that matter first, in the order in which they are shown. A command that
            names them says less of the others, and says all with --help-all.
    """

    def __init__(self, *args: Any, first: Sequence[str] = (), **settings: Any) -> None:
        """Make the command; the settings are those of cloup."""
        super().__init__(*args, **settings)
        self.first = tuple(first)
        if first:
            self.params.append(
                click.Option(
                    ["--help-all"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=_show_all,
                    help="Show all that there is to say of all options.",
                )
            )

    def format_params(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of all groups, their columns aligned."""
        assert isinstance(formatter, cloup.HelpFormatter)
        groups = self.group_options(ctx)
        sections = [*_explained(groups, ctx), *_folded(groups)]
        formatter.write_many_sections(sections)

    def group_options(self, ctx: click.Context) -> list[Group]:
        """The groups with their options, each of which is in one: first those that matter first."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        named = {str(option.name): option for option in options}
        first = [named.pop(name) for name in self.first if name in named]
        found: dict[str, list[click.Option]] = {FIRST: first}
        extents: dict[str, Group] = {FIRST: Group(FIRST, Extent.ALL)}
        for option in named.values():
            group = getattr(option, "group", None)
            if group is None:
                group = extents[FIRST]
            found.setdefault(group.title, []).append(option)
            if group.extent >= extents.setdefault(group.title, group).extent:
                extents[group.title] = group
        says_all = not self.first or "metaqnn.help_all" in ctx.meta
        made = []
        for title, members in found.items():
            extent = Extent.ALL if says_all else extents[title].extent
            made.append(Group(title, extent, extents[title].hint))
            made[-1].options = members
        return [group for group in made if group.options]


def _show_all(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    """Print the help with all there is to say; a callback of click."""
    if asked and not ctx.resilient_parsing:
        ctx.meta["metaqnn.help_all"] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _explained(groups: Iterable[Group], ctx: click.Context) -> Iterator[cloup.HelpSection]:
    """The sections of groups of whose options something is said."""
    for group in groups:
        if group.extent is not Extent.NAMES:
            rows = group.get_help_records(ctx)
            if group.extent is Extent.LINES:
                shown = [(names.partition(" / ")[0], _in_a_line(text)) for names, text in rows]
            else:
                shown = [(names, _in_words(text)) for names, text in rows]
            yield cloup.HelpSection(group.title, shown)


def _folded(groups: Iterable[Group]) -> Iterator[cloup.HelpSection]:
    """The sections of groups of which only the names are said, by what says more."""
    rows: dict[str, list[tuple[str, Callable[[int], str]]]] = {}
    for group in groups:
        if group.extent is Extent.NAMES:
            names = ", ".join(option.opts[0] for option in group)
            rows.setdefault(group.hint, []).append((group.title, _in_words(names)))
    for hint, shown in rows.items():
        yield cloup.HelpSection(f"Explained by {hint}", shown)


def _in_a_line(text: str) -> Callable[[int], str]:
    """As much of a text as there is room for."""
    how = {"placeholder": " ...", "break_on_hyphens": False}
    return lambda width: textwrap.shorten(text, width, **how)


def _in_words(text: str) -> Callable[[int], str]:
    """The text in lines that end between words; names of options are not parted."""

    def fill(width: int) -> str:
        lines = textwrap.wrap(text, width, break_on_hyphens=False)
        # click would break them anew, at hyphens, if it were not told that somebody has
        return "\n".join(["\b", *lines] if len(lines) > 1 else lines)

    return fill
