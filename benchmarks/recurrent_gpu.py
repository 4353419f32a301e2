"""Times training steps of language models on a device, recorded as a CUDA graph and step by step.

    python benchmarks/recurrent_gpu.py --device cuda
    python benchmarks/recurrent_gpu.py --device cpu --units 20 --steps 2

Two layers of a cell, batches of 20 pieces of 35 tokens, 10,000 different tokens: an update each,
with a softmax and clipped gradients. Prints milliseconds a step, tokens a second, and the minutes
of an epoch of Penn Treebank's 929,589 tokens.
"""

import click
import torch
from training_gpu import seconds_of

from metaqnn.language.model import Dimensions, LanguageModel
from metaqnn.language.named import CELLS
from metaqnn.language.recipe import LanguageRecipe
from metaqnn.language.steps import Steps
from metaqnn.training.cuda_graph import GRAPHS, GraphedStep
from metaqnn.training.speed import Speed

TOKENS, EPOCH = 10_000, 929_589
RECIPE = LanguageRecipe(batch_size=20, bptt=35)


@click.command()
@click.option("--device", default="cuda", show_default=True)
@click.option("--units", multiple=True, default=(200, 650), show_default=True)
@click.option("--steps", default=100, show_default=True, help="That are timed.")
def main(device: str, units: tuple[int, ...], steps: int) -> None:
    """Print the table."""
    place = torch.device(device)
    speed = Speed.of(place)
    print(f"{'':24}{'ms a step':>10}{'tokens a second':>17}{'minutes of an epoch':>21}")
    for width in units:
        for cell in ("lstm", "nascell"):
            for recorded in (True, False) if speed.cuda_graph else (False,):
                seconds = seconds_a_step(cell, width, steps, place, recorded=recorded)
                tokens = RECIPE.batch_size * RECIPE.bptt / seconds
                name = f"{cell} 2x{width}, {'a graph' if recorded else 'step by step'}"
                print(f"{name:24}{1e3 * seconds:10.2f}{tokens:17,.0f}{EPOCH / tokens / 60:21.2f}")


def seconds_a_step(
    cell: str, units: int, steps: int, device: torch.device, *, recorded: bool
) -> float:
    """Of training a model of a cell."""
    made = CELLS[cell]() if cell in CELLS else cell
    with torch.device(device), Speed.of(device).backends(device):
        generator = torch.Generator(device).manual_seed(0)
        model = LanguageModel(made, Dimensions(TOKENS, units, 2), generator)
        length = 20 * RECIPE.bptt + 1
        text = torch.randint(TOKENS, (length, RECIPE.batch_size), generator=generator)
        learning = Steps(model, text, RECIPE)
        graph = GraphedStep(learning, RECIPE.bptt + 1, GRAPHS) if recorded else None
        batches = list(torch.arange(length).unfold(0, RECIPE.bptt + 1, RECIPE.bptt))
        seconds = seconds_of(graph or learning.step, batches, steps, device)
        if graph:
            graph.free()
    return seconds / steps


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
