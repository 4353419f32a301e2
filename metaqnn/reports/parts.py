"""The parts of a run's page, as its template takes them."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from metaqnn.environment import CONFIG, SPACE, read_data
from metaqnn.reports.classes import reads_images
from metaqnn.reports.columns import columns_of
from metaqnn.reports.drawing import draw
from metaqnn.reports.figures.best import UNITS, time_unit
from metaqnn.reports.figures.catalogue import FIGURES, caption
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.gallery import draw_figures
from metaqnn.reports.figures.inline import inline_svg
from metaqnn.reports.finals import as_text as finals_text
from metaqnn.reports.finals import summarise
from metaqnn.reports.pareto import Box, measured
from metaqnn.reports.recurrent_drawing import is_recurrent
from metaqnn.reports.state import can_finalize, describe_data, trains
from metaqnn.reports.top_k import as_text, ranking
from metaqnn.runs.results import find_results
from metaqnn.runs.run import Run
from metaqnn.search.rewards import BEST
from metaqnn.spaces import preset_names
from metaqnn.task import Score
from metaqnn.terminal import counted


@dataclass(frozen=True)
class Picture:
    """A figure of the page; without svg it is left out, and reason says why."""

    title: str
    caption: str
    svg: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is read, and by what its column is sorted; "" is always last."""

    text: str
    value: str


@dataclass(frozen=True)
class Finals:
    """The table of the latest final trainings, and the name of their folder."""

    name: str
    titles: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Drawing:
    """The drawing of one of the best networks."""

    rank: int
    score: str
    network: str
    svg: str
    has_cells: bool
    is_recurrent: bool


def draw_pictures(findings: Findings) -> dict[str, Picture]:
    """All figures by name, those without anything to show with the reason."""
    figures, left_out = draw_figures(findings)
    pictures = {}
    for name in FIGURES:
        title, text = caption(name, findings.score)
        if name in figures:
            svg = inline_svg(figures[name], name, label=f"Figure: {title}")
            pictures[name] = Picture(title, text, svg=svg)
        else:
            pictures[name] = Picture(title, text, reason=left_out[name])
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


def list_facts(run: Run, findings: Findings, environment: Mapping[str, Any]) -> dict[str, str]:
    """What was searched, and how."""
    config = run.config
    kind = run.space_settings.get("space", "chain")
    data = read_data(run.path)
    reward = findings.score.name if config.rewards.reward == BEST else config.rewards.reward
    return {
        "data": describe_data(run),
        **({"read": "; ".join(map(str, data["lines"][1:]))} if data else {}),
        "search space": f"{config.run.space} ({kind})",
        "agent": config.run.agent,
        "scored by": f"{config.run.evaluator} ({findings.score.name})",
        "reward": reward,
        **({"objectives": ", ".join(config.rewards.objective)} if config.rewards.objective else {}),
        "seed": str(config.run.seed),
        "started": f"{datetime.fromisoformat(environment['started']):%Y-%m-%d %H:%M:%S UTC}",
    }


def list_counts(findings: Findings, best: pd.DataFrame, refused: int) -> list[tuple[str, str]]:
    """What counts, each with what it is."""
    networks, score = findings.networks, findings.score
    cells = as_text(best, score)
    failed = int(networks["error"].notna().sum())
    mark = " (predicted)" if best["predicted"].head(1).any() else ""
    seconds = networks["seconds"].sum() if "seconds" in networks else 0.0
    unit = time_unit(seconds)
    taken = f"{seconds / UNITS[unit]:.1f} {unit}" if seconds else "none"
    is_trained = trains(findings.run)
    done = "trained" if is_trained else "scored"
    budget = findings.run.config.run.budget
    again = int((networks["trainings"] - 1).sum())
    return [
        (
            cells[score.header].iloc[0].rstrip("*") if len(cells) else "none yet",
            f"{score.name} of the best network{mark}",
        ),
        (f"{len(networks) - failed:,}", f"{done}, of a budget of {counted(budget, 'network')}"),
        (f"{failed:,}", "failed"),
        (f"{refused:,}", "refused"),
        *([(f"{again:,}", "trainings of the best again, part of the budget")] if again else []),
        *_list_volume(findings),
        *([(taken, "time of training")] if is_trained or seconds else []),
    ]


def _list_volume(findings: Findings) -> list[tuple[str, str]]:
    """The hypervolume, where the run has objectives and networks."""
    found = measured(findings.networks, findings.objectives)
    box = Box.around(found, findings.objectives, findings.score)
    if not findings.objectives or box is None:
        return []
    return [(f"{box.volume(found):.4f}", f"hypervolume of {box.describe(findings.score)}")]


def list_best(best: pd.DataFrame, score: Score) -> dict[str, list[Cell]]:
    """The columns of the best networks that have anything in them."""
    cells = as_text(best, score).astype(str)
    columns = {}
    for name, column in columns_of(score).items():
        title = column.header
        if title in cells and (cells[title] != "").any():
            known = best[name].astype(object).fillna("").map(str)
            columns[title] = [Cell(*pair) for pair in zip(cells[title], known, strict=True)]
    return columns


def list_finals(run: Run) -> Finals | None:
    """The latest final trainings; None where there are none."""
    found = find_results(run)
    if found is None:
        return None
    name, results = found
    score = run.task.score
    table = finals_text(summarise(results, score), score)
    return Finals(name, table.columns.tolist(), table.to_numpy().tolist())


def draw_best(run: Run, findings: Findings, best: pd.DataFrame) -> list[Drawing]:
    """The drawings of the best networks; without shapes where they cannot be built."""
    space = findings.space
    shape = run.task.shape if space.trainable else None
    walks = ranking(findings.networks)["walk"].head(len(best))
    reads = "images" if reads_images(run) else "input"
    scores = as_text(best, findings.score)[findings.score.header]
    drawings = []
    for rank, (score, walk) in enumerate(zip(scores, walks, strict=True), start=1):
        architecture = space.architecture(walk)
        svg, has_cells = draw(architecture, shape, reads), bool(architecture.cells)
        kind = has_cells, is_recurrent(architecture)
        drawings.append(Drawing(rank, score, space.text(walk), svg, *kind))
    return drawings


def list_commands(run: Run, environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What each command does, and the command."""
    folder = str(run.path)
    again = ["metaqnn", "run", "--config", f"{folder}/{CONFIG}", "--name", "NAME"]
    if run.config.run.space not in preset_names():
        again += ["--space", f"{folder}/{SPACE}"]
    for option in run.config.inputs():
        if (path := run.input_file(option)) is not None:
            again += [f"--{option.replace('_', '-')}", str(path)]
    commands = {
        "The command that began this run:": environment["command"],
        "The same search again, under another NAME:": again,
        "Go on with this run, if need be with a larger budget:": ["metaqnn", "resume", folder],
        "Its best networks as a table:": ["metaqnn", "top-k", folder],
        "Its figures as files:": ["metaqnn", "plot", folder],
    }
    if trains(run):
        # of a language model .onnx is one step, which neither predict nor generate reads
        file = "model.onnx" if reads_images(run) else "model.safetensors"
        export = ["metaqnn", "export", folder, "--rank", "1", "--to", file]
        if can_finalize(run):
            final = ["metaqnn", "finalize", folder, "-k", "5", "--ensemble", "5"]
            on_all = ", on all images," if reads_images(run) else ""
            commands[f"Its best networks trained anew{on_all} and tested:"] = final
        commands["The best network, trained, as a file:"] = export
    commands["This page:"] = ["metaqnn", "report", folder]
    return [(what, shlex.join(command)) for what, command in commands.items()]
