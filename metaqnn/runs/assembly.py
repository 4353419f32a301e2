"""From what a run was asked for to its parts: they are made here, once, and handed down."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from metaqnn.agents.base import AGENTS, Agent, Signals, restore_agent
from metaqnn.agents.experience import Experience, read_experiences
from metaqnn.config.trust import check_read
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import EVALUATORS, Evaluator, FunctionEvaluator, find_evaluator
from metaqnn.evaluators.trainer import Trainer
from metaqnn.executors.base import EXECUTORS, Executor, Place
from metaqnn.networks.cost import known_costs
from metaqnn.objectives.names import Costs, untold
from metaqnn.runs.run import Run
from metaqnn.search.rules import Rules
from metaqnn.search.told import Told
from metaqnn.stopping.base import STOPPERS, Stopper
from state_space import Architecture, Space, random_walk


@dataclass(frozen=True)
class Parts:
    """All that a search needs, new.

    Attributes:
        run: What it was asked for.
        space: Where to search.
        agent: Has done nothing yet.
        evaluator: Scores the networks.
        executor: Where.
        stopper: Ends hopeless trainings; None where all are trained in full.
        rules: What the search goes by.
        experiences: What the agent is told before it proposes anything.
    """

    run: Run
    space: Space[Any]
    agent: Agent
    evaluator: Evaluator
    executor: Executor
    stopper: Stopper | None
    rules: Rules
    experiences: list[Experience]


def assemble(run: Run) -> Parts:
    """The parts of a run.

    Raises:
        MetaqnnError: A part is not there, does not fit another, or a file that it needs is not
            there or makes no sense.
    """
    check_read(run.objects)
    space = run.space()
    evaluator = make_evaluator(run, space)
    return Parts(
        run,
        space,
        make_agent(run, space),
        evaluator,
        make_executor(run, evaluator),
        make_stopper(run, evaluator),
        make_rules(run, space),
        make_experiences(run, space),
    )


def make_evaluator(run: Run, space: Space[Any]) -> Evaluator:
    """What scores the networks.

    Raises:
        MetaqnnError: It does not fit the space, or its file is broken.
    """
    if "evaluator" in run.objects:
        check_read(run.objects, "evaluator")
        given = run.objects["evaluator"]
        return given if isinstance(given, Evaluator) else FunctionEvaluator(given)
    check_read(run.objects, "metric")
    config = run.config
    found: Any = EVALUATORS.find(config.run.evaluator)
    if not isinstance(found, type):
        return FunctionEvaluator(found)
    made: type[Evaluator] = found
    place = Place()
    if made.uses_gpu:
        executor = EXECUTORS.find(config.run.executor)
        place = executor.place(config.parts["executor"], config.run.device)
    return made.from_options(config.parts["evaluator"], space, run.task, place)


def make_trainer(run: Run, refusal: str | None = None) -> Trainer:
    """What trains the networks of a run.

    Args:
        run: Which.
        refusal: What is said where nothing does.

    Raises:
        MetaqnnError: Nothing does, or not on this device.
    """
    evaluator = make_evaluator(run, run.space())
    if not isinstance(evaluator, Trainer):
        raise MetaqnnError(refusal or f"{run.path}: its networks are not trained on a data set")
    return evaluator


def trainer_of(run: Run) -> type[Trainer]:
    """The class of what trains the networks of a run.

    Raises:
        MetaqnnError: Nothing does.
    """
    given = run.objects.get("evaluator")
    found = find_evaluator(run.config.run.evaluator) if given is None else type(given)
    if not issubclass(found, Trainer):
        raise MetaqnnError(f"{run.path}: only what metaqnn has trained it trains in the end")
    return found


def make_agent(run: Run, space: Space[Any]) -> Agent:
    """The run's agent as it was at the start: without experiences.

    Raises:
        MetaqnnError: A file that its options name does not fit; or it wants to look at networks
            that nothing builds.
    """
    if "agent" in run.objects:
        check_read(run.objects, "agent")
        agent: Agent = copy.deepcopy(run.objects["agent"])
    else:
        options = run.config.parts["agent"]
        files = {name: str(run.input_file(name)) for name in options.INPUTS if run.input_file(name)}
        made = AGENTS.find(run.config.run.agent)
        chosen = options.model_copy(update=files)
        agent = made.from_options(chosen, space, run.config.run.seed)
    if agent.wants_signals:
        agent.signals = make_evaluator(run, space).signals()
    if agent.weighs_costs and (wanted := run.config.rewards.costs):
        agent.costs = _costs(run, space, wanted)
    return agent


def _costs(run: Run, space: Space[Any], wanted: tuple[str, ...]) -> Signals | None:
    """What tells so many metrics of networks before these are scored; None where nothing does."""
    known: Costs = (
        partial(known_costs, run.task.shape)
        if space.trainable
        else make_evaluator(run, space).costs
    )
    one = space.architecture(random_walk(space, np.random.default_rng(0)))
    if not set(wanted) <= known(one).keys():
        return None

    def tell(architecture: Architecture) -> tuple[float, ...]:
        found = known(architecture)
        return tuple(found[name] for name in wanted)

    return tell


def make_executor(run: Run, evaluator: Evaluator) -> Executor:
    """Where the networks are scored.

    Raises:
        MetaqnnError: What it needs is not there.
    """
    config = run.config
    device = config.run.device if evaluator.uses_gpu else None
    return EXECUTORS.find(config.run.executor).from_options(config.parts["executor"], device)


def make_stopper(run: Run, evaluator: Evaluator) -> Stopper | None:
    """What ends hopeless trainings; None where all are trained in full.

    Raises:
        MetaqnnError: Nothing is trained that could be stopped.
    """
    name = run.config.stopper
    if name is None:
        return None
    if evaluator.epochs is None:
        raise MetaqnnError(
            f"{name} stops trainings, but the evaluator {run.config.run.evaluator} trains none"
        )
    options = run.config.parts["stopper"]
    return STOPPERS.find(name).from_options(options, evaluator.epochs, run.task.score)


def make_rules(run: Run, space: Space[Any]) -> Rules:
    """What the search goes by.

    Raises:
        MetaqnnError: See `Rules.make`; or nothing tells what is wanted of the networks.
    """
    options, wanted = run.config.run, run.config.rewards.wanted
    rules = Rules.make(
        space,
        run.task,
        run.config.rewards,
        seed=options.seed,
        budget=options.budget,
        start_from=options.start_from,
        grow_every=options.grow_every,
        confirm=options.confirm,
        measure=make_measure(run, space),
    )
    if wanted and not space.trainable:
        tells = make_evaluator(run, space).tells
        for metric in wanted:
            if not tells(metric):
                raise untold(metric)
    return rules


def make_measure(run: Run, space: Space[Any]) -> Callable[[Architecture], float] | None:
    """What measures the latency of networks; None where it is not asked for, or they are not built.

    Raises:
        MetaqnnError: A package is missing.
    """
    if not run.config.rewards.measures_latency or not space.trainable:
        return None
    from metaqnn.models.latency import check_latency, network_latency  # which import torch

    check_latency()
    evaluator = make_evaluator(run, space)
    return lambda network: network_latency(network, evaluator.export_facts(network.text, run.task))


def make_experiences(run: Run, space: Space[Any]) -> list[Experience]:
    """What the agent is told before it proposes anything.

    Raises:
        MetaqnnError: A row makes no sense; the message names its line.
    """
    path = run.input_file("replay_from")
    shape = run.task.shape if space.trainable else None
    return [] if path is None else read_experiences(path, space, shape)


def trained_agent(run: Run) -> Agent:
    """The agent with all that it has learnt.

    Raises:
        MetaqnnError: See `make_agent`; or the memory is not there, or damaged.
    """
    memory = run.memory()
    agent = make_agent(run, run.space())
    with memory.moment():  # else the history may be longer than what the snapshot knows
        told = Told(run.config.rewards.costs, agent)
        restore_agent(agent, memory.snapshot(), told.history(memory))
    memory.close()
    return agent
