"""metaqnn report."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import click

from metaqnn.cli.options import run_folder, trust_option


@click.command()
@run_folder
@trust_option
@click.option(
    "--html",
    "target",
    type=click.Path(path_type=Path),
    help="File to write.  [default: FOLDER/report.html]",
)
@click.option(
    "-k",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="How many of the best networks.",
)
@click.option(
    "--watch", is_flag=True, help="Write it again and again until the search that runs has ended."
)
@click.option(
    "--every",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Of --watch and --serve: seconds from one writing to the next.",
)
@click.option(
    "--serve",
    is_flag=True,
    help="Likewise, and show it to browsers of this machine, which load it as often, until Ctrl-C.",
)
def report(
    folder: Path, trust: bool, target: Path | None, k: int, watch: bool, every: int, serve: bool
) -> None:
    """Write a page that explains the run in FOLDER, also while it runs.

    It is one HTML file, which loads nothing else: the figures, the best networks as a table and as
    drawings, what was learnt, what failed, and how to do it again.
    """
    from metaqnn.cli.drive import INTERRUPTED
    from metaqnn.reports.page import is_running, write_page
    from metaqnn.runs.run import open_run

    target = target or folder / "report.html"

    def write(refresh: int | None) -> bytes:
        return write_page(open_run(folder, trust=trust), target, k=k, refresh=refresh)

    def goes_on() -> bool:
        return is_running(open_run(folder, trust=trust))

    if serve:
        _serve(write, goes_on, every)
        click.echo(f"written to {target}")
        return
    interrupted = False
    try:
        while watch and goes_on():
            write(every)
            sleep(every)
    except KeyboardInterrupt:
        interrupted = True
    write(None)  # lest browsers load it for ever
    click.echo(f"written to {target}")
    if interrupted:
        sys.exit(INTERRUPTED)


def _serve(write: Callable[[int | None], bytes], goes_on: Callable[[], bool], every: int) -> None:
    """Show the page until Ctrl-C, and write it again as long as the search goes on."""
    from metaqnn.reports.server import serving

    going = goes_on()
    try:
        with serving(write(every if going else None)) as server:
            click.echo(f"{server.address} shows it, to browsers of this machine; Ctrl-C ends that")
            while True:
                sleep(every)
                went, going = going, goes_on()
                if went or going:
                    server.page = write(every if going else None)
    except KeyboardInterrupt:
        if going:
            write(None)  # lest browsers load the file for ever
