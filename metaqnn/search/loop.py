"""The search loop: ask, evaluate, tell, remember."""

import math
from collections.abc import Callable, Iterable
from itertools import chain
from operator import attrgetter
from typing import Any

from metaqnn.agents.base import Agent, Proposal, restore_agent
from metaqnn.agents.experience import Experience
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluate, Job
from metaqnn.executors.base import Executor
from metaqnn.search.confirmation import Confirmation
from metaqnn.search.events import Event, count_repeats
from metaqnn.search.failures import Failures
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.latency import Latencies
from metaqnn.search.rules import Rules, digest_of
from metaqnn.search.told import Told
from metaqnn.search.trainings import NEVER_ENDED, Trainings
from metaqnn.stopping.base import Stopper
from replay import Memory, Outcome, Trial
from state_space import Space, stage_of

PATIENCE = 1000
"""So many proposals in a row without a new network end the search."""

MOST_WAITING = 20
"""So many proposals in a row of running networks, and the agent is not asked until one is done."""


class Search:
    """A search of one run; make it anew, over the same memory, to resume.

    `run` is the loop. Who trains the networks in a way of their own uses its two steps instead,
    `ask` and `tell`, and may go on with `run`.
    """

    def __init__(
        self,
        space: Space[Any],
        agent: Agent,
        evaluator: Evaluate,
        executor: Executor,
        memory: Memory,
        rules: Rules,
        *,
        kept: KeptWeights | None = None,
        stopper: Stopper | None = None,
        observe: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Restore the agent from the memory.

        Args:
            space: Where to search.
            agent: A new agent.
            evaluator: Scores the networks in `run`.
            executor: Where it runs.
            memory: Of the run, new or not.
            rules: What it goes by; the budget counts the networks in the memory too.
            kept: Keeps the weights of the best networks; without it none are kept.
            stopper: Ends hopeless trainings; without it all networks are trained in full.
            observe: Called after every trial.
        """
        self.space = space
        self.agent = agent
        self.evaluator = evaluator
        self.executor = executor
        self.memory = memory
        self.rules = rules
        self.kept = kept
        self.stopper = stopper
        self.observe = observe
        self._told = Told(rules.objectives, agent)
        restore_agent(agent, memory.snapshot(), self._told.history(memory))
        own = [(trial, reward) for trial, reward in memory.history() if not trial.imported]
        known = list(memory.trained())
        self.trained = {trial.digest for trial, *_ in known}
        self.confirmation = Confirmation(rules.confirm, rules.reserve)
        for entry in chain(known, memory.confirmations()):
            self.confirmation.tell(*entry)
        if kept:
            told, first = chain(known, memory.confirmations()), self.confirmation.first
            kept.restore((first(trial).number, outcome, reward) for trial, outcome, reward in told)
        if stopper:
            for trial, outcome, _ in known:
                stopper.tell(trial, outcome)
        refused, self._left = memory.refused(), memory.unfinished()
        self.refused = {trial.digest for trial in refused}
        self._proposed = len(own) + len(refused) + sum(not one.confirmation for one in self._left)
        self._repeats = count_repeats([trial for trial, _ in own], refused)
        self.latencies = Latencies(memory, rules)
        self._failures = Failures(rules, (reward for _, reward in own))
        self._asked: dict[str, list[Trial]] = {}  # by digest: to be trained, then what equals it
        self._waits = 0

    def learn_from(self, experiences: Iterable[Experience]) -> None:
        """Tell the agent of experiences of elsewhere, and remember all of them or none."""
        with self.memory.transaction():
            for walk, outcome in experiences:
                digest, stage = digest_of(self.space, walk), stage_of(self.space, walk)
                trial = self.memory.add(walk, stage, digest, 0, {}, imported=True)
                self._tell(trial, self.rules.with_costs(self.space, walk, outcome))
            self.memory.keep_snapshot(self.agent.snapshot())

    def run(self) -> str:
        """Search until the budget is spent; returns why it ended, in a phrase.

        What was asked for and not told of is trained too.

        Raises:
            SearchStopped: Ten networks in a row failed.
        """
        asked = [*chain(*self._asked.values()), *self.confirmation.running.values()]
        self._left = sorted([*asked, *self._left], key=attrgetter("number"))
        self._asked.clear()
        self.confirmation.running.clear()
        trainings = Trainings(self.executor, self.evaluator, self.memory, self.rules.score)
        while True:
            while not trainings.are_full and (trial := self._next(trainings)):
                trainings.begin(trial, self._job(trial))
            if not trainings.running:
                return self.ending or ""
            for trial, outcome in trainings.wait():
                self.tell(trial, outcome)

    def _next(self, trainings: Trainings) -> Trial | None:
        """The next trial to be trained here."""
        while True:
            with self.memory.transaction():  # one for both
                trial = self.ask()
                if trial is None or trainings.may_begin(trial):
                    return trial
            self.tell(trial, Outcome(error=NEVER_ENDED))

    def ask(self) -> Trial | None:
        """The next trial whose network is to be trained; None where `ending` says why not.

        May be called several times before `tell`. First come those of an interrupted search. What
        needs no training is settled on the way: networks that are known, or refused.
        """
        if self.ending is not None:
            return None
        settled = True
        # one transaction for all: a crash undoes it together with the agent's state, from which
        # the same proposals come up again
        with self.memory.transaction():
            while settled and self.ending is None:
                trial = self._left.pop(0) if self._left else self._propose()
                settled = not trial.confirmation and self._settle(trial)
            self.memory.keep_snapshot(self.agent.snapshot())
        if settled:
            return None
        self._begin(trial)
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take in what came of a trial, and tell the agent of it and of what equals it; durably.

        Raises:
            MetaqnnError: The trial was told already, or no such trial was asked for.
            SearchStopped: Ten networks in a row failed; the outcome is taken in.
        """
        if trial in self._left:  # of an interrupted search, and somebody knows it still
            self._left.remove(trial)
            self._begin(trial)
        running = self.confirmation.running.values()
        if trial not in (*self._asked.get(trial.digest, ())[:1], *running):
            known = "told already" if trial.digest in self.trained else "never asked for here"
            raise MetaqnnError(f"network {trial.number} was {known}")
        outcome = self.rules.with_costs(self.space, trial.walk, outcome)
        outcome = self.latencies.add(trial.digest, outcome)
        reward = self._failures.reward(outcome)
        number = self.confirmation.first(trial).number
        if self.kept and outcome.weights is not None:
            self.kept.write(number, outcome.weights, reward)
        with self.memory.transaction():
            self._tell(trial, outcome)
            self.trained.add(trial.digest)
            for twin in () if trial.confirmation else self._asked.pop(trial.digest)[1:]:
                self._tell(twin, outcome)
            self.memory.keep_snapshot(self.agent.snapshot())
        self._waits = 0
        self.confirmation.tell(trial, outcome, reward)
        if self.kept:
            self.kept.record(number, outcome, reward)
        if self.stopper and not trial.confirmation:
            self.stopper.tell(trial, outcome)
        self.observe(Event(trial, outcome, reward, self.trainings, True))
        self._failures.count(outcome)

    @property
    def trainings(self) -> int:
        """How many have ended: of distinct networks, and of the best of them again."""
        return len(self.trained) + self.confirmation.told

    @property
    def stage(self) -> int:
        """How far the space has grown, unless the agent decides that."""
        return len(self.trained) // self.rules.grow_every if self.rules.grow_every else 0

    @property
    def ending(self) -> str | None:
        """Why no network is asked for any more, in a phrase; None while one is."""
        if (self.trained or self.refused) and self.rules.time_is_over:
            return "the time for the search is over"
        if self._left:
            return None
        ending, confirmation = self._last_proposal, self.confirmation
        begun = self.trainings + len(self._asked) + len(confirmation.running)
        if ending is None or begun >= self.rules.budget or confirmation.is_spent:
            return ending
        if self._asked:
            return "the best are trained again when all others are told of"
        return None if confirmation.choose() else "it is sure enough which network is the best"

    @property
    def _last_proposal(self) -> str | None:
        """Why the agent is asked no more, in a phrase; None while it is."""
        begun = len(self.trained) + len(self._asked)
        if spent := self.rules.spent(begun):
            return spent
        if (self._repeats or self._waits) and not self.agent.decides_stage:  # counting takes time
            size = self.space.size(self.stage)
            if size is not None and begun + len(self.refused) >= size:
                return f"the space is exhausted, it has {size} architectures"
        if self._repeats >= PATIENCE:
            return f"nothing new came up in {PATIENCE} proposals"
        # an agent that proposes nothing else cannot know better before it is told something
        if self._waits >= MOST_WAITING:
            return f"the last {MOST_WAITING} proposals wait for networks that are not told of yet"
        return None

    def _propose(self) -> Trial:
        """Record what is next: of the person who began the search, of the agent; then the best."""
        if self._last_proposal is not None:
            return self._propose_again()
        if self._proposed < len(self.rules.start_from):
            proposal = Proposal(self.rules.start_from[self._proposed])
            stage = stage_of(self.space, proposal.walk)
        else:
            proposal = self.agent.ask(self.stage)
            stage = self.stage if proposal.stage is None else proposal.stage
        self._proposed += 1
        digest = digest_of(self.space, proposal.walk)
        seed = self.rules.training_seed(digest)
        return self.memory.add(proposal.walk, stage, digest, seed, proposal.note)

    def _propose_again(self) -> Trial:
        arm = self.confirmation.choose()
        assert arm is not None, "`ending` has asked"
        best, count = arm.trial, arm.begun + 1
        seed = self.rules.training_seed(best.digest, count)
        return self.memory.add(best.walk, best.stage, best.digest, seed, {}, confirmation=count)

    def _settle(self, trial: Trial) -> bool:
        """Whether a trial needs no training: its network is known, running or refused."""
        if trial.digest in self.trained:
            self._repeat(trial)
            return True
        if trial.digest in self._asked:
            self._asked[trial.digest].append(trial)
            self._waits += 1
            return True
        reason = self.latencies.refuse(self.space.architecture(trial.walk))
        if reason is None:
            return False
        self.memory.refuse(trial, reason)
        self.refused.add(trial.digest)
        self._repeats += 1
        return True

    def _begin(self, trial: Trial) -> None:
        if trial.confirmation:
            self.confirmation.begin(trial)
            return
        self._repeats = self._waits = 0
        self._asked[trial.digest] = [trial]

    def _job(self, trial: Trial) -> Job:
        threshold = self.kept.threshold(trial) if self.kept else math.inf
        stopping = self.stopper.rule(trial) if self.stopper and not trial.confirmation else None
        network, reward = self.space.architecture(trial.walk), self.latencies.reward(trial.digest)
        return Job(network, trial.seed, threshold, stopping, reward)

    def _repeat(self, trial: Trial) -> None:
        """Tell the agent again of a network that was trained before."""
        known = self.memory.outcome(trial.digest)
        assert known is not None, "a trained network has an outcome"
        self._repeats += 1
        self.observe(Event(trial, known, self._tell(trial, known), self.trainings, False))

    def _tell(self, trial: Trial, outcome: Outcome) -> float:
        """Remember what came of a trial, and tell the agent; not of what it cannot know."""
        reward = self._failures.reward(outcome)
        if not trial.confirmation:
            self.agent.tell(trial, self._told.of(outcome, reward))
        self.memory.finish(trial, outcome, reward)
        return reward
