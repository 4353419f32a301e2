"""A small grid of settings of a recipe, tried on the best network, as Zoph & Le 2017 do last."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from operator import attrgetter
from typing import Any, get_args

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from metaqnn.agents.random import RandomSearch
from metaqnn.environment import MEMORY_SUFFIX
from metaqnn.errors import MetaqnnError
from metaqnn.executors.base import Executor
from metaqnn.options import Section, fields_of
from metaqnn.runs.assembly import make_trainer
from metaqnn.runs.finalizing import executor_and_bar, prepare
from metaqnn.runs.finals import Finals, open_memory, plan_finals
from metaqnn.runs.grid_space import GridEvaluator, GridSpace
from metaqnn.runs.limits import Limits, find_limits
from metaqnn.runs.run import Run
from metaqnn.search.events import Event
from metaqnn.search.loop import Search
from metaqnn.search.rules import Rules
from metaqnn.storage import going_on, write_file
from metaqnn.task import Score
from metaqnn.terminal import printable
from replay import Outcome
from state_space.settings import suggestion

GRID = "grid"
"""Of the files in the folder of the final trainings: the memory, and the table as CSV."""

SEED = 0
"""Of the trainings."""


@dataclass(frozen=True)
class Grid:
    """Settings of a recipe, of which the best is to be found.

    Attributes:
        finals: The final trainings by the recipe as it is.
        settings: Each with the options that it changes.
        trials: The final trainings by the recipe with each of the settings.
    """

    finals: Finals
    settings: Mapping[str, Mapping[str, Any]]
    trials: Mapping[str, Finals]


def plan_grid(
    run: Run,
    recipe: str,
    name: str | None,
    changes: Mapping[str, Any],
    scale: Mapping[str, int] | None,
    values: Mapping[str, Sequence[Any]],
) -> Grid:
    """The grid of a run, of which nothing is trained yet.

    Args:
        run: See `plan_finals`, as all but the values.
        recipe: Which.
        name: Of the folder; that of `plan_finals` has GRID behind it.
        changes: What all settings have in common.
        scale: How large to make the networks.
        values: Of options of the recipe, texts or their own; all combinations are tried. Without
            any there is one setting, the recipe as it is, and nothing to be tried.

    Raises:
        MetaqnnError: An option is unknown, impossible or both given and in the grid; or see
            `plan_finals`.
    """
    plain = plan_finals(run, recipe, name, changes, scale)
    path = plain.path
    if values and name is None:
        path = path.with_name(f"{path.name}-{GRID}")
    settings = _combinations(type(plain.run.config.parts["evaluator"].recipe), values)
    for given in {key for setting in settings.values() for key in setting} & changes.keys():
        raise MetaqnnError(f"{_spelt(given)} is given, and in the grid too: say it once")
    return Grid(
        replace(plain, path=path),
        settings,
        {
            text: plan_finals(run, recipe, path.name, {**changes, **setting}, scale)
            for text, setting in settings.items()
        },
    )


def _combinations(
    recipe: type[Section], values: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, Any]]:
    """Every setting of the values of options of a recipe, by its text."""
    known = {_spelt(name): field for name, (_, field) in fields_of(recipe).items()}
    choices: dict[str, list[Any]] = {}
    for key, given in values.items():
        spelt = _spelt(key)
        if spelt not in known:
            raise MetaqnnError(f"grid: no recipe has {spelt}{suggestion(spelt, known)}")
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise MetaqnnError(f"grid: {spelt} is {given!r:.80}, not a list of values")
        kind = known[spelt].annotation
        choices[spelt.replace("-", "_")] = [_read(spelt, kind, value) for value in given]
    found: dict[str, dict[str, Any]] = {}
    for combination in product(*choices.values()):
        setting = dict(zip(choices, combination, strict=True))
        text = " ".join(f"{_spelt(name)}={value}" for name, value in setting.items())
        if text in found:
            raise MetaqnnError(f"grid: {text} stands there twice")
        found[text] = setting
    return found


def _read(key: str, kind: Any, value: Any) -> Any:
    """A value of an option, of its text; none is for those that need not have one."""
    if value == "none" and type(None) in get_args(kind):
        return None
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise MetaqnnError(
            f"grid: {key} is {value!r:.80}: {message[0].lower()}{message[1:]}"
        ) from None


def _spelt(name: str) -> str:
    return name.replace("_", "-")


def try_settings(
    grid: Grid,
    network: "pd.Series[Any]",
    executor: Executor,
    observe: Callable[[Event], None] = lambda event: None,
) -> pd.DataFrame:
    """Train a network by every setting on the training part, and see how good it is.

    That is its score on the validation part after the epoch whose weights count in the end: the
    last one, or the best. What was trained before is not trained again. Writes the table.

    Args:
        grid: The settings.
        network: A row of `metaqnn.reports.top_k.best_networks`.
        executor: Where.
        observe: Called after every training.

    Returns:
        A row a setting, the best first, of equals that which was named first: the options of the
        grid, the score as people read it, seconds, error, and setting (its text).

    Raises:
        MetaqnnError: The folder is that of another grid or network; or no setting could be trained.
        SearchStopped: See `Search.run`.
    """
    run = grid.finals.seeded(SEED)
    architecture = run.space().architecture(network["walk"])
    for name in architecture.settings:
        if any(name.replace("-", "_") in setting for setting in grid.settings.values()):
            raise MetaqnnError(f"{network['network']} sets {name} itself, so no grid can")
    space = GridSpace(architecture, tuple(grid.settings))
    trainers = [make_trainer(finals.run) for finals in grid.trials.values()]
    evaluator = GridEvaluator(trainers[0], tuple(trainer.recipe for trainer in trainers))
    tried = {"network": architecture.text, GRID: list(grid.settings)}
    own = replace(run, space_settings={**run.space_settings, **tried})
    with closing(open_memory(grid.finals.path / f"{GRID}{MEMORY_SUFFIX}", own)) as memory:
        memory.reopen_failures()
        walks = tuple((text,) for text in grid.settings)
        judge = last if trainers[0].keeps_last else attrgetter("best")
        rules = Rules(SEED, len(walks), judge, run.task.score.chance, start_from=walks)
        agent = RandomSearch(space, SEED)
        Search(space, agent, evaluator, executor, memory, rules, observe=observe).run()
        found: list[Any] = memory.frame().to_dict("records")
        trials = {trial["walk"][0]: trial for trial in found}
    table = _table(grid, trials, run.task.score)
    write_file(grid.finals.path / f"{GRID}.csv", table.to_csv(index=False, lineterminator="\n"))
    return table


def last(outcome: Outcome) -> float:
    """The score after the last epoch."""
    return outcome.curve[-1]


def _table(grid: Grid, trials: Mapping[str, Mapping[str, Any]], score: Score) -> pd.DataFrame:
    rows = []
    for text, setting in grid.settings.items():
        trial = trials[text]
        failed = not pd.isna(trial["error"])
        rows.append({**setting, "score": np.nan if failed else trial["reward"]})
        rows[-1] |= {"seconds": trial.get("seconds"), "error": trial["error"] if failed else None}
        rows[-1] |= {"setting": text}
    table = pd.DataFrame(rows).sort_values("score", ascending=False, kind="stable")
    table["score"] = score.read(table["score"])
    return table.rename(columns={"score": score.column}).reset_index(drop=True)


def choose_setting(
    grid: Grid, networks: pd.DataFrame, *, quiet: bool = False
) -> tuple[Finals, pd.DataFrame]:
    """Try the settings on the best network, with a progress bar; not where there is one alone.

    That is the best one of those that exceed no limit of the run.

    Args:
        grid: The settings.
        networks: `metaqnn.reports.top_k.best_networks`.
        quiet: Show no bar.

    Returns:
        The final trainings by the recipe with the best setting, and the table of `try_settings`,
        which is empty where nothing was tried.

    Raises:
        MetaqnnError: See `prepare` and `try_settings`.
    """
    run, folder, total = grid.finals.run, grid.finals.path, len(grid.settings)
    if not any(grid.settings.values()):
        return grid.finals, pd.DataFrame()
    with going_on(run.path, "metaqnn finalize"):
        evaluator, _ = prepare(run)
        title = f"grid: {folder.name}"
        with grid.finals.lock():
            limits = _limits(grid, networks)
            allowed = (row for _, row in networks.iterrows() if row["walk"] not in limits.refused)
            network = next(allowed, None)
            if network is None:
                raise MetaqnnError(
                    f"grid: no network may be trained: {next(iter(limits.refused.values()))}"
                )
            with executor_and_bar(run, evaluator, title, total, quiet) as (executor, bar):

                def observe(event: Event) -> None:
                    bar.progress.update(bar.task, state=printable(event.outcome.error or ""))
                    bar.progress.update(bar.task, completed=event.trained)

                table = try_settings(grid, network, executor, observe)
    best = table.iloc[0]
    if not pd.isna(best["error"]):
        raise MetaqnnError(f"no setting of the grid could be trained: {best['error']}")
    chosen, known = grid.trials[best["setting"]], limits.latencies
    trainers = (evaluator, make_trainer(chosen.run)) if known else ()
    if len({trainer.export_facts("", run.task) for trainer in trainers}) > 1:
        known = {}  # by this setting exports take another time
    return replace(chosen, known=known), table


def _limits(grid: Grid, networks: pd.DataFrame) -> Limits:
    """Which networks take too long, by a memory of its own, as the recipe is not known yet."""
    run = grid.finals.seeded(SEED)
    path = grid.finals.path / f"{GRID}-latency{MEMORY_SUFFIX}"
    return find_limits(run, networks, lambda: open_memory(path, run), grid.finals.known)
