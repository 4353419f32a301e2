"""The search loop: ask, evaluate, tell, remember."""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from metaqnn.agents.base import Agent, Proposal
from metaqnn.errors import SearchStopped
from metaqnn.evaluators.base import Evaluate, Job, attempt
from metaqnn.executors.base import Executor, WorkerLost
from metaqnn.rewards import is_measured
from metaqnn.rules import Rules
from metaqnn.stopping.base import Stopper
from metaqnn.winners import Winners
from replay import Memory, Outcome, Trial
from state_space import Space, Token, space_size, stage_of

MOST_FAILURES = 10
"""So many networks that fail in a row stop the search: something else is broken."""

PATIENCE = 1000
"""So many proposals in a row without a new network end the search."""

MOST_WAITING = 20
"""So many proposals in a row of running networks, and the agent is not asked until one is done."""


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
        evaluator: Evaluate,
        executor: Executor,
        memory: Memory,
        rules: Rules,
        *,
        winners: Winners | None = None,
        stopper: Stopper | None = None,
        observe: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Restore the agent from the memory.

        Args:
            space: Where to search.
            agent: A new agent.
            evaluator: Scores the networks.
            executor: Where it runs.
            memory: Of the run, new or not.
            rules: What it goes by; the budget counts the networks in the memory too.
            winners: Keeps the weights of the best networks; without it none are kept.
            stopper: Ends hopeless trainings; without it all networks are trained in full.
            observe: Called after every trial.
        """
        self.space = space
        self.agent = agent
        self.evaluator = evaluator
        self.executor = executor
        self.memory = memory
        self.rules = rules
        self.winners = winners
        self.stopper = stopper
        self.observe = observe
        history = list(memory.history())
        agent.restore(memory.snapshot(), history)
        own = [(trial, reward) for trial, reward in history if not trial.imported]
        known = list(memory.trained())
        self.trained = {trial.digest for trial, *_ in known}
        if winners:
            measured = [entry for entry in known if is_measured(entry[1])]
            winners.restore({trial.number: reward for trial, _, reward in measured})
        if stopper:
            for trial, outcome, _ in known:
                stopper.tell(trial, outcome)
        refused, unfinished = memory.refused(), memory.unfinished()
        self.refused = {trial.digest for trial in refused}
        self._proposed = len(own) + len(refused) + len(unfinished)
        self._repeats = _trailing_repeats([trial for trial, _ in own], refused)
        self._failures = 0
        self._running: dict[Future[Outcome], Trial] = {}
        self._waiting: dict[str, list[Trial]] = {}  # for each running network, by digest
        self._waits = 0

    def learn_from(self, experiences: Iterable[Experience]) -> None:
        """Tell the agent of experiences of elsewhere, and remember all of them or none."""
        with self.memory.transaction():
            for walk, outcome in experiences:
                digest = self.space.architecture(walk).digest
                stage = stage_of(self.space, walk)
                trial = self.memory.add(walk, stage, digest, 0, {}, imported=True)
                self._tell(trial, outcome)
            self.memory.keep_snapshot(self.agent.snapshot())

    def run(self) -> str:
        """Search until the budget is spent; returns why it ended, in a phrase.

        Raises:
            SearchStopped: Ten networks in a row failed.
        """
        for trial in self.memory.unfinished():
            self._begin(trial)
        while True:
            while len(self._running) < self.executor.slots and self._may_ask():
                self._propose()
            if not self._running:
                return self._ending() or ""
            finished = self.executor.wait(self._running)
            self._waits = 0
            for future in sorted(finished, key=lambda done: self._running[done].number):
                trial = self._running.pop(future)
                self._finish(trial, _result(future))

    @property
    def stage(self) -> int:
        """How far the space has grown."""
        every = self.rules.grow_every
        return 0 if every is None else len(self.trained) // every

    def _ending(self) -> str | None:
        """Why no network is proposed any more; None while one is."""
        begun = len(self.trained) + len(self._running)
        if begun >= self.rules.budget:
            return "the budget is spent"
        size = space_size(self.space, self.stage)
        if begun + len(self.refused) >= size:
            return f"the space is exhausted, it has {size} architectures"
        if self._repeats >= PATIENCE:
            return f"nothing new came up in {PATIENCE} proposals"
        return None

    def _may_ask(self) -> bool:
        # trials that wait for running networks take no slot, lest workers be idle; but an agent
        # that proposes nothing else cannot know better before it is told something
        return self._waits < MOST_WAITING and self._ending() is None

    def _begin(self, trial: Trial) -> None:
        """Go on with a trial of an interrupted search."""
        with self.memory.transaction():
            settled = self._settle(trial)
            self.memory.keep_snapshot(self.agent.snapshot())
        if not settled:
            self._start(trial)

    def _propose(self) -> None:
        """Ask until a network comes up that is neither trained nor running yet, and start it.

        All of it is one transaction. Other proposals need none of their own: a crash undoes them
        together with the agent's state, from which the same ones come up again.
        """
        with self.memory.transaction():
            trial = self._ask()
            while (settled := self._settle(trial)) and self._may_ask():
                trial = self._ask()
            self.memory.keep_snapshot(self.agent.snapshot())
        if not settled:
            self._start(trial)

    def _ask(self) -> Trial:
        """Record the next proposal: of the person who began the search, then of the agent."""
        if self._proposed < len(self.rules.start_from):
            proposal = Proposal(self.rules.start_from[self._proposed])
            stage = stage_of(self.space, proposal.walk)
        else:
            stage = self.stage
            proposal = self.agent.ask(stage)
        self._proposed += 1
        digest = self.space.architecture(proposal.walk).digest
        seed = self.rules.training_seed(digest)
        return self.memory.add(proposal.walk, stage, digest, seed, proposal.note)

    def _settle(self, trial: Trial) -> bool:
        """Whether a trial needs no training: its network is known, running or refused."""
        if trial.digest in self.trained:
            self._repeat(trial)
            return True
        if trial.digest in self._waiting:
            self._waiting[trial.digest].append(trial)
            self._waits += 1
            return True
        reason = self.rules.refuse(self.space.architecture(trial.walk))
        if reason is None:
            return False
        self.memory.refuse(trial, reason)
        self.refused.add(trial.digest)
        self._repeats += 1
        return True

    def _start(self, trial: Trial) -> None:
        self._repeats = self._waits = 0
        self._waiting[trial.digest] = []
        threshold = self.winners.threshold if self.winners else math.inf
        stopping = self.stopper.rule(trial) if self.stopper else None
        job = Job(self.space.architecture(trial.walk), trial.seed, threshold, stopping)
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
            for twin in self._waiting.pop(trial.digest):
                self._tell(twin, outcome)
            self.memory.keep_snapshot(self.agent.snapshot())
        if self.winners and is_measured(outcome):
            self.winners.record(trial.number, reward)
        if self.stopper:
            self.stopper.tell(trial, outcome)
        self.observe(Event(trial, outcome, reward, len(self.trained), True))
        self._failures = 0 if outcome.error is None else self._failures + 1
        if self._failures >= MOST_FAILURES:
            raise SearchStopped(
                f"{MOST_FAILURES} networks in a row failed, the last one with: {outcome.error}"
            )

    def _tell(self, trial: Trial, outcome: Outcome) -> float:
        reward = self.rules.reward(outcome) if outcome.error is None else self.rules.failure_reward
        self.agent.tell(trial, reward)
        self.memory.finish(trial, outcome, reward)
        return reward


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except WorkerLost as error:
        return Outcome(error=f"WorkerLost: {error}")


def _trailing_repeats(told: Iterable[Trial], refused: Iterable[Trial]) -> int:
    """How many of the last trials brought nothing new."""
    seen = {trial.digest for trial in refused}
    repeats = 0
    for trial in sorted([*told, *refused], key=lambda trial: trial.number):
        repeats = repeats + 1 if trial.digest in seen else 0
        seen.add(trial.digest)
    return repeats
