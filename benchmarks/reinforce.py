"""Times the controller of the agent reinforce on 20 layers with all skip connections.

    python benchmarks/reinforce.py

A network is 250 decisions: 3 attributes a layer and 190 skip connections, in 79 steps of the LSTM.
Prints the median milliseconds of a proposal, of an update from a batch of 8, and of a snapshot, on
one core.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import click
import torch

from metaqnn.agents.reinforce import Reinforce, ReinforceOptions
from metaqnn.spaces import bind_space
from replay import Trial

SPACE = {
    "space": "skip",
    "depth": 20,
    "heights": [1, 3, 5, 7],
    "widths": [1, 3, 5, 7],
    "filters": [24, 36, 48, 64],
}


def median_milliseconds(function: Callable[[], Any], repeats: int) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


@click.command()
@click.option("--repeats", default=20, show_default=True)
@click.option("--batch", default=8, show_default=True)
def main(repeats: int, batch: int) -> None:
    """Print the times of a proposal, an update and a snapshot."""
    torch.set_num_threads(1)
    space = bind_space(SPACE, (3, 32, 32), 10)
    agent = Reinforce(space, 0, ReinforceOptions(controller_batch=batch))

    def tell_a_batch() -> None:
        for number, walk in enumerate(walks):
            agent.tell(Trial(number, walk, 0, "", 0, {}), number / batch)

    walks = [agent.ask().walk for _ in range(batch)]
    tell_a_batch()  # the first update also loads what PyTorch loads late
    click.echo(f"{len(walks[0])} decisions a network")
    click.echo(f"proposal {median_milliseconds(agent.ask, repeats):.1f} ms")
    click.echo(f"update   {median_milliseconds(tell_a_batch, repeats):.1f} ms, batch of {batch}")
    click.echo(f"snapshot {median_milliseconds(agent.snapshot, repeats):.1f} ms")
    click.echo(f"         {len(agent.snapshot()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
