"""The search loop: ask, evaluate, tell, remember."""

import hashlib
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from metaqnn.agents.base import Agent
from metaqnn.errors import SearchStopped
from metaqnn.evaluators.base import Evaluator, Job, attempt
from metaqnn.executors.base import Executor
from metaqnn.winners import Winners
from replay import Memory, Outcome, Trial
from state_space import Space, Token, count_architectures

MOST_FAILURES = 10
"""So many networks that fail in a row stop the search: something else is broken."""

PATIENCE = 1000
"""So many proposals in a row without a new network end the search."""


Experience = tuple[tuple[Token, ...], Outcome]
"""A walk, and what came of it elsewhere."""


@dataclass(frozen=True)
class Event:
    """A trial has finished.

    Attributes:
        trial: Which.
        outcome: What came of it.
        reward: What the agent was told.
        trained: Distinct networks trained so far.
        is_new: False where an equal network was trained before.
    """

    trial: Trial
    outcome: Outcome
    reward: float
    trained: int
    is_new: bool


class Search:
    """A search of one run; make it anew, over the same memory, to resume."""

    def __init__(
        self,
        space: Space[Any],
        agent: Agent,
        evaluator: Evaluator,
        executor: Executor,
        memory: Memory,
        *,
        seed: int,
        budget: int,
        failure_reward: float,
        winners: Winners | None = None,
        observe: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Restore the agent from the memory.

        Args:
            space: Where to search.
            agent: A new agent.
            evaluator: Scores the networks.
            executor: Where it runs.
            memory: Of the run, new or not.
            seed: Of the run.
            budget: Distinct networks to train, those in the memory included.
            failure_reward: Reward of a network that fails.
            winners: Keeps the weights of the best networks; without it none are kept.
            observe: Called after every trial.
        """
        self.space = space
        self.agent = agent
        self.evaluator = evaluator
        self.executor = executor
        self.memory = memory
        self.seed = seed
        self.failure_reward = failure_reward
        self.winners = winners
        self.observe = observe
        history = list(memory.history())
        agent.restore(memory.snapshot(), history)
        own = [(trial, reward) for trial, reward in history if not trial.imported]
        first = {trial.digest: (trial.number, reward) for trial, reward in reversed(own)}
        self.trained = set(first)
        if winners:
            winners.restore(dict(first.values()))
        self.budget = budget
        self._size = count_architectures(space)
        self._repeats = _trailing_repeats([trial for trial, _ in own])
        self._failures = 0
        self._running: dict[Future[Outcome], Trial] = {}
        self._waiting: dict[str, list[Trial]] = {}

    def learn_from(self, experiences: Iterable[Experience]) -> None:
        """Tell the agent of experiences of elsewhere, and remember all of them or none."""
        with self.memory.transaction():
            for walk, outcome in experiences:
                digest = self.space.architecture(walk).digest
                trial = self.memory.add(walk, 0, digest, 0, {}, imported=True)
                self._tell(trial, outcome)
            self.memory.keep_snapshot(self.agent.snapshot())

    def run(self) -> str:
        """Search until the budget is spent; returns why it ended, in a phrase.

        Raises:
            SearchStopped: Ten networks in a row failed.
        """
        for trial in self.memory.unfinished():
            self._start(trial)
        while True:
            while (ending := self._ending()) is None and self._has_free_slot():
                self._propose()
            if not self._running:
                return ending or ""
            finished = self.executor.wait(self._running)
            for future in sorted(finished, key=lambda done: self._running[done].number):
                trial = self._running.pop(future)
                self._finish(trial, future.result())

    def reward(self, outcome: Outcome) -> float:
        """The best validation score of all epochs; the failure reward where there is none."""
        return max(outcome.curve) if outcome.error is None else self.failure_reward

    def _ending(self) -> str | None:
        """Why no network is proposed any more; None while one is."""
        begun = len(self.trained) + len(self._running)
        if begun >= self.budget:
            return "the budget is spent"
        if begun >= self._size:
            return f"the space is exhausted, it has {self._size} architectures"
        if self._repeats >= PATIENCE:
            return f"nothing new came up in {PATIENCE} proposals"
        return None

    def _has_free_slot(self) -> bool:
        # a trial that waits for an equal one takes a slot, lest an agent propose nothing else
        waiting = sum(map(len, self._waiting.values()))
        return len(self._running) + waiting < self.executor.slots

    def _propose(self) -> None:
        """Ask until a network comes up that is not trained yet, and start it.

        All of it is one transaction. Repeated networks need none of their own: a crash undoes them
        together with the agent's state, from which the same ones come up again.
        """
        with self.memory.transaction():
            trial = self._ask()
            while trial.digest in self.trained:
                self._repeat(trial)
                if self._ending() is not None:
                    self.memory.keep_snapshot(self.agent.snapshot())
                    return
                trial = self._ask()
            self.memory.keep_snapshot(self.agent.snapshot())
        self._start(trial)

    def _ask(self) -> Trial:
        proposal = self.agent.ask()
        digest = self.space.architecture(proposal.walk).digest
        seed = training_seed(self.seed, digest)
        return self.memory.add(proposal.walk, 0, digest, seed, proposal.note)

    def _start(self, trial: Trial) -> None:
        if trial.digest in self.trained:
            with self.memory.transaction():
                self._repeat(trial)
                self.memory.keep_snapshot(self.agent.snapshot())
        elif trial.digest in (running.digest for running in self._running.values()):
            self._repeats += 1
            self._waiting.setdefault(trial.digest, []).append(trial)
        else:
            self._repeats = 0
            threshold = self.winners.threshold if self.winners else math.inf
            job = Job(self.space.architecture(trial.walk), trial.seed, threshold)
            self._running[self.executor.submit(attempt, self.evaluator, job)] = trial

    def _repeat(self, trial: Trial) -> None:
        """Tell the agent again of a network that was trained before."""
        known = self.memory.outcome(trial.digest)
        assert known is not None, "a trained network has an outcome"
        self._repeats += 1
        reward = self._tell(trial, known)
        self.observe(Event(trial, known, reward, len(self.trained), False))

    def _finish(self, trial: Trial, outcome: Outcome) -> None:
        """Take in a training, and tell the agent of it and of the trials that waited for it."""
        if self.winners and outcome.weights is not None:
            self.winners.write(trial.number, outcome.weights)
        with self.memory.transaction():
            reward = self._tell(trial, outcome)
            self.trained.add(trial.digest)
            for twin in self._waiting.pop(trial.digest, []):
                self._tell(twin, outcome)
            self.memory.keep_snapshot(self.agent.snapshot())
        if self.winners:
            self.winners.record(trial.number, reward)
        self.observe(Event(trial, outcome, reward, len(self.trained), True))
        self._failures = 0 if outcome.error is None else self._failures + 1
        if self._failures >= MOST_FAILURES:
            raise SearchStopped(
                f"{MOST_FAILURES} networks in a row failed, the last one with: {outcome.error}"
            )

    def _tell(self, trial: Trial, outcome: Outcome) -> float:
        reward = self.reward(outcome)
        self.agent.tell(trial, reward)
        self.memory.finish(trial, outcome, reward)
        return reward


def training_seed(run_seed: int, digest: str) -> int:
    """The seed of a network's training: who trains it, and when, makes no difference."""
    content = f"{run_seed}:{digest}".encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) >> 1


def _trailing_repeats(trials: list[Trial]) -> int:
    """How many of the last trials brought nothing new."""
    seen: set[str] = set()
    repeats = 0
    for trial in sorted(trials, key=lambda trial: trial.number):
        repeats = repeats + 1 if trial.digest in seen else 0
        seen.add(trial.digest)
    return repeats
