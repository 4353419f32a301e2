"""The executor of simulations: workers on a virtual clock, whose trainings take no real time."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from heapq import heappop, heappush, heapreplace
from math import log
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import numpy as np

from metaqnn.executors.base import WorkerLost

P = ParamSpec("P")
R = TypeVar("R")


class Virtual:
    """Calls at once, and hands the result over when the clock says so.

    How long a call takes, and whether its worker is lost, is a function of the seed of its last
    argument, a `Job`: whoever runs it, and when. Durations are log-normal. The clock goes on to the
    next result when the search waits; while the search thinks it stands still, or shows real time.

    Attributes:
        slots: Workers.
        real_time: Whether the clock goes on while the search thinks.
        clock: Seconds since the start.
        starts: When each call began, in the order of submission.
        ends: When each ended.
        thinking: Real seconds that the search took before it waited for each result, evaluations
            left out.
    """

    isolates = True

    def __init__(
        self,
        slots: int,
        *,
        mean: float = 1200,
        sigma: float = 0.5,
        lost: float = 1 / 200,
        real_time: bool = False,
    ) -> None:
        """Start the workers.

        Args:
            slots: Workers.
            mean: Of the durations, in seconds.
            sigma: Standard deviation of their logarithms.
            lost: The probability that a call's worker is lost, twice.
            real_time: Whether the clock goes on while the search thinks.
        """
        self.slots = slots
        self.clock = 0.0
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.thinking: list[float] = []
        self._location = log(mean) - sigma**2 / 2
        self._sigma = sigma
        self._lost = lost
        self.real_time = real_time
        self._free = [0.0] * slots  # when each worker has done all that was submitted
        self._running: list[tuple[float, int, Future[Any]]] = []
        self._woken = perf_counter()

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call; the first worker that is free begins."""
        began = perf_counter()
        seed: int = args[1].seed  # type: ignore[attr-defined]  # what is called gets a job second
        generator = np.random.default_rng([seed, 1])  # the evaluator may draw from the seed alone
        duration = generator.lognormal(self._location, self._sigma)
        future: Future[R] = Future()
        if generator.random() < self._lost:
            future.set_exception(WorkerLost("the virtual worker was lost twice"))
        else:
            future.set_result(fn(*args, **kwargs))
        now = self.clock + (began - self._woken if self.real_time else 0)
        start = max(now, self._free[0])
        heapreplace(self._free, start + duration)
        heappush(self._running, (start + duration, len(self.starts), future))
        self.starts.append(start)
        self.ends.append(start + duration)
        self._woken += perf_counter() - began
        return future

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Set the clock to the next result, and return it alone."""
        thought = perf_counter() - self._woken
        self.thinking.append(thought)
        end, _, future = heappop(self._running)
        self.clock = max(end, self.clock + thought) if self.real_time else end
        self._woken = perf_counter()
        return {future}

    def shutdown(self) -> None:
        """There is nothing to end."""

    @property
    def busy(self) -> float:
        """The share of all workers' time that they worked, until the last call began.

        What is idle afterwards, when there is no network left to start, is not the search's fault.
        """
        starts, last = np.array(self.starts), max(self.starts)
        worked = np.minimum(self.ends, last) - starts
        return float(worked.sum() / (self.slots * last))
