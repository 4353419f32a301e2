"""The evaluator that looks up published scores."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job, fingerprint
from metaqnn.executors.base import Place
from metaqnn.options import Section
from metaqnn.task import Score, Task, classification
from replay import Outcome
from state_space import Architecture, Space

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Published(BaseModel):
    """A network in NAS-Bench-Macro's names.

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
class Entry:
    """A network of the table.

    Attributes:
        scores: Of each of several trainings, higher is better.
        expected: Their mean, or what else is known to be true of it.
        metrics: What else is known, such as parameters and multiply_adds.
        source: What the file says of it.
    """

    scores: tuple[float, ...]
    expected: float
    metrics: Mapping[str, float]
    source: Mapping[str, Any]


class Described(BaseModel):
    """A table that says what its scores are.

    Attributes:
        score: Of `metaqnn.task.Score`: name, scale, unit, digits, chance.
        networks: By their texts. Scores are as people read them: percents as percents,
            perplexities as perplexities; expected is their mean unless given.
    """

    class Network(BaseModel):
        """A network as people read it."""

        model_config = ConfigDict(extra="forbid")

        scores: tuple[Finite, ...] = Field(min_length=1)
        expected: Finite | None = None
        metrics: Mapping[str, float | int] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid")

    score: Mapping[str, Any]
    networks: dict[str, Network] = Field(min_length=1)


class TableOptions(Section):
    """Which table."""

    table: str | None = Field(
        None, description="JSON file [.gz] of published scores, such as NAS-Bench-Macro's."
    )

    FREE: ClassVar = ("table",)
    CHANGEABLE: ClassVar = FREE


@dataclass(frozen=True)
class TableEvaluator(Evaluator):
    """Draws one of a network's published trainings, so that scores are as noisy as real ones.

    The metric `expected` is the mean of all its trainings.

    Attributes:
        entries: By the digest of the network.
        score: What the table has.
        optimum: The highest expected score.
    """

    Options = TableOptions

    entries: Mapping[str, Entry] = field(repr=False)
    score: Score
    optimum: float | None = None

    @classmethod
    def task(cls, options: TableOptions, made_for: Task, *, trains: bool = True) -> Task:
        """That for which the space was made, with the score of the table."""
        score, _ = read_table(_path(options))
        if score is None:
            return classification(made_for.shape, made_for.outputs, "published accuracy")
        return Task(made_for.shape, made_for.outputs, score)

    @classmethod
    def from_options(
        cls, options: TableOptions, space: Space[Any], task: Task, place: Place
    ) -> Self:
        """The table that --table names: its keys are texts of networks of the space."""
        path = _path(options)
        entries = {}
        _, found = read_table(path)
        for key, entry in found.items():
            try:
                entries[space.architecture(space.parse(key)).digest] = entry
            except ValueError as error:
                raise MetaqnnError(f"{path}: not a network of the space: {error}") from None
        return cls(entries, task.score, max(entry.expected for entry in entries.values()))

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """What the table says of a network beside its scores."""
        entry = self.entries.get(architecture.digest)
        return {} if entry is None else entry.metrics

    def tells(self, metric: str) -> bool:
        """What it says of any network."""
        return any(metric in entry.metrics for entry in self.entries.values())

    def __call__(self, job: Job) -> Outcome:
        """Look the job's network up."""
        entry = self.entries.get(job.architecture.digest)
        if entry is None:
            raise MetaqnnError(f"the table has no {job.architecture.text}")
        drawn = np.random.default_rng(job.seed).integers(len(entry.scores))
        metrics = {
            **entry.metrics,
            "nodes": len(job.architecture.expanded.nodes),
            "edges": job.architecture.edges,
            "expected": entry.expected,
        }
        return Outcome(metrics, (entry.scores[drawn],))

    @property
    def facts(self) -> Mapping[str, Any]:
        """How many networks there are, the best expected score, and the fingerprint."""
        content = {digest: entry.source for digest, entry in sorted(self.entries.items())}
        return {
            "networks": len(self.entries),
            f"best mean {self.score.column}": self.optimum,
            "content": fingerprint(content),
        }


def read_table(path: Path) -> tuple[Score | None, dict[str, Entry]]:
    """The entries of a JSON file, plain or gzipped; and its score, or None for accuracies.

    Raises:
        MetaqnnError: The file is not there, not readable or not such a table.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        read = json.loads(content)
        if isinstance(read, dict) and "networks" in read:
            return _described(path, Described.model_validate(read))
        published = TypeAdapter(dict[str, Published]).validate_python(read)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        raise MetaqnnError(f"{path}: {where}: {first['msg']}") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None
    if not published:
        raise MetaqnnError(f"{path} has no networks")
    return None, {key: _of_percents(entry) for key, entry in published.items()}


def _described(path: Path, table: Described) -> tuple[Score, dict[str, Entry]]:
    try:
        score = Score(**table.score)
    except (TypeError, MetaqnnError) as error:
        raise MetaqnnError(f"{path}: score: {error}") from None
    entries = {}
    for key, network in table.networks.items():
        scores = tuple(float(score.write(shown / score.factor)) for shown in network.scores)
        if network.expected is None:
            expected = float(np.mean(scores))
        else:
            expected = float(score.write(network.expected / score.factor))
        if not np.isfinite([*scores, expected]).all():
            raise MetaqnnError(f"{path}: {key}: {network.scores} are no {score.name}")
        entries[key] = Entry(scores, expected, network.metrics, network.model_dump())
    return score, entries


def _of_percents(entry: Published) -> Entry:
    sizes = {"parameters": entry.params, "multiply_adds": entry.flops}
    known = {name: size for name, size in sizes.items() if size is not None}
    scores = tuple(accuracy / 100 for accuracy in entry.test_acc)
    return Entry(scores, entry.mean_acc / 100, known, entry.model_dump())


def _path(options: TableOptions) -> Path:
    if options.table is None:
        raise MetaqnnError("the evaluator table needs a file of scores: --table FILE")
    return Path(options.table)
