"""Help in groups: the options that matter first, the others under the headings of their parts."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

import click
import cloup

SAYS_ALL = "metaqnn.help_all"
"""What the context of a command remembers of --help-all."""

WIDE: dict[str, Any] = {
    "context_settings": {"max_content_width": 100},
    "formatter_settings": cloup.HelpFormatter.settings(col1_max_width=24),
}
"""Settings of commands with many options: the columns of their help, where the terminal has them,
and of those the columns for the names of options."""


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


MATTERING = Group("Options", Extent.ALL)
"""The options that matter first, and those without a group."""

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
                    help="Explain all options, of other agents and parts too.",
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
        options = {str(param.name): param for param in self.get_params(ctx)}
        found: dict[str, list[tuple[Group, click.Option]]] = {}
        for name in dict.fromkeys([*(name for name in self.first if name in options), *options]):
            option = options[name]
            if isinstance(option, click.Option):
                group = None if name in self.first else getattr(option, "group", None)
                group = MATTERING if group is None else group
                found.setdefault(group.title, []).append((group, option))
        says_all = not self.first or SAYS_ALL in ctx.meta
        made = []
        for title, members in found.items():
            most = max((group for group, _ in members), key=lambda group: group.extent)
            made.append(Group(title, Extent.ALL if says_all else most.extent, most.hint))
            made[-1].options = [option for _, option in members]
        return made


def _show_all(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    """Print the help with all there is to say; a callback of click."""
    if asked and not ctx.resilient_parsing:
        ctx.meta[SAYS_ALL] = True
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
    return lambda width: textwrap.shorten(text, width, placeholder=" ...", break_on_hyphens=False)


def _in_words(text: str) -> Callable[[int], str]:
    """The text in lines that end between words; names of options are not parted."""

    def fill(width: int) -> str:
        lines = textwrap.wrap(text, width, break_on_hyphens=False)
        # click would break them anew, at hyphens, if it were not told that somebody has
        return "\n".join(["\b", *lines] if len(lines) > 1 else lines)

    return fill
