"""Times the controllers ppo and actor-critic at NASNet's size.

    python benchmarks/ppo.py

A network of the space `nasnet-cifar10` is 50 decisions, two cells of five blocks; the preset
`nasnet` is an LSTM of 100 units and 20 networks an update. Prints the median milliseconds of
processor time, on one core, of a proposal, of an update, of each of its epochs and of a snapshot.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import click
import torch

from metaqnn.agents.base import AGENTS
from metaqnn.config import RunConfig
from metaqnn.spaces import bind_space, read_space
from replay import Trial


def median_milliseconds(function: Callable[[], Any], repeats: int) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1000 * median(times)


def time_agent(name: str, repeats: int) -> None:
    """Print the times of an agent."""
    space = bind_space(read_space("nasnet-cifar10"), (3, 32, 32), 10)
    config = RunConfig.from_flat({"agent": name, "controller-preset": "nasnet"})
    agent: Any = AGENTS.find(name).from_options(config.parts["agent"], space, 0)
    batch, epochs = agent.options.controller_batch, agent.options.controller_epochs
    proposals = [agent.ask() for _ in range(batch)]

    def tell_a_batch() -> None:
        for number, proposal in enumerate(proposals):
            agent.tell(Trial(number, proposal.walk, 0, "", 0, proposal.note), number / batch)

    tell_a_batch()  # the first update also loads what PyTorch loads late
    update = median_milliseconds(tell_a_batch, repeats)
    click.echo(f"{name}, {len(proposals[0].walk)} decisions, {agent.options.lstm_units} units")
    click.echo(f"proposal {median_milliseconds(agent.ask, 20 * repeats):.1f} ms")
    click.echo(f"update   {update:.1f} ms from {batch} networks, {epochs} epochs")
    click.echo(f"epoch    {update / epochs:.1f} ms, the whole update shared out")
    click.echo(f"snapshot {median_milliseconds(agent.snapshot, repeats):.1f} ms")


@click.command()
@click.option("--repeats", default=20, show_default=True)
def main(repeats: int) -> None:
    """Print the times of both agents."""
    torch.set_num_threads(1)
    for name in ("ppo", "actor-critic"):
        time_agent(name, repeats)


if __name__ == "__main__":
    main()
