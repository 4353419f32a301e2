"""NAS-Bench-Graph's accuracies as a table of the space graph.

    pip download --no-deps nas-bench-graph==1.4.0
    python benchmarks/nas_bench_graph.py nas_bench_graph-1.4.0-py3-none-any.whl cora.json.gz

The package's pickles are read from its wheel, nothing is installed, and nothing in them is called
but what stands here for numpy's numbers. They have one validation and one test accuracy a network,
the means of three trainings: agents are told the first, and the second is what is expected. So
there is no noise from seed to seed; the noise is that one is not the other. Of the sets, Cora is
that on which a hundred random networks leave most to gain: `--describe` says how much.
"""

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import click
import numpy as np
import numpy.typing as npt

from metaqnn.spaces import bind_space
from state_space.graph import NODES, OPERATIONS, SOURCES

SETS = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "pubmed")
"""Those that have all networks; proteins has other operations."""

LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
"""What the four nodes read, in the order of the benchmark's numbers."""

DRAWN = 100
TIMES = 1000

Floats = npt.NDArray[np.float64]


class FloatType:
    """Stands for numpy.dtype, of which there are eight bytes of a float and nothing else."""

    def __init__(self, name: str, align: bool, copy: bool) -> None:
        """See that it is such a float."""
        if name != "f8":
            raise pickle.UnpicklingError(f"a number of type {name!r}, not 'f8'")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """See that the least byte comes first."""
        if state[1] != "<":
            raise pickle.UnpicklingError(f"bytes in the order {state[1]!r}, not '<'")


def read_number(kind: FloatType, content: bytes) -> float:
    """Stands for numpy's scalar."""
    return float(np.frombuffer(content, "<f8", 1)[0])


class Reader(pickle.Unpickler):
    """Reads plain data and numbers of numpy, and refuses all else before it is called."""

    allowed: Mapping[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "dtype"): FloatType,
        ("numpy.core.multiarray", "scalar"): read_number,
    }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """What stands for a name.

        Raises:
            pickle.UnpicklingError: Nothing does.
        """
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"the file wants {module}.{name}, which is not allowed")
        return self.allowed[module, name]

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Of a pickle's bytes."""
        return cls(io.BytesIO(content))


def walk_of(number: int) -> tuple[str, ...]:
    """The walk of a network's number: which of `LINKS`, then a digit an operation."""
    links, operations = divmod(number, 10**NODES)
    walk: list[str] = []
    for source, operation in zip(LINKS[links], f"{operations:0{NODES}}", strict=True):
        walk += [SOURCES[int(source)], OPERATIONS[int(operation)]]
    return tuple(walk[1:])


def as_table(published: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """The content of a file for --table.

    Args:
        published: By the networks' numbers valid_perf, perf, latency and para, as the package says.
    """
    space = bind_space({"space": "graph"}, (), 0)
    networks = {
        space.architecture(walk_of(number)).text: {
            "scores": [round(100 * found["valid_perf"], 4)],
            "expected": round(100 * found["perf"], 4),
            "metrics": {
                "parameters": round(1e6 * found["para"]),
                "latency": round(found["latency"], 6),
            },
        }
        for number, found in published.items()
    }
    if len(networks) < len(published):
        raise click.ClickException(f"{len(published)} networks have {len(networks)} texts")
    score = {"name": "validation accuracy", "column": "accuracy", "unit": "%", "digits": 2}
    return {"score": {**score, "low": 0.0, "high": 1.0}, "networks": networks}


def describe(published: Mapping[int, Mapping[str, float]]) -> str:
    """How far, in points of test accuracy, the best validation accuracies stay behind the best."""
    validation, test = (
        np.array([found[name] for found in published.values()]) for name in ("valid_perf", "perf")
    )
    behind = 100 * (test.max() - test)
    generator = np.random.default_rng(0)
    drawn = [generator.choice(len(test), DRAWN, replace=False) for _ in range(TIMES)]
    of_some = np.mean([behind[some[validation[some].argmax()]] for some in drawn])
    return f"{len(test)} | {of_some:.2f} | {behind[validation.argmax()]:.2f}"


@click.command()
@click.argument("wheel", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--set", "name", type=click.Choice(SETS), default="cora", show_default=True)
@click.option("--describe", "is_asked", is_flag=True, help="Print how hard each set is.")
def main(wheel: Path, out: Path | None, name: str, is_asked: bool) -> None:
    """Write the table of a set into the file OUT, gzipped if it is called .gz."""
    with zipfile.ZipFile(wheel) as package:
        found = {
            each: Reader.of(package.read(f"nas_bench_graph/light/{each}.bench")).load()
            for each in (SETS if is_asked else (name,))
        }
    if is_asked:
        click.echo(f"set | networks | points behind, of {DRAWN} random ones | of all\n-|-|-|-")
        for each, published in found.items():
            click.echo(f"{each} | {describe(published)}")
    if out is not None:
        content = json.dumps(as_table(found[name])).encode()
        out.write_bytes(gzip.compress(content, mtime=0) if out.suffix == ".gz" else content)


if __name__ == "__main__":
    main()
