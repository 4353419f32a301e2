"""The epsilon schedule: how much to explore, by the number of distinct networks trained."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from metaqnn.errors import MetaqnnError

PAPER = "1.0:1500,0.9:100,0.8:100,0.7:100,0.6:150,0.5:150,0.4:150,0.3:150,0.2:150,0.1:150"
"""Baker et al. 2017, table 2: 2,700 distinct networks."""

BLOCK_QNN = "1.0:6080,0.9:448,0.8:448,0.7:448,0.6:640,0.5:640,0.4:640,0.3:640,0.2:640,0.1:768"
"""Zhong et al. 2018: 178 iterations of 64 blocks, 11,392 in all."""

FORM = "EPSILON:NETWORKS,... with falling epsilons from 0 to 1, such as 1.0:20,0.5:10,0.1:10"


@dataclass(frozen=True)
class EpsilonSchedule:
    """Steps of (epsilon, distinct networks); after the last step its epsilon stays."""

    steps: tuple[tuple[float, int], ...]

    @classmethod
    def parse(cls, text: str) -> "EpsilonSchedule":
        """The schedule of a text such as "1.0:20,0.5:10,0.1:10".

        Raises:
            MetaqnnError: The text is malformed, an epsilon is not in 0 to 1, or epsilon rises.
        """
        steps = []
        for part in text.split(","):
            epsilon, _, networks = part.strip().partition(":")
            try:
                steps.append((float(epsilon), int(networks)))
            except ValueError:
                raise MetaqnnError(f"epsilon schedule {text!r}: {part!r} is not {FORM}") from None
            if not 0 <= steps[-1][0] <= 1:
                raise MetaqnnError(f"epsilon schedule {text!r}: {epsilon} is not from 0 to 1")
            if steps[-1][1] < 1:
                raise MetaqnnError(f"epsilon schedule {text!r}: {part!r} is for no network")
            if len(steps) > 1 and steps[-1][0] >= steps[-2][0]:
                raise MetaqnnError(
                    f"epsilon schedule {text!r}: epsilon must fall, "
                    f"but {epsilon} follows {steps[-2][0]}"
                )
        return cls(tuple(steps))

    @classmethod
    def scaled(cls, budget: int, schedule: str = PAPER) -> "EpsilonSchedule":
        """A schedule's proportions over a budget of distinct networks, to the unit."""
        whole = cls.parse(schedule)
        steps = []
        before = 0
        for epsilon, networks in whole.steps:
            after = before + networks
            share = round(budget * after / whole.total) - round(budget * before / whole.total)
            if share:
                steps.append((epsilon, share))
            before = after
        return cls(tuple(steps) or ((1.0, 1),))

    @classmethod
    def practical(cls, budget: int) -> "EpsilonSchedule":
        """A short random phase, ten networks or a fifth of the budget; then an epsilon of 0.5."""
        first = max(1, min(10, budget // 5))
        return cls(((1.0, first), (0.5, max(1, budget - first))))

    @property
    def total(self) -> int:
        """The number of distinct networks in all steps."""
        return sum(networks for _, networks in self.steps)

    def epsilon(self, trained: int) -> float:
        """Epsilon for the next network, after so many distinct ones."""
        for epsilon, networks in self.steps:
            if trained < networks:
                return epsilon
            trained -= networks
        return self.steps[-1][0]

    def __str__(self) -> str:
        """The text that `parse` reads."""
        return ",".join(f"{epsilon}:{networks}" for epsilon, networks in self.steps)


FOR_BUDGET: dict[str, Callable[[int], EpsilonSchedule]] = {
    "scaled": EpsilonSchedule.scaled,
    "practical": EpsilonSchedule.practical,
    "block-qnn-scaled": partial(EpsilonSchedule.scaled, schedule=BLOCK_QNN),
}
"""Schedules that are made for a budget."""

WRITTEN_OUT = {"paper": PAPER, "block-qnn": BLOCK_QNN}
"""Schedules of so many networks as they say."""
