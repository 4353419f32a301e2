"""The page that explains a run: one HTML file, which loads nothing else."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from metaqnn import __version__
from metaqnn.environment import ENVIRONMENT, read_environment
from metaqnn.errors import MetaqnnError
from metaqnn.reports.captions import CAPTIONS
from metaqnn.reports.drawing import draw
from metaqnn.reports.figures.best import UNITS, time_unit
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.gallery import draw_figures
from metaqnn.reports.figures.inline import inline_svg
from metaqnn.reports.top_k import PREDICTED, as_text, best_networks, ranking
from metaqnn.runs import CONFIG, INPUTS, SPACE, Run
from metaqnn.spaces import preset_names
from state_space import Space

OWN_SECTION = ("curves", "heatmap")
"""Figures that do not stand among the others."""

MOST_NAMED = 12
"""So many classes at most are named."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page; without svg it is left out, and reason says why."""

    title: str
    caption: str
    svg: Markup = Markup()
    reason: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is read, and by what its column is sorted; "" is always last."""

    text: str
    value: str


@dataclass(frozen=True)
class Drawing:
    """The drawing of one of the best networks."""

    rank: int
    accuracy: str
    network: str
    svg: Markup


def write_page(run: Run, path: Path, *, k: int, refresh: int | None = None) -> None:
    """Write the page of a run, whole or not at all.

    Args:
        run: It may go on meanwhile.
        path: Of the HTML file.
        k: How many of the best networks to show.
        refresh: Seconds after which a browser shall load it again; None for never.

    Raises:
        MetaqnnError: The memory is damaged, or the file cannot be written.
    """
    text = render_page(run, k=k, refresh=refresh)
    # two that write to the same file shall not write into each other's
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be written: {error}") from None


def render_page(run: Run, *, k: int, refresh: int | None = None) -> str:
    """The page's text; see `write_page`."""
    findings = Findings.of(run)
    memory = run.memory()
    refusals = memory.refusals()
    memory.close()
    networks = findings.networks
    best = best_networks(networks, findings.space, k)
    walks = ranking(networks).head(k)["walk"]
    pictures = draw_pictures(findings)
    failures = networks["error"].dropna()
    environment = read_environment(run.path)
    templates = Environment(
        loader=PackageLoader("metaqnn.reports"),
        autoescape=True,
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
        config=run.config,
        score=findings.score,
        trainable=findings.space.trainable,
        facts=_facts(run, findings, environment),
        tiles=_tiles(findings, best, len(refusals)),
        figures=[picture for name, picture in pictures.items() if name not in OWN_SECTION],
        curves=pictures["curves"],
        heatmap=pictures["heatmap"],
        table=_table(best),
        predicted=PREDICTED if best["predicted"].any() else "",
        drawings=_drawings(best, walks, findings.space, run),
        failures=group_reasons(failures),
        failed=len(failures),
        refusals=group_reasons(refusals.values()),
        refused=len(refusals),
        files={
            name: (run.path / name).read_text(encoding="utf-8")
            for name in (CONFIG, SPACE, ENVIRONMENT)
        },
        commands=_commands(run, environment),
    )


def is_running(run: Run) -> bool:
    """Whether a search of the run is going on, in whatever process."""
    try:
        with run.lock():
            return False
    except MetaqnnError:
        return True


def draw_pictures(findings: Findings) -> dict[str, Picture]:
    """All figures by name, those without anything to show with the reason."""
    figures, left_out = draw_figures(findings)
    pictures = {}
    for name, (title, caption) in CAPTIONS.items():
        if name in figures:
            svg = Markup(inline_svg(figures[name], name, f"Figure: {title}"))
            pictures[name] = Picture(title, caption, svg=svg)
        else:
            pictures[name] = Picture(title, caption, reason=left_out[name])
    return pictures


def group_reasons(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Reasons with their counts, the most frequent first.

    Those that differ in numbers alone are one; the first of them stands for all.
    """
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        groups.setdefault(re.sub(r"\d[\d.,]*", "0", reason), []).append(reason)
    counts = [(group[0], len(group)) for group in groups.values()]
    return sorted(counts, key=lambda count: -count[1])


def _facts(run: Run, findings: Findings, environment: Mapping[str, Any]) -> dict[str, str]:
    """What was searched, and how."""
    config = run.config
    shape = "×".join(map(str, run.shape))
    if config.evaluation.evaluator == "train":
        named = ", ".join(run.classes[:MOST_NAMED]) + ", …" * (len(run.classes) > MOST_NAMED)
        data = f"{config.data.dataset}: images of {shape} in {len(run.classes)} classes ({named})"
    else:
        data = "none: nothing is trained"
    kind = run.space_settings.get("space", "chain")
    return {
        "data set": data,
        "search space": f"{config.space} ({kind})",
        "agent": config.agent,
        "scored by": f"{config.evaluation.evaluator} ({findings.score})",
        "reward": config.rewards.reward,
        "seed": str(config.seed),
        "started": str(environment.get("started", "not known")),
    }


def _tiles(findings: Findings, best: pd.DataFrame, refused: int) -> list[tuple[str, str]]:
    """What counts, each with what it is."""
    networks, cells = findings.networks, as_text(best)
    failed = int(networks["error"].notna().sum())
    mark = " (predicted)" if best["predicted"].head(1).any() else ""
    seconds = networks["seconds"].sum() if "seconds" in networks else 0.0
    unit = time_unit(seconds)
    return [
        (
            cells["accuracy"].iloc[0].rstrip("*") if len(cells) else "none yet",
            f"{findings.score} of the best network{mark}",
        ),
        (f"{len(networks) - failed:,}", f"networks scored, of a budget of {findings.config.budget:,}"),
        (f"{failed:,}", "networks failed"),
        (f"{refused:,}", "networks refused"),
        (f"{seconds / UNITS[unit]:.1f} {unit}" if seconds else "none", "time of training"),
    ]


def _table(best: pd.DataFrame) -> dict[str, list[Cell]]:
    """The columns of the best networks that have anything in them."""
    return {
        title: [
            Cell(text, "" if pd.isna(value) else str(value))
            for text, value in zip(map(str, texts), best[title.replace("-", "_")], strict=True)
        ]
        for title, texts in as_text(best).items()
        if any(map(str, texts))
    }


def _drawings(
    best: pd.DataFrame, walks: "pd.Series[Any]", space: Space[Any], run: Run
) -> list[Drawing]:
    shape = run.shape if space.trainable else None
    cells = as_text(best)
    return [
        Drawing(rank, accuracy, network, Markup(draw(space.architecture(walk), shape)))
        for rank, accuracy, network, walk in zip(
            best["rank"], cells["accuracy"], best["network"], walks, strict=True
        )
    ]


def _commands(run: Run, environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What each command does, and the command."""
    folder = str(run.path)
    again = ["metaqnn", "run", "--config", f"{folder}/{CONFIG}", "--name", "NAME"]
    if run.config.space not in preset_names():
        again += ["--space", f"{folder}/{SPACE}"]
    for option in INPUTS:
        if (path := run.input_file(option)) is not None:
            again += [f"--{option.replace('_', '-')}", str(path)]
    commands = {
        "The command that began this run:": environment.get("command", []),
        "The same search again, under another NAME:": again,
        "Go on with this run, if need be with a larger budget:": ["metaqnn", "resume", folder],
        "Its best networks as a table:": ["metaqnn", "top-k", folder],
        "Its figures as files:": ["metaqnn", "plot", folder],
    }
    if run.config.evaluation.evaluator == "train":
        export = ["metaqnn", "export", folder, "--rank", "1", "--to", "model.onnx"]
        commands["The best network, trained, as a file:"] = export
    commands["This page:"] = ["metaqnn", "report", folder]
    return [(what, shlex.join(command)) for what, command in commands.items()]
