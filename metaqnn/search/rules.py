"""What a search goes by: budget, reward, and what is trained first or not at all."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any, Self

from metaqnn.budget import reserved
from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import known_costs, total_cost
from metaqnn.objectives.names import LATENCY, Costs
from metaqnn.search.rewards import (
    FLOPS_A_MULTIPLY_ADD,
    OF_LIKELIHOODS,
    REWARDS,
    Reward,
    RewardOptions,
    show_latency,
)
from metaqnn.task import Score, Shape, Task
from replay import Outcome
from state_space import Architecture, IllegalMove, Space, Token, stage_of
from state_space.notation import NotationError


@dataclass(frozen=True)
class Timing:
    """How long networks may take, which is found out by measuring.

    Attributes:
        measure: Seconds that one takes for an example; raises `NoLatency` where it cannot run.
        limit: The most that one may take, in seconds; None where there is no limit.
    """

    measure: Callable[[Architecture], float]
    limit: float | None = None

    def refuse(self, latency: float) -> str | None:
        """Why a network of a latency is not to be trained, None if it is."""
        if self.limit is None or latency <= self.limit:
            return None
        return f"{show_latency(latency)}, more than {show_latency(self.limit)}"


@dataclass(frozen=True)
class Rules:
    """What a search goes by.

    Attributes:
        seed: Of the run.
        budget: Trainings: of distinct networks, and of the best of them again.
        reward: Of a network that does not fail; picklable.
        failure_reward: Of one that fails; None is the lowest so far.
        refuse: Why a network is not to be trained, None if it is. A refused one is recorded, not
            told to the agent, and counts in no budget.
        timing: Likewise of one that takes too long; None where latencies are not asked for.
        start_from: Walks to train before the agent is asked.
        grow_every: Distinct networks after which the space is raised by a stage.
        score: Of the networks; an outcome beyond its bounds is a failure.
        deadline: On `time.monotonic`; no training begins after it, but for the first.
        confirm: So many of the best networks are trained again.
        confirm_from: On `time.monotonic`; after it no network is new, but for the first.
        objectives: Metrics of which less is better, beside the reward.
        needs_latency: Whether a network without one cannot be rewarded.
        costs: What is known of these before a network is scored.
    """

    seed: int
    budget: int
    reward: Callable[[Outcome], float]
    failure_reward: float | None
    refuse: Callable[[Architecture], str | None] = lambda architecture: None
    timing: Timing | None = None
    start_from: tuple[tuple[Token, ...], ...] = ()
    grow_every: int | None = None
    score: Score = Score()
    deadline: float = inf
    confirm: int = 0
    confirm_from: float = inf
    objectives: tuple[str, ...] = ()
    needs_latency: bool = False
    costs: Costs = lambda architecture: {}

    @classmethod
    def make(
        cls,
        space: Space[Any],
        task: Task,
        options: RewardOptions,
        *,
        seed: int,
        budget: int,
        start_from: Iterable[str] = (),
        grow_every: int | None = None,
        confirm: int = 0,
        measure: Callable[[Architecture], float] | None = None,
    ) -> Self:
        """The rules of a run.

        Args:
            space: Of the run.
            task: Of the run.
            options: What is a reward, and what is refused.
            seed: See above, and so on.
            budget: See above.
            start_from: Texts of networks.
            grow_every: See above.
            confirm: See above.
            measure: Tells the latency of a network, in seconds; None where the options ask for
                none.

        Raises:
            MetaqnnError: There are limits, but the space's networks have no known size; the reward
                is of another kind of score, or needs an option that is not given; or a network to
                start from is not in the space.
        """
        if options.reward in OF_LIKELIHOODS and not task.score.is_likelihood:
            raise MetaqnnError(
                f"reward {options.reward} is one of perplexities, and the score is the "
                f"{task.score.name}"
            )
        limited = (options.max_parameters, options.max_flops, options.limit)
        if not space.trainable and any(limited):
            raise MetaqnnError(
                "max-parameters, max-flops and max-latency need networks that read images and can "
                "be built, not only looked up; cells that read texts have match-parameters"
            )
        reward = partial(_reward, REWARDS.find(options.reward), options)
        chance = task.score.chance or 0.0
        failure, slow = (
            reward(Outcome(metrics, (chance,))) for metrics in ({}, {LATENCY: options.limit or inf})
        )
        # charges that exceed chance would make the failure the better network
        is_chance = task.score.chance is not None and not options.score_in_percent
        is_chance = is_chance and not slow < failure
        return cls(
            seed=seed,
            budget=budget,
            reward=reward,
            failure_reward=failure if is_chance else None,
            refuse=partial(_refuse, options, task.shape),
            timing=None if measure is None else Timing(measure, options.limit),
            start_from=tuple(_walk(space, text) for text in start_from),
            grow_every=grow_every,
            score=task.score,
            confirm=confirm,
            objectives=options.costs,
            needs_latency=options.measures_latency,
            costs=partial(known_costs, task.shape) if space.trainable else lambda architecture: {},
        )

    def with_costs(self, space: Space[Any], walk: tuple[Token, ...], outcome: Outcome) -> Outcome:
        """An outcome with what its network is known to cost, where that is an objective."""
        if not self.objectives:
            return outcome
        known = self.costs(space.architecture(walk))
        return replace(outcome, metrics={**known, **outcome.metrics})

    @property
    def time_is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self.deadline

    @property
    def reserve(self) -> int:
        """How many trainings of the budget are for the best networks, again."""
        return reserved(self.budget, self.confirm)

    def spent(self, networks: int) -> str | None:
        """Why no network is new after so many, in a phrase; None while some may be."""
        if networks >= self.budget - self.reserve:
            return "the budget is spent"
        is_late = networks > 0 and time.monotonic() > self.confirm_from
        return "the time for new networks is over" if is_late else None

    def training_seed(self, digest: str, confirmation: int = 0) -> int:
        """The seed of a network's training: who trains it, and when, makes no difference."""
        content = f"{self.seed}:{digest}" + (f":{confirmation}" if confirmation else "")
        return int.from_bytes(hashlib.blake2b(content.encode(), digest_size=8).digest()) >> 1


def digest_of(space: Space[Any], walk: tuple[Token, ...]) -> str:
    """The digest of a walk that an agent proposes.

    Raises:
        MetaqnnError: The walk is not of the space.
    """
    try:
        return space.architecture(walk).digest
    except IllegalMove as error:
        raise MetaqnnError(
            f"the agent proposes what is not of the space that is searched: {error}; an agent is "
            "made for one space"
        ) from error


def _reward(find: Reward, options: RewardOptions, outcome: Outcome) -> float:
    return find(outcome, options)


def _refuse(limits: RewardOptions, input_shape: Shape, architecture: Architecture) -> str | None:
    if limits.max_parameters is None and limits.max_flops is None:
        return None
    cost = total_cost(architecture, input_shape)
    sizes = {
        "parameters": (cost.parameters, limits.max_parameters),
        "FLOPs": (FLOPS_A_MULTIPLY_ADD * cost.multiply_adds, limits.max_flops),
    }
    for name, (size, limit) in sizes.items():
        if limit is not None and size > limit:
            return f"{size:,} {name}, more than {limit:,}"
    return None


def _walk(space: Space[Any], text: str) -> tuple[Token, ...]:
    try:
        walk = space.parse(text)
        stage_of(space, walk)
    except (NotationError, IllegalMove) as error:
        raise MetaqnnError(f"start-from {error}") from None
    return walk
