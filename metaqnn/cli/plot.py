"""metaqnn plot."""

from pathlib import Path

import click

from metaqnn.cli.options import run_folder, trust_option
from metaqnn.reports.figures.catalogue import FIGURES, OLDER
from metaqnn.reports.formats import FIGURE_FORMATS


@click.command()
@run_folder
@trust_option
@click.option(
    "--figure",
    "names",
    multiple=True,
    type=click.Choice([*FIGURES, *OLDER]),
    help="Which; may be given several times.  [default: all that have something to show]",
)
@click.option(
    "--format",
    "forms",
    multiple=True,
    default=["png"],
    show_default=True,
    type=click.Choice(FIGURE_FORMATS),
    help="May be given several times.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="Folder to write NAME.png and so on to.  [default: FOLDER/figures]",
)
def plot(
    folder: Path, trust: bool, names: tuple[str, ...], forms: tuple[str, ...], target: Path | None
) -> None:
    """Draw figures of the run in FOLDER, also while it runs.

    \b
    score        the score over the search, its rolling mean and its mean at each epsilon
    epsilon      the distribution of the score at each epsilon
    depth        the mean Q-value by depth and type of layer
    field        the mean Q-value by depth and field size
    layers       the layers of the best networks at each depth, against those of all
    best         the best score so far, by networks and by time of training
    pareto       score against parameters, multiply-adds and latency, with the front
    hypervolume  how much of what is possible is covered, over the search; with --objective
    curves       the score of the best networks after every epoch of their training
    heatmap      the mean Q-value of every action at each layer
    """  # noqa: D301  # click reads the backslash
    from metaqnn.errors import MetaqnnError
    from metaqnn.reports.figures.findings import Findings
    from metaqnn.reports.figures.gallery import draw_figure, draw_figures
    from metaqnn.reports.figures.style import save
    from metaqnn.runs.run import open_run
    from metaqnn.storage import why

    findings = Findings.of(open_run(folder, trust=trust))
    target = target or folder / "figures"
    if names:
        left_out: dict[str, str] = {}
        figures = {name: draw_figure(name, findings) for name in names}
    else:
        figures, left_out = draw_figures(findings)
    try:
        for name, figure in figures.items():
            target.mkdir(parents=True, exist_ok=True)
            for form in forms:
                save(figure, target / f"{name}.{form}")
    except OSError as error:
        raise MetaqnnError(f"{target} cannot be written: {why(error, target)}") from None
    for reason in dict.fromkeys(left_out.values()):
        without = ", ".join(name for name in left_out if left_out[name] == reason)
        click.echo(f"without {without}: {reason}", err=True)
    if figures:
        click.echo(f"{', '.join(figures)}: written to {target}")
