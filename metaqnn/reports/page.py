"""The page that explains a run: one HTML file, which loads nothing else."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from metaqnn import __version__
from metaqnn.environment import CONFIG, ENVIRONMENT, SPACE, read_environment
from metaqnn.errors import MetaqnnError
from metaqnn.reports.classes import list_classes, reads_images
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.finals import add_test_errors
from metaqnn.reports.parts import (
    draw_best,
    draw_pictures,
    group_reasons,
    list_best,
    list_commands,
    list_counts,
    list_facts,
    list_finals,
)
from metaqnn.reports.top_k import PREDICTED, top_k
from metaqnn.runs.run import Run
from metaqnn.storage import lock_folder, why, write_output
from metaqnn.terminal import printable

OWN_SECTION = ("curves", "heatmap")
"""Figures that do not stand among the others."""


def write_page(run: Run, path: Path, *, k: int, refresh: int | None = None) -> bytes:
    """Write the page of a run, whole or not at all; returns what is written.

    Args:
        run: It may go on meanwhile.
        path: Of the HTML file.
        k: How many of the best networks to show.
        refresh: Seconds after which a browser shall load it again; None for never.

    Raises:
        MetaqnnError: The memory is damaged, or the file cannot be written.
    """
    # a name may hold what is no text
    page = render_page(run, k=k, refresh=refresh).encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be written: {why(error, path)}") from None
    write_output(path, page)
    return page


def render_page(run: Run, *, k: int, refresh: int | None = None) -> str:
    """The page's text; see `write_page`."""
    findings = Findings.of(run)
    memory = run.memory()
    refusals = memory.refusals()
    memory.close()
    best = top_k(add_test_errors(findings.networks, run), findings.space, k, findings.score)
    pictures = draw_pictures(findings)
    # while the search runs the best network changes too often to be asked again and again
    classes, no_classes = ([], "the search is running") if refresh else list_classes(run)
    environment = read_environment(run.path)
    templates = Environment(
        loader=PackageLoader("metaqnn.reports"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html.jinja").render(
        version=__version__,
        name=run.path.resolve().name,
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        refresh=refresh,
        running=is_running(run),
        score=findings.score.name,
        word=findings.score.word,
        same=findings.score.word == findings.score.name.replace("-", " "),
        trainable=findings.space.trainable,
        pictures=reads_images(run),
        facts=list_facts(run, findings, environment),
        counts=list_counts(findings, best, len(refusals)),
        figures=[picture for name, picture in pictures.items() if name not in OWN_SECTION],
        curves=pictures["curves"],
        heatmap=pictures["heatmap"],
        table=list_best(best, findings.score),
        predicted=PREDICTED if best["predicted"].any() else "",
        finals=list_finals(run),
        classes=classes,
        no_classes=no_classes,
        drawings=draw_best(run, findings, best),
        failures=group_reasons(findings.networks["error"].dropna()),
        refusals=group_reasons(refusals.values()),
        files={
            name: (run.path / name).read_text(encoding="utf-8")
            for name in (CONFIG, SPACE, ENVIRONMENT)
        },
        commands=list_commands(run, environment),
    )


def is_running(run: Run) -> bool:
    """Whether a search of the run is going on, in whatever process."""
    try:
        with lock_folder(run.path):
            return False
    except MetaqnnError:
        return True
    except OSError:  # where nothing can be written nothing is searched
        return False


def _printable(value: object) -> object:
    """What the template shows of a value; markup is our own."""
    return printable(value, "\n\t") if type(value) is str else value
