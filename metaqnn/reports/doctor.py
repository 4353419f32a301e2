"""The page that describes a machine and how trainings do on it, for a report of a fault."""

import os
import platform
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.device import devices
from metaqnn.models.formats import export, load
from metaqnn.models.network import load_network
from metaqnn.networks.notation import read
from metaqnn.terminal import counted
from metaqnn.training.cuda_graph import Graphs
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from replay import Outcome

PACKAGES = ("metaqnn", "torch", "torchvision", "numpy", "pandas")

EXTRAS = {
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "parquet": ("pyarrow",),
    "tensorboard": ("tensorboard",),
    "ray": ("ray",),
}
"""Packages by the extra that brings them, as in pyproject.toml."""

NETWORK = "[C(16,3,1), C(16,3,1), P(2,2), FC(64), SM(10)]"
"""Is trained on the digits that scikit-learn brings, about a second long."""

EPOCHS = {"cpu": 8, "cuda": 30, "mps": 8}

NEAR = 0.05
"""So much accuracy may lie between two ways to compute a training."""

FAULT = "DOES NOT WORK"


class Page(NamedTuple):
    """What was found.

    Attributes:
        text: In Markdown.
        works: Whether all works that is there.
    """

    text: str
    works: bool


def examine() -> Page:
    """Look at this machine, and try it."""
    sections: dict[str, Callable[[], Iterator[str]]] = {
        "Versions": _versions,
        "Devices": _devices,
        "Extras": _extras,
        "Trainings": _trainings,
        "ONNX Runtime": _onnx_runtime,
    }
    lines = ["## metaqnn doctor"]
    for title, found in sections.items():
        lines += ["", f"### {title}", "", *_told(found())]
    text = "\n".join(map(_nameless, lines))
    return Page(text, FAULT not in text)


def _told(lines: Iterator[str]) -> Iterator[str]:
    """The lines, the last of which says what ended them too early."""
    try:
        yield from lines
    except Exception as error:  # whatever it is belongs on the page
        yield f"- {_fault(error)}"


def _fault(error: Exception) -> str:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"**{FAULT}**: {reason:.300}"


def _nameless(line: str) -> str:
    """The line without folders, which may have the names of people."""
    line = line.replace(str(Path.home()), "~")
    return re.sub(r"(?<![\w.~])~?(/[\w.@+-]+)+(?=/)", "...", line)


def _versions() -> Iterator[str]:
    yield f"- Python {sys.version.split()[0]}, {platform.platform()}"
    yield "- " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield (
        f"- {counted(os.cpu_count() or 1, 'core')}, {memory / 1e9:.1f} GB of memory, "
        f"{counted(torch.get_num_threads(), 'thread')} of torch"
    )


def _devices() -> Iterator[str]:
    cudnn = None
    if torch.cuda.is_available():
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]  # no types there
    yield f"- torch is built for CUDA {torch.version.cuda}; cuDNN {cudnn}; driver {_driver()}"
    for name in devices():
        yield f"- {name}" + (f": {_gpu(name)}" if name.startswith("cuda") else "")


def _driver() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=30)
    return answer.stdout.partition("\n")[0] or None


def _gpu(name: str) -> str:
    found = torch.cuda.get_device_properties(name)
    return (
        f"{found.name}, {found.total_memory / 1e9:.1f} GB, "
        f"compute capability {found.major}.{found.minor}"
    )


def _extras() -> Iterator[str]:
    for extra, packages in EXTRAS.items():
        for package in packages:
            yield f"- {package}{_found(extra, package)}"


def _found(extra: str, package: str) -> str:
    """The version of a package, or how to install it."""
    if find_spec(package) is None:
        return f": missing; pip install 'metaqnn[{extra}]'"
    try:
        with _hushed():
            module = import_module(package)
        return f" {version(package)}{_providers(module)}"
    except Exception as error:  # a broken package may raise anything
        return f": {_fault(error)}"


def _providers(module: object) -> str:
    """Where ONNX Runtime computes."""
    available = getattr(module, "get_available_providers", None)
    return f" ({', '.join(available())})" if available else ""


def _trainings() -> Iterator[str]:
    yield "| device | images/s, fast | plain | accuracy, fast | plain | |"
    yield "|---|---|---|---|---|---|"
    for name in devices():
        try:
            yield f"| {name} | {_compared(torch.device(name))} |"
        except Exception as error:  # of this device alone
            yield f"| {name} | | | | | {_fault(error)} |"


def _compared(device: torch.device) -> str:
    """A training with and without what makes it fast."""
    _train(device, Speed.of(device), 1)  # loads what is loaded late
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fast = _train(device, Speed.of(device))
    slow = _train(device, Speed(channels_last=False, late=False))
    rates = [f"{outcome.metrics['images_per_second']:,.0f}" for outcome in (fast, slow)]
    reached = [f"{outcome.curve[-1]:.1%}" for outcome in (fast, slow)]
    agree = abs(fast.curve[-1] - slow.curve[-1]) <= NEAR
    verdict = "agree" if agree else f"**{FAULT}**: they differ by more than {NEAR:.0%}"
    failures = [f"**{FAULT}**: {' '.join(str(warning.message).split())}" for warning in told]
    return " | ".join([*rates, *reached, "; ".join([verdict, *failures])])


def _train(device: torch.device, speed: Speed, epochs: int | None = None) -> Outcome:
    training, validation = load_split(DataOptions())
    recipe = Recipe(
        epochs=epochs or EPOCHS[device.type],
        batch_size=64,
        learning_rate=3e-3,
        dropout=False,
        restarts=0,
        restart_below=0,
    )
    return train(
        read(NETWORK),
        training.to(device),
        validation.to(device),
        recipe,
        seed=0,
        keep_above=-1.0,
        speed=speed,
        graphs=Graphs(),
    )


def _onnx_runtime() -> Iterator[str]:
    missing = [name for name in EXTRAS["onnx"] if find_spec(name) is None]
    if missing:
        yield f"- not tried: there is no {' and no '.join(missing)}"
        return
    images = load_split(DataOptions())[1].images[:64].numpy().astype(np.float32)
    with TemporaryDirectory() as folder, _hushed():
        path = Path(folder) / "network.safetensors"
        path.write_bytes(_train(torch.device("cpu"), Speed(), 1).weights or b"")
        export(*load_network(path), path.with_suffix(".onnx"))
        found = load(path.with_suffix(".onnx")).probabilities(images)
        expected = load(path).probabilities(images)
    apart = float(np.abs(found - expected).max())
    verdict = "agree" if apart < 1e-4 else f"**{FAULT}**: they do not agree"
    yield f"- probabilities of an exported network and of torch differ by {apart:.1g}: {verdict}"


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the warnings of other libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
