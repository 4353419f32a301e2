"""Times the controller alone: the paper's schedule with an evaluator that costs nothing.

    python benchmarks/controller.py
    python benchmarks/controller.py --blocks --networks 2000

Searches `metaqnn-cifar10` for 2,700 distinct networks with 128 sweeps after each, in a durable
memory, and prints the time of the agent (ask and tell), of everything, and of the last 500 networks
as a ratio to the first 500. At small epsilons most proposals repeat a network, and each repeat is
told and swept as well, so the ratio is given by network and by proposal. With `--blocks` it is
Block-QNN's search, `block-qnn-cifar` with its preset; and the size of the table is told.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from metaqnn.agents.q_learning import QLearning
from metaqnn.agents.q_options import QLearningOptions
from metaqnn.agents.schedule import BLOCK_QNN, PAPER
from metaqnn.evaluators.base import Job
from metaqnn.executors.in_process import InProcess
from metaqnn.search.loop import Search
from metaqnn.search.rules import Rules
from metaqnn.spaces import bind_space, read_space
from replay import Memory, Outcome


def free_evaluator(job: Job) -> Outcome:
    """A score that costs nothing: a hash of the network."""
    return Outcome(curve=(int(job.architecture.digest[:8], 16) / 2**32,))


class Timed:
    """Adds up the time of a method's calls."""

    def __init__(self, method: Any) -> None:
        """Wrap a method."""
        self.method = method
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        """Call the method."""
        start = time.perf_counter()
        try:
            return self.method(*args)
        finally:
            self.seconds += time.perf_counter() - start


@click.command()
@click.option("--networks", default=2700, show_default=True)
@click.option("--sweeps", default=128, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--blocks", is_flag=True, help="Block-QNN's search, of one sweep a network.")
def main(networks: int, sweeps: int, seed: int, blocks: bool) -> None:
    """Print the times of a search in which training costs nothing."""
    start = time.perf_counter()
    name = "block-qnn-cifar" if blocks else "metaqnn-cifar10"
    space = bind_space(read_space(name), (3, 32, 32), 10)
    enumerating = time.perf_counter()
    rows = len(space.rows())
    click.echo(f"{rows} rows enumerated in {time.perf_counter() - enumerating:.3f} s")
    options = QLearningOptions(epsilon_schedule=PAPER, sweeps=sweeps)
    if blocks:
        options = QLearningOptions(epsilon_schedule=BLOCK_QNN, sweeps=1, shaped=True)
    agent = QLearning(space, seed, options)
    ask, tell = Timed(agent.ask), Timed(agent.tell)
    # to time the methods is the point of replacing them
    agent.ask, agent.tell = ask, tell  # type: ignore[method-assign]
    times = [0.0]
    trials_until = [0]
    trials = 0

    def observe(event: Any) -> None:
        nonlocal trials
        trials += 1
        if event.is_new:
            times.append(time.perf_counter())
            trials_until.append(trials)

    with tempfile.TemporaryDirectory() as folder:
        memory = Memory.create(Path(folder) / "memory.sqlite", {})
        search = Search(
            space,
            agent,
            free_evaluator,
            InProcess(),
            memory,
            Rules(seed, networks, lambda outcome: max(outcome.curve), failure_reward=0.1),
            observe=observe,
        )
        times[0] = time.perf_counter()
        search.run()
        memory.close()
    total = time.perf_counter() - start
    part = min(500, networks // 2)
    first, last = times[part] - times[0], times[-1] - times[-part - 1]
    repeats = (trials_until[-1] - trials_until[-part - 1]) / trials_until[part]
    steps = np.mean([len(walk) for walk, _ in agent._replay])
    click.echo(f"{len(search.trained)} networks in {trials} trials of {steps:.1f} decisions")
    click.echo(f"agent {ask.seconds + tell.seconds:.2f} s (ask {ask.seconds:.2f} s)")
    click.echo(f"all   {total:.2f} s")
    click.echo(
        f"last {part} networks / first {part}: {last / first:.2f} in time, {repeats:.2f} in "
        f"proposals, {last / first / repeats:.2f} in time a proposal"
    )
    table = agent.table
    click.echo(
        f"{len(table.rows):,} rows with {len(table.q):,} pairs in "
        f"{(table.q.nbytes + table.visits.nbytes) / 1e6:.1f} MB, {len(table.visited()[1]):,} of "
        f"them visited; a snapshot has {len(agent.snapshot()) / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
