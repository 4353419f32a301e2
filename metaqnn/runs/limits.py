"""The limits of a run, for networks that are made anew on another scale than that of its search."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.objectives.names import LATENCY
from metaqnn.runs.assembly import make_rules
from metaqnn.runs.run import Run
from metaqnn.search.latency import Latencies
from metaqnn.search.rules import Timing
from replay import Memory


@dataclass(frozen=True)
class Limits:
    """Which networks take too long on the scale on which they are to be trained.

    Attributes:
        refused: Why, by walk.
        latencies: By digest, as far as they are known; none where nobody asks for them.
    """

    refused: Mapping[tuple[str, ...], str]
    latencies: Mapping[str, float]

    @property
    def timing(self) -> Timing | None:
        """What knows the latencies; None where there are none."""
        known = self.latencies
        return Timing(lambda architecture: known[architecture.digest]) if known else None


def find_limits(
    run: Run, networks: pd.DataFrame, memory: Callable[[], Memory], known: Mapping[str, float]
) -> Limits:
    """See which networks of a run take too long.

    Args:
        run: Whose space makes the networks; its limits of size do not count, for whoever gives a
            scale knows them.
        networks: Rows of `metaqnn.reports.top_k.ranking`.
        memory: Opens the memory that keeps what is measured, once each.
        known: Latencies by digest, as far as they were measured before.
    """
    if not run.config.rewards.measures_latency:
        return Limits({}, {})
    space = run.space()
    # networks to start from may be of another space
    config = run.config.changed({"start_from": ()}, run.objects)
    rules = make_rules(replace(run, config=config), space)
    rules = replace(rules, refuse=lambda architecture: None)
    found: dict[str, float] = {}
    refused: dict[tuple[str, ...], str] = {}
    with closing(memory()) as opened:
        latencies = Latencies(opened, rules)
        for network in networks.to_dict("records"):
            architecture = space.architecture(network["walk"])
            digest = architecture.digest
            searched = network.get(LATENCY) if network["digest"] == digest else None
            latencies.keep(digest, known.get(digest, searched))
            if reason := latencies.refuse(architecture):
                refused[network["walk"]] = reason
            if (latency := latencies.known(digest)) is not None:
                found[digest] = latency
    return Limits(refused, found)


def within_limits(
    run: Run, best: "pd.Series[Any]", scales: Iterable[Mapping[str, int]]
) -> tuple[dict[str, int], dict[str, float]]:
    """The first of some scales on which a network exceeds no limit of a run, and its latency.

    Where there is none, it is that of the search, which has seen to it.

    Args:
        run: Of the search.
        best: The network, a row of `metaqnn.reports.top_k.ranking`.
        scales: To choose from.

    Returns:
        The scale, and the latency by the digest.
    """
    space = run.space()
    with closing(Memory.create(Path(":memory:"), {})) as memory:
        latencies = Latencies(memory, make_rules(run, space))
        latencies.keep(best["digest"], best.get(LATENCY))
        for scale in (*scales, space.scale):
            network = space.architecture(best["walk"], scale)
            if latencies.refuse(network) is None:
                break
        latency = latencies.known(network.digest)
        return dict(scale), {} if latency is None else {network.digest: latency}
