"""metaqnn report."""

import sys
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
    help="Of --watch: seconds from one writing to the next.",
)
def report(folder: Path, trust: bool, target: Path | None, k: int, watch: bool, every: int) -> None:
    """Write a page that explains the run in FOLDER, also while it runs.

    It is one HTML file, which loads nothing else: the figures, the best networks as a table and as
    drawings, what was learnt, what failed, and how to do it again.
    """
    from metaqnn.cli.drive import INTERRUPTED
    from metaqnn.reports.page import is_running, write_page
    from metaqnn.runs.run import open_run

    target = target or folder / "report.html"
    interrupted = False
    try:
        while watch and is_running(open_run(folder, trust=trust)):
            write_page(open_run(folder, trust=trust), target, k=k, refresh=every)
            sleep(every)
    except KeyboardInterrupt:
        interrupted = True  # once more, lest browsers load it for ever
    write_page(open_run(folder, trust=trust), target, k=k)
    click.echo(f"written to {target}")
    if interrupted:
        sys.exit(INTERRUPTED)
