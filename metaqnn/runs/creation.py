"""A new run: of its options, the task and the folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from metaqnn.config import Objects, RunConfig, claim_options
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, FunctionEvaluator, find_evaluator
from metaqnn.options import Section, validated
from metaqnn.registry import place_of
from metaqnn.runs.assembly import Parts
from metaqnn.runs.clock import defaults
from metaqnn.runs.run import Run, make_folder
from metaqnn.spaces import made_for, read_space
from metaqnn.storage import free_folder, named_folder
from metaqnn.task import Score, Task
from metaqnn.terminal import quietly


class OutputOptions(Section):
    """Where a run's folder is, and what is printed: options that change no result."""

    name: str | None = None
    results_dir: str = "results"
    quiet: bool = False


def split_output(values: Mapping[str, Any]) -> tuple[OutputOptions, dict[str, Any]]:
    """The options of output, and all others, which `RunConfig.from_flat` takes.

    Raises:
        MetaqnnError: A value is impossible.
    """
    own = {name: value for name, value in values.items() if name in OutputOptions.model_fields}
    others = {name: value for name, value in values.items() if name not in own}
    return validated(OutputOptions, own), others


def plan_run(
    options: Mapping[str, Any],
    objects: Objects | None = None,
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Run, bool]:
    """The run that options ask for, whose folder is not made yet; and whether it is to be quiet.

    Args:
        options: Those of `RunConfig` and `OutputOptions`.
        objects: Parts that a program has made itself.
        task: Where it is not that of evaluator and data set.
        settings: Of the space, where it is one of the objects.

    Raises:
        MetaqnnError: An option is unknown or impossible, or the images cannot be loaded.
    """
    output, flat = split_output(options)
    claim_options(flat)
    flat = {**defaults(flat), **flat}
    config = RunConfig.from_flat(flat, objects)
    settings = read_space(config.run.space) if settings is None else settings
    with quietly(output.quiet):
        task = task or find_task(config, settings, objects)
    results = Path(output.results_dir)
    path = (
        named_folder(results, output.name)
        if output.name
        else free_folder(results, _stem(config, objects))
    )
    return Run(path, config, settings, task, objects or {}), output.quiet


def find_task(
    config: RunConfig, settings: Mapping[str, Any], objects: Objects | None = None
) -> Task:
    """What the networks of a run learn, as its evaluator tells.

    Raises:
        MetaqnnError: The images cannot be loaded, or a file is broken.
    """
    asked = (objects or {}).get("evaluator")
    if isinstance(task := getattr(asked, "task", None), Task):
        return task
    made = made_for(settings)
    if isinstance(score := getattr(asked, "score", None), Score):
        return Task(made.shape, made.outputs, score)
    if isinstance(asked, Evaluator):
        return asked.task(_options_of(asked), made)
    evaluator = find_evaluator(config.run.evaluator) if asked is None else FunctionEvaluator
    return evaluator.task(config.parts["evaluator"], made, trains=config.run.budget > 0)


def _options_of(evaluator: Evaluator) -> Section:
    """What a program has made an evaluator with, as far as its attributes tell.

    Raises:
        MetaqnnError: They do not tell an option that has no default.
    """
    section = evaluator.Options
    if isinstance(known := getattr(evaluator, "options", None), section):
        return known
    values = {
        name: getattr(evaluator, name) for name in section.model_fields if hasattr(evaluator, name)
    }
    try:
        return section.model_validate(values)
    except ValidationError as error:  # something else is called like an option
        for name in {problem["loc"][0] for problem in error.errors() if problem["loc"]}:
            values.pop(str(name), None)
    try:
        return validated(section, values)
    except MetaqnnError as error:
        raise MetaqnnError(
            f"evaluator {place_of(evaluator)}: {error}: it needs an attribute score, or options"
        ) from None


def _stem(config: RunConfig, objects: Objects | None) -> str:
    space = Path(config.run.space).stem.rpartition(":")[2].removesuffix("()")
    if "evaluator" in (objects or {}):
        return space
    return find_evaluator(config.run.evaluator).stem(config.parts["evaluator"], space)


def create_run(parts: Parts, command: list[str], *, reads_data: bool = True) -> None:
    """Make the folder of a run whose parts are there, whole or not at all.

    Args:
        parts: Of the run.
        command: That was called.
        reads_data: Whether the data are here to be read; else somebody trains on them elsewhere.

    Raises:
        MetaqnnError: The name is taken, or the folder cannot be written.
    """
    run = parts.run
    if run.path.exists():
        raise MetaqnnError(
            f"{run.path} exists: `metaqnn resume {run.path}` goes on with it, "
            "--name chooses another name"
        )
    data = parts.evaluator.data() if reads_data and run.config.run.budget else None
    make_folder(run, command, parts.evaluator.facts, data)
