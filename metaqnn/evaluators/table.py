"""The evaluator that looks up published accuracies."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job, fingerprint
from metaqnn.task import Shape
from replay import Outcome
from state_space import Space

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Entry(BaseModel):
    """A network of the table, in NAS-Bench-Macro's names.

    Attributes:
        test_acc: Accuracy of each of several trainings, in percent.
        mean_acc: Their mean, in percent.
        params: Weights and biases.
        flops: Multiply-adds of one image, forward.
    """

    test_acc: tuple[Percent, ...] = Field(min_length=1)
    mean_acc: Percent
    params: int | None = None
    flops: int | None = None


@dataclass(frozen=True)
class TableEvaluator(Evaluator):
    """Draws one of a network's published trainings, so that scores are as noisy as real ones.

    The metric `expected` is the mean of all its trainings.

    Attributes:
        entries: By the digest of the network.
        optimum: The highest mean accuracy, 0 to 1.
    """

    entries: Mapping[str, Entry] = field(repr=False)
    optimum: float | None = None

    @classmethod
    def from_config(cls, config: RunConfig, space: Space[Any], input_shape: Shape) -> Self:
        """The table that --table names: its keys are texts of networks of the space."""
        if config.evaluation.table is None:
            raise MetaqnnError("the evaluator table needs a file of accuracies: --table FILE")
        path = Path(config.evaluation.table)
        entries = {}
        for key, entry in read_table(path).items():
            try:
                entries[space.architecture(space.parse(key)).digest] = entry
            except ValueError as error:
                raise MetaqnnError(f"{path}: not a network of {config.space}: {error}") from None
        return cls(entries, max(entry.mean_acc for entry in entries.values()) / 100)

    def __call__(self, job: Job) -> Outcome:
        """Look the job's network up."""
        entry = self.entries.get(job.architecture.digest)
        if entry is None:
            raise MetaqnnError(f"the table has no {job.architecture.text}")
        drawn = np.random.default_rng(job.seed).integers(len(entry.test_acc))
        metrics = {
            "parameters": entry.params,
            "multiply_adds": entry.flops,
            "nodes": len(job.architecture.expanded.nodes),
            "edges": job.architecture.edges,
            "expected": entry.mean_acc / 100,
        }
        known = {name: value for name, value in metrics.items() if value is not None}
        return Outcome(known, (entry.test_acc[drawn] / 100,))

    @property
    def facts(self) -> Mapping[str, Any]:
        """How many networks there are, the best mean accuracy, and the fingerprint."""
        content = {digest: entry.model_dump() for digest, entry in sorted(self.entries.items())}
        return {
            "networks": len(self.entries),
            "best mean accuracy": self.optimum,
            "content": fingerprint(content),
        }


def read_table(path: Path) -> dict[str, Entry]:
    """The entries of a JSON file, plain or gzipped.

    Raises:
        MetaqnnError: The file is not there, not readable or not such a table.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        entries = TypeAdapter(dict[str, Entry]).validate_python(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        raise MetaqnnError(f"{path}: {where}: {first['msg']}") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None
    if not entries:
        raise MetaqnnError(f"{path} has no networks")
    return entries
