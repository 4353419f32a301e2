"""Where a run or a comparison came about: its file environment.json."""

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metaqnn.errors import MetaqnnError
from metaqnn.storage import write_file
from metaqnn.task import IMAGE, Task
from metaqnn.task import read_task as _read_task

ENVIRONMENT = "environment.json"
MEMORY_SUFFIX = ".sqlite"
MEMORY = f"memory{MEMORY_SUFFIX}"
CONFIG = "config.toml"
SPACE = "space.toml"
NETWORKS = "networks"
"""Files and folders of a run."""

PACKAGES = ("metaqnn", "numpy", "pandas", "torch", "torchvision", "safetensors", "scikit-learn")


def write_environment(
    folder: Path,
    command: list[str],
    facts: Mapping[str, Any],
    task: Task,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write what was called when and where, with which versions, evaluator, task and data."""
    environment = {
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "evaluator": dict(facts),
        "platform": platform.platform(),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in PACKAGES},
        **_examples(task),
        "score": task.record,
        **({} if data is None else {"data": dict(data)}),
    }
    text = json.dumps(environment, indent=2)
    (folder / ENVIRONMENT).write_text(f"{text}\n", encoding="utf-8")


def read_environment(folder: Path) -> dict[str, Any]:
    """What `write_environment` has written.

    Raises:
        MetaqnnError: It cannot be read.
    """
    path = folder / ENVIRONMENT
    try:
        environment: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        datetime.fromisoformat(environment["started"])
        shlex.join(environment["command"])
        dict(environment["evaluator"])
        return environment
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MetaqnnError(f"{path} cannot be read: {error!r:.300}") from None


def read_task(folder: Path) -> Task:
    """What the networks of a run learn.

    Raises:
        MetaqnnError: It cannot be read.
    """
    environment = read_environment(folder)
    try:
        examples = environment.get("examples")
        images = environment["images"] if examples is None else _as_images(examples)
        return _read_task(images, environment.get("score"))
    except (KeyError, TypeError, ValueError) as error:
        raise MetaqnnError(f"{folder / ENVIRONMENT} cannot be read: {error!r:.300}") from None


def _examples(task: Task) -> dict[str, Any]:
    """What the networks read and answer, by what it is."""
    if len(task.shape) == IMAGE:
        return {"images": task.images}
    return {"examples": {"shape": list(task.shape), "outputs": list(task.outputs)}}


def _as_images(examples: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": examples["shape"], "classes": examples["outputs"]}


def read_data(folder: Path) -> dict[str, Any] | None:
    """What `metaqnn.evaluators.base.Evaluator.data` gave when the run was made, if anything.

    Raises:
        MetaqnnError: It cannot be read.
    """
    data = read_environment(folder).get("data")
    if data is None or (
        isinstance(data, dict)
        and isinstance(data.get("fingerprint"), dict)
        and isinstance(data.get("lines"), list)
    ):
        return data
    raise MetaqnnError(f"{folder / ENVIRONMENT} cannot be read: data is {data!r:.80}")


def keep_test(folder: Path, test: Any) -> None:
    """Keep what the test part is known by, where the run was made without any.

    Raises:
        MetaqnnError: The file cannot be read.
    """
    environment = read_environment(folder)
    known = environment.get("data", {}).get("fingerprint")
    if known is None or "test" in known:
        return
    known["test"] = test
    write_file(folder / ENVIRONMENT, f"{json.dumps(environment, indent=2)}\n")


def check_content(folder: Path, facts: Mapping[str, Any]) -> None:
    """Look whether the evaluator's file is still what it was when the folder was made.

    Raises:
        MetaqnnError: It has changed.
    """
    made = read_environment(folder)["evaluator"]
    if made.get("content") != facts.get("content"):
        raise MetaqnnError(
            f"what the evaluator reads has changed since {folder} was made: "
            f"fingerprint {facts.get('content')}, not {made.get('content')}"
        )
