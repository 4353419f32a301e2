"""The best networks of a search are trained again, until it is sure which of them is the best.

Kalyanakrishnan, Tewari, Auer & Stone 2012, "PAC Subset Selection in Stochastic Multi-armed
Bandits" (ICML), section 3: LUCB, for one best arm. The arms are a few networks, a pull is a
training with another seed. An arm's interval is that of a mean of normal rewards, whose deviation
is estimated from all networks that were trained several times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import sqrt

import numpy as np

from replay import Outcome, Trial

DEVIATIONS = 1.0
"""Half the length of an interval, in standard errors of the mean.

Longer ones take more trainings and hand over nothing better: docs/confirm.md."""


@dataclass
class Arm:
    """A network that may be the best.

    Attributes:
        trial: With which it was trained first.
        rewards: Of its trainings, the first one first.
        begun: How often it was trained again, those that are not told of yet counted.
        failed: Whether such a training failed. That says nothing of how good the network is, but
            it is out of the race.
    """

    trial: Trial
    rewards: list[float]
    begun: int = 0
    failed: bool = False

    @property
    def mean(self) -> float:
        """Of the rewards."""
        return sum(self.rewards) / len(self.rewards)


class Confirmation:
    """Says which network is to be trained again.

    Attributes:
        size: How many networks are in the race: those whose first trainings have the highest
            rewards.
        reserve: How many trainings there are for it.
        arms: By digest, in the order told: all networks whose rewards are measured.
        told: Trainings that have ended.
        running: Those that have not, by their number.
    """

    def __init__(self, size: int, reserve: int) -> None:
        """Nothing is told yet."""
        self.size = size
        self.reserve = reserve
        self.arms: dict[str, Arm] = {}
        self.told = 0
        self.running: dict[int, Trial] = {}

    @property
    def begun(self) -> int:
        """Trainings that have ended or not."""
        return self.told + len(self.running)

    @property
    def is_spent(self) -> bool:
        """Whether there are no more trainings."""
        return self.begun >= self.reserve

    def first(self, trial: Trial) -> Trial:
        """The one with which a trial's network was trained first."""
        return self.arms[trial.digest].trial if trial.confirmation else trial

    def begin(self, trial: Trial) -> None:
        """A network is being trained again."""
        self.running[trial.number] = trial
        arm = self.arms[trial.digest]
        arm.begun = max(arm.begun, trial.confirmation)

    def tell(self, trial: Trial, outcome: Outcome, reward: float) -> None:
        """Take in what came of a network, or of one that was trained again."""
        if not trial.confirmation:
            if outcome.error is None and outcome.is_measured:
                self.arms[trial.digest] = Arm(trial, [reward])
            return
        self.running.pop(trial.number, None)
        self.told += 1
        arm = self.arms[trial.digest]
        arm.begun = max(arm.begun, trial.confirmation)
        if outcome.error is None:
            arm.rewards.append(reward)
        else:
            arm.failed = True

    def choose(self) -> Arm | None:
        """The network to train again next.

        First each of the race once; then of the one with the highest mean and of its challenger,
        the other one that may be the highest, the one that was trained less often.

        Returns:
            None where the reserve is spent, or it is sure which network is the best: it is no
            worse than any other even if all are at the far ends of their intervals.
        """
        if self.is_spent:
            return None
        ranked = sorted(self.arms.values(), key=lambda arm: -arm.rewards[0])
        race = list(islice((arm for arm in ranked if not arm.failed), self.size))
        for arm in race:
            if arm.begun == 0:
                return arm
        if len(race) < 2:
            return None
        deviation = pooled_deviation([arm.rewards for arm in self.arms.values()])
        width = DEVIATIONS * (deviation or 0.0)

        def bound(arm: Arm, side: int) -> float:
            return arm.mean + side * width / sqrt(len(arm.rewards))

        leader = max(race, key=lambda arm: arm.mean)
        challenger = max((arm for arm in race if arm is not leader), key=lambda arm: bound(arm, 1))
        if deviation is not None and bound(leader, -1) >= bound(challenger, 1):
            return None
        return min(leader, challenger, key=lambda arm: arm.begun)


def pooled_deviation(groups: Iterable[Sequence[float]]) -> float | None:
    """The deviation of values from the means of their groups; None where no group has two."""
    several = [np.array(group) for group in groups if len(group) > 1]
    if not several:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in several)
    return sqrt(squares / sum(len(group) - 1 for group in several))


def standing(trainings: int, reward: float) -> tuple[bool, float]:
    """Where a network stands among others, the higher the better, by its trainings' mean reward.

    Networks that were trained again stand above those that had the luck of a single training.
    """
    return trainings > 1, reward
