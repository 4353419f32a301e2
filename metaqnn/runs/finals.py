"""Final trainings: the best networks of a run, trained anew on all training images, and tested."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from metaqnn.agents.random import RandomSearch
from metaqnn.device import resolve_device
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.trainer import Examination
from metaqnn.executors.base import Executor
from metaqnn.objectives.names import LATENCY
from metaqnn.registry import check_name
from metaqnn.runs.assembly import make_trainer, trainer_of
from metaqnn.runs.limits import Limits, find_limits
from metaqnn.runs.results import (
    COUNTS,
    FINAL,
    columns_of,
    keep_answers,
    write_results,
)
from metaqnn.runs.run import Run
from metaqnn.search.events import Event
from metaqnn.search.kept_weights import KeptWeights, weights_path
from metaqnn.search.loop import Search
from metaqnn.search.rules import Rules
from metaqnn.storage import lock_folder, named_folder
from replay import Memory

SIZES = ("parameters", "multiply_adds", LATENCY)
"""Of a network on the scale on which it is trained in the end."""


@dataclass(frozen=True)
class Finals:
    """The final trainings of a run's best networks by one recipe.

    A network's training is one of `Search` that proposes only the given networks, with a replay
    memory for each seed: so it runs under every executor, and what is killed is resumed.

    Attributes:
        run: Its configuration has the recipe, and all else that the final trainings go by.
        path: The folder, in FINAL of that of the run.
        known: Latencies by the networks' digests, which need not be measured any more.
    """

    run: Run
    path: Path
    known: Mapping[str, float] = field(default_factory=dict)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from working on the folder, which is made if need be.

        Raises:
            MetaqnnError: Another process has it, or it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise MetaqnnError(f"{self.path} cannot be made: {error}") from None
        with lock_folder(self.path):
            yield

    def train(
        self,
        networks: pd.DataFrame,
        seed: int,
        executor: Executor,
        observe: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Train those of the networks that are not trained yet, or have failed before.

        Not those that exceed a limit of the run on the scale on which they are trained.

        Args:
            networks: Rows of `metaqnn.reports.top_k.ranking`.
            seed: Of the trainings.
            executor: Where.
            observe: Called after every training.

        Raises:
            MetaqnnError: The folder is that of another recipe.
            SearchStopped: See `Search.run`.
        """
        run = self.seeded(seed)
        space = run.space()
        evaluator = make_trainer(run)
        limits = self._limits(networks)
        with closing(self._memory(run, seed)) as memory:
            memory.reopen_failures()
            there = memory.frame()
            known = set(there["walk"])
            new = [walk for walk in networks["walk"] if walk not in (known | limits.refused.keys())]
            walks = (*there["walk"], *new)
            search = Search(
                space,
                RandomSearch(space, seed),
                evaluator.in_full(),
                executor,
                memory,
                Rules(
                    seed,
                    len(walks),
                    attrgetter("best"),
                    run.task.score.chance,
                    timing=limits.timing,
                    start_from=walks,
                ),
                kept=KeptWeights(self._weights(seed), len(walks)),
                observe=observe,
            )
            search.run()

    def test(
        self,
        networks: pd.DataFrame,
        seeds: Sequence[int],
        ensemble: int,
        examination: Examination | None,
    ) -> pd.DataFrame:
        """Test the trained networks, and the mean of the best ones' probabilities; write RESULTS.

        Args:
            networks: As they were trained, best first.
            seeds: Of the trainings.
            ensemble: How many of them, those that failed left out.
            examination: None where there is none, and no error is known.

        Returns:
            The columns of RESULTS, where the rows of other networks and seeds stay.
        """
        score, rows = self.run.task.score, list[dict[str, Any]]()
        names, refused = columns_of(score), self._limits(networks).refused
        for seed in seeds:
            with closing(self._memory(self.seeded(seed), seed)) as memory:
                # by walk, for on another scale the network is another one
                trained = {final["walk"]: final for final in memory.frame().to_dict("records")}
            members: list[np.ndarray] = []
            for network in networks.to_dict("records"):
                reason = refused.get(network["walk"])
                final = trained[network["walk"]] if reason is None else {"error": reason}
                row = {name: network.get(name) for name in names}
                row |= {score.column: score.read(network["score"])}
                failed = not pd.isna(final["error"])
                sizes = {name: final[name] for name in SIZES if name in final}
                sizes = sizes if reason is None else dict.fromkeys(SIZES)
                row |= {"seed": seed, "seconds": final.get("seconds"), **sizes}
                row |= {"error": final["error"] if failed else None}
                path = weights_path(self._weights(seed), int(final.get("number", 0)))
                if path.is_file():
                    row |= {"weights": str(path.relative_to(self.path))}
                    if examination is not None:
                        answers = examination.answer(path, self._device())
                        members.append(answers)
                        row |= examination.measure(answers)
                        counts = examination.count(answers)
                        if counts is not None:
                            keep_answers(self.path, counts, seed, network["network"])
                rows.append(row)
            if examination is not None and len(members) > 1 and ensemble > 1:
                mean = np.mean(members[:ensemble], axis=0)
                name = f"ensemble of {len(members[:ensemble])}"
                tested = examination.measure(mean)
                rows.append({"seed": seed, "network": name, **tested})
        results = pd.DataFrame(rows, columns=list(names)).astype(COUNTS)
        if results[LATENCY].isna().all():
            del results[LATENCY]
        write_results(self.path, results)
        return results

    def _limits(self, networks: pd.DataFrame) -> Limits:
        run = self.seeded(0)
        return find_limits(run, networks, lambda: self._memory(run, 0), self.known)

    def seeded(self, seed: int) -> Run:
        """The run with the seed of the trainings."""
        return replace(self.run, config=self.run.config.changed({"seed": seed}, self.run.objects))

    def _memory(self, run: Run, seed: int) -> Memory:
        return open_memory(self.path / f"seed-{seed}.sqlite", run)

    def _weights(self, seed: int) -> Path:
        return self.path / f"seed-{seed}"

    def _device(self) -> torch.device:
        try:
            return torch.device(resolve_device(self.run.config.run.device))
        except MetaqnnError:  # a cluster's machines may have GPUs that this one has not
            return torch.device(resolve_device("auto"))


def open_memory(path: Path, run: Run) -> Memory:
    """The memory of trainings, made if need be.

    Args:
        path: Of the file.
        run: Whose identity it has.

    Raises:
        MetaqnnError: It is damaged, or belongs to another configuration.
    """
    try:
        if not path.exists():
            # whole or not at all
            partial = path.with_name(f"{path.name}.partial")
            partial.unlink(missing_ok=True)
            Memory.create(partial, run.identity).close()
            partial.replace(path)
        return run.memory(path)
    except MetaqnnError as error:
        raise MetaqnnError(f"{error}; --name chooses another folder") from None


def plan_finals(
    run: Run,
    recipe: str,
    name: str | None,
    changes: Mapping[str, Any],
    scale: Mapping[str, int] | None = None,
    known: Mapping[str, float] | None = None,
) -> Finals:
    """Final trainings of a run, none of which is made yet.

    Args:
        run: The run.
        recipe: One of those of the run's `Trainer`.
        name: Of the folder; None is the recipe's.
        changes: What is to be different, of the recipe too.
        scale: How large to make the networks, where that is not as in the search; the folder's
            usual name then has it too.
        known: Latencies by the networks' digests, as far as they were measured.

    Raises:
        MetaqnnError: An option, the scale or the name is impossible.
    """
    trainer = trainer_of(run)
    check_name("recipe", trainer.recipes, recipe)
    asked = trainer.preset(run.config.parts["evaluator"], run.task, recipe, changes)
    sizes = [f"{key}-{value}" for key, value in (scale or {}).items()]
    path = named_folder(run.path / FINAL, name or "-".join([recipe, *sizes]))
    config = run.config.changed(asked, run.objects)
    settings = dict(run.space_settings)
    if scale:
        settings["scale"] = {**settings.get("scale", {}), **scale}
    changed = replace(run, config=config, space_settings=settings)
    changed.space()
    return Finals(changed, path, known or {})
