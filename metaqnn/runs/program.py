"""A run as a program asks for it: with parts, images or a score of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from metaqnn.errors import MetaqnnError
from metaqnn.runs.creation import plan_run
from metaqnn.runs.keywords import own_task, split_objects
from metaqnn.runs.run import Run
from metaqnn.runs.timed import plan_search
from metaqnn.task import Score


def plan_program(
    options: Mapping[str, Any],
    parts: Mapping[str, Any],
    shape: Sequence[int] | None,
    classes: int | Sequence[str] | None,
    score: Score | None,
) -> tuple[Run, dict[str, Any]]:
    """A run of which no folder is made yet, and the options that were given, of the parts too.

    Args:
        options: See `metaqnn.Search`, as all else; those that have a value, and no arrays.
        parts: Space, agent and evaluator, themselves or their names; None for those that are usual.
        shape: Of examples that only the program has.
        classes: Of these.
        score: Of the networks.

    Raises:
        MetaqnnError: An option is unknown or impossible.
    """
    objects, given = split_objects(**parts)
    given |= options
    own = shape is not None or classes is not None
    if own and given.setdefault("dataset", "own") != "own" and "evaluator" not in objects:
        raise MetaqnnError(f"shape and classes are those of {given['dataset']} already")
    if "evaluator" in objects:
        given.pop("dataset", None)
    metric = {"metric": given["metric"]} if "metric" in given else {}
    task = own_task(shape, classes, score, **metric) if own else None
    settings = {"space": given["space"]} if "space" in objects else None
    run, _ = plan_run(given, objects, task, settings)
    run = plan_search(run, given)
    if task is None and score is not None:
        run = replace(run, task=replace(run.task, score=score))
    return run, given
