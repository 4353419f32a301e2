"""The trainings that run, wherever that is."""

from collections.abc import Iterator
from concurrent.futures import Future

from metaqnn.evaluators.base import Evaluate, Job, attempt
from metaqnn.executors.base import Executor, WorkerLost
from metaqnn.task import Score
from replay import Memory, Outcome, Trial

MOST_BEGINNINGS = 2
"""So often a training that takes the search's own process with it is begun."""

NEVER_ENDED = (
    "its training was begun twice and never ended: it ended the process, maybe for lack of memory; "
    "--executor processes keeps such a network away from the search"
)


class Trainings:
    """Trainings in an executor, and their trials."""

    def __init__(
        self, executor: Executor, evaluator: Evaluate, memory: Memory, score: Score
    ) -> None:
        """None runs; the score is theirs."""
        self.executor = executor
        self.evaluator = evaluator
        self.memory = memory
        self.score = score
        self.running: dict[Future[Outcome], Trial] = {}

    @property
    def are_full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self.running) >= self.executor.slots

    def may_begin(self, trial: Trial) -> bool:
        """Record that a training begins; whether it may: it has not ended this process twice."""
        return self.executor.isolates or self.memory.begin(trial) < MOST_BEGINNINGS

    def begin(self, trial: Trial, job: Job) -> None:
        """Begin a training."""
        try:
            future = self.executor.submit(attempt, self.evaluator, job, self.score)
        except BaseException:  # Ctrl-C ends a training as it should be ended
            self.memory.end(trial)
            raise
        self.running[future] = trial

    def wait(self) -> Iterator[tuple[Trial, Outcome]]:
        """Wait until some have ended, and yield what came of them, in the order of the trials."""
        finished = self.executor.wait(self.running)
        for future in sorted(finished, key=lambda done: self.running[done].number):
            yield self.running.pop(future), _result(future)


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except WorkerLost as error:
        return Outcome(error=f"WorkerLost: {error}")
