"""The laws of spaces, agents and evaluators, for whoever makes a part of their own.

Each function raises AssertionError with what is wrong; docs/extending.md shows how to call them.
"""

import json
import math
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from metaqnn.agents.base import Agent
from metaqnn.evaluators.base import Evaluate, Job, attempt
from metaqnn.task import Score
from replay import Outcome, Trial
from state_space import Architecture, IllegalMove, Space, legal_walk, random_walk

Walk = tuple[str, ...]
MakeAgent = Callable[[Space[Any], int], Agent]
"""Makes a new agent of a space and a seed."""


def sample_walks(space: Space[Any], count: int = 50, seed: int = 0, stage: int = 0) -> list[Walk]:
    """Random walks, the same for the same seed."""
    generator = np.random.default_rng(seed)
    return [random_walk(space, generator, stage) for _ in range(count)]


def check_space(space: Space[Any], walks: Sequence[Walk] | None = None) -> None:
    """All laws of a space."""
    walks = sample_walks(space) if walks is None else walks
    check_walks(space, walks)
    check_refusals(space, walks)
    check_texts(space, walks)
    check_rows(space, walks)
    if space.trainable:
        check_ops(space, walks)


def check_walks(space: Space[Any], walks: Sequence[Walk]) -> None:
    """Random walks are legal; options are distinct and in the vocabulary; states do not change."""
    for walk in walks:
        for state, decision, token in legal_walk(space, walk):
            options = decision.options
            assert options, f"a decision in {state} has no options"
            assert len(set(options)) == len(options), f"options of {state} are twice there"
            kind = space.vocabulary.get(decision.kind)
            assert kind is not None, f"{decision.kind} is no kind of decision of the vocabulary"
            assert set(options) <= set(kind), f"{set(options) - set(kind)} are in no vocabulary"
            assert token in options
            assert space.decision(state) == decision, f"{state} gives another decision when asked"
            assert space.step(state, token) == space.step(state, token)
            assert hash(state) == hash(state)


def check_refusals(space: Space[Any], walks: Sequence[Walk]) -> None:
    """Illegal, short and long walks are refused, and the message names the position."""
    for walk in walks:
        for wrong, position in (
            ((*walk, walk[-1]), len(walk) + 1),
            (walk[:-1], len(walk)),
            (("nonsense", *walk[1:]), 1),
        ):
            try:
                space.architecture(wrong)
            except IllegalMove as error:
                assert f"position {position}" in str(error), f"{error}: not position {position}"
            else:
                raise AssertionError(f"{wrong} is no walk and is not refused")


def check_texts(space: Space[Any], walks: Sequence[Walk]) -> None:
    """A network comes back from its texts; different networks have different texts and digests."""
    texts: dict[str, str] = {}
    for walk in walks:
        architecture = space.architecture(walk)
        assert space.architecture(walk).digest == architecture.digest
        for text in {space.text(walk), architecture.text}:
            parsed = space.parse(text)
            found = space.architecture(parsed)
            assert found == architecture, f"{text!r} comes back as {found.text!r}"
        text = space.text(walk)
        assert texts.setdefault(text, architecture.digest) == architecture.digest, (
            f"{text!r} is the text of two networks"
        )
    assert len(set(texts.values())) == len(texts), "networks of different texts have one digest"


def check_rows(space: Space[Any], walks: Sequence[Walk]) -> None:
    """States of one row of a Q-table have one decision; rows and actions are named tuples."""
    rows: dict[Any, Any] = {}
    for walk in walks:
        for state, decision, token in legal_walk(space, walk):
            row: Any = space.observation(state)
            fields = getattr(row, "_fields", None)
            assert fields, f"the observation {row!r} is no NamedTuple"
            assert rows.setdefault(row, decision) == decision, f"{row} has two decisions"
            assert getattr(space.action(token), "_fields", None), f"{token}: action no NamedTuple"
            layer = space.layer(row)
            assert isinstance(layer, int) and layer >= 0, f"layer of {row} is {layer!r}"
    size = space.size()
    assert size is None or size >= len(set(walks)), f"size is {size}, too few"


def check_ops(space: Space[Any], walks: Sequence[Walk]) -> None:
    """Every layer of a trainable space's networks is known."""
    from metaqnn.networks.ops import OPS

    for walk in walks:
        for node in space.architecture(walk).expanded.nodes:
            assert node.op in OPS, f"{node.text}: there is no layer {node.op}"


def check_agent(make_agent: MakeAgent, space: Space[Any]) -> None:
    """All laws of an agent on a space.

    Args:
        make_agent: Makes a new one.
        space: Where it searches.
    """
    check_proposals(make_agent, space)
    check_seeds(make_agent, space)
    for steps in (0, 1, 7):
        check_restoring(make_agent, space, steps)
    check_order(make_agent, space)
    check_strangers(make_agent, space)
    check_generators(make_agent, space)


def score_walk(walk: Walk) -> float:
    """A reward between 0 and 1 that depends on the walk alone."""
    return (sum(map(ord, "".join(walk))) % 97) / 97


def make_trial(
    number: int,
    walk: Walk,
    space: Space[Any],
    *,
    stage: int = 0,
    note: Mapping[str, float] | None = None,
    imported: bool = False,
) -> Trial:
    """A finished trial of a walk."""
    digest = space.architecture(walk).digest
    return Trial(number, walk, stage, digest, 0, note or {}, imported)


def ask(agent: Agent, space: Space[Any], number: int = 0) -> Trial:
    """What the agent proposes, which is legal, as a trial."""
    proposal = agent.ask()
    stage = proposal.stage or 0
    assert list(legal_walk(space, proposal.walk, stage))
    assert all(isinstance(value, int | float) for value in proposal.note.values())
    return make_trial(number, proposal.walk, space, stage=stage, note=proposal.note)


def search(
    agent: Agent, space: Space[Any], steps: int, start: int = 0
) -> list[tuple[Trial, float]]:
    """Ask and tell so often; returns what was told."""
    told: list[tuple[Trial, float]] = []
    for number in range(start, start + steps):
        trial = ask(agent, space, number)
        told.append((trial, score_walk(trial.walk)))
        agent.tell(*told[-1])
    return told


def check_proposals(make_agent: MakeAgent, space: Space[Any]) -> None:
    """Proposals are legal, and their notes are numbers."""
    search(make_agent(space, 0), space, 30)


def check_seeds(make_agent: MakeAgent, space: Space[Any]) -> None:
    """The same seed gives the same search, another seed another one."""
    first, second, third = (search(make_agent(space, seed), space, 30) for seed in (1, 1, 2))
    assert first == second, "the same seed gives two searches"
    assert first != third, "two seeds give one search"


def check_restoring(make_agent: MakeAgent, space: Space[Any], steps: int) -> None:
    """Restored equals uninterrupted, also between ask and tell."""
    agent = make_agent(space, 0)
    told = search(agent, space, steps)
    trial = ask(agent, space, steps)
    restored = make_agent(space, 0)
    restored.restore(agent.snapshot(), told)
    for each in (agent, restored):
        each.tell(trial, score_walk(trial.walk))
    assert search(restored, space, 10, steps + 1) == search(agent, space, 10, steps + 1), (
        f"restored after {steps} trials it goes on otherwise"
    )
    assert restored.snapshot() == agent.snapshot(), "snapshots differ behind the same history"
    fresh = make_agent(space, 0)
    fresh.restore(None, [])
    assert search(fresh, space, 3) == search(make_agent(space, 0), space, 3)


def check_order(make_agent: MakeAgent, space: Space[Any]) -> None:
    """Several asks before a tell, and tells in any order."""
    agent = make_agent(space, 0)
    trials = [ask(agent, space, number) for number in range(8)]
    for number in np.random.default_rng(0).permutation(8).tolist():
        agent.tell(trials[number], score_walk(trials[number].walk))
    ask(agent, space)


def check_strangers(make_agent: MakeAgent, space: Space[Any]) -> None:
    """It takes walks that it never proposed, and experiences of elsewhere."""
    agent = make_agent(space, 0)
    for number, walk in enumerate(sample_walks(space, 10, seed=3)):
        agent.tell(make_trial(number, walk, space, imported=number % 2 == 0), score_walk(walk))
    ask(agent, space)


def check_learning(make_agent: MakeAgent, space: Space[Any], steps: int = 150) -> None:
    """The networks that it proposes in the end are better than random ones.

    The reward is the mean of a random number for each token at each place, so that it can be
    learnt. The last third must lie five standard errors above random networks, which by chance
    happens once in millions.
    """
    agent = make_agent(space, 0)
    rewards: list[float] = []
    for number in range(steps):
        trial = ask(agent, space, number)
        rewards.append(_additive(trial.walk))
        agent.tell(trial, rewards[-1])
    chance = [_additive(walk) for walk in sample_walks(space, 2 * steps)]
    last = rewards[-(steps // 3) :]
    lead = (np.mean(last) - np.mean(chance)) / (np.std(chance) / math.sqrt(len(last)))
    assert lead > 5, f"the last {len(last)} are {lead:.1f} standard errors above random networks"


def _additive(walk: Walk) -> float:
    generators = [
        np.random.default_rng([place, *token.encode()]) for place, token in enumerate(walk)
    ]
    return float(np.mean([generator.random() for generator in generators]))


def check_generators(make_agent: MakeAgent, space: Space[Any]) -> None:
    """No global generator of random numbers is drawn from."""
    before: Any = np.random.get_state()  # noqa: NPY002 - the very thing to look at
    python = random.getstate()
    search(make_agent(space, 0), space, 5)
    after: Any = np.random.get_state()  # noqa: NPY002 - as above
    assert before[1].tolist() == after[1].tolist(), "it draws from numpy's global generator"
    assert random.getstate() == python, "it draws from Python's global generator"


def check_evaluator(
    evaluator: Evaluate,
    architectures: Sequence[Architecture],
    score: Score | None = None,
    ignored: Sequence[str] = ("seconds", "images_per_second", "utilisation"),
) -> None:
    """All laws of an evaluator.

    It is picklable, its outcome is a function of the job, and JSON can hold its numbers.

    Args:
        evaluator: To be checked.
        architectures: That it can score.
        score: What its scores are; None for `Score()`.
        ignored: Metrics that are measurements of the machine.
    """
    score = Score() if score is None else score
    copied = pickle.loads(pickle.dumps(evaluator))
    for seed, architecture in enumerate(architectures):
        job = Job(architecture, seed)
        first, second, sent = (attempt(each, job) for each in (evaluator, evaluator, copied))
        assert first.error is None, f"{architecture.text} failed: {first.error}"
        assert first.curve, f"{architecture.text} has no score"
        for value in first.curve:
            assert score.low <= value <= score.high, f"{value} is no {score.name}"
            shown = float(score.read(value))
            assert math.isfinite(shown), f"{value} is shown as {shown}"
        json.dumps([dict(first.metrics), first.curve])
        for other, how in ((second, "once more"), (sent, "by a copy")):
            same = _without(first, ignored) == _without(other, ignored)
            assert same, f"{architecture.text} is scored otherwise {how}"


def _without(outcome: Outcome, ignored: Sequence[str]) -> tuple[Any, ...]:
    kept = {name: value for name, value in outcome.metrics.items() if name not in ignored}
    return kept, outcome.curve, outcome.error
