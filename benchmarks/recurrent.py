"""Times a step of NASCell, forward and backward, against a loop written by hand and torch's LSTM.

python benchmarks/recurrent.py
python benchmarks/recurrent.py --units 650 --steps 35

By hand it is written as people write a cell: each map a layer of its own, each step after the
other, and autograd for the rest. All run in turn, in one process, on one thread, each twice, of
which the second counts: in a training what comes before is the same. The clock counts the process's
own time.
"""

import time

import click
import numpy as np
import torch
from torch import Tensor, nn

from metaqnn.language.cell import RecurrentCell
from metaqnn.language.model import TorchCell
from metaqnn.language.named import CELLS


class PlainNASCell(nn.Module):
    """NASCell by its equations."""

    states = 2

    def __init__(self, units: int) -> None:
        """Eight maps of the input, and eight of the hidden state."""
        super().__init__()
        self.of_input = nn.ModuleList(nn.Linear(units, units, bias=False) for _ in range(8))
        self.of_hidden = nn.ModuleList(nn.Linear(units, units, bias=False) for _ in range(8))

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """What a step hands on."""
        w = [layer(x) for layer in self.of_input]
        v = [layer(h) for layer in self.of_hidden]
        first = torch.sigmoid(w[0] + v[0]) * torch.relu(w[1] + v[1])
        second = torch.relu(w[2] + v[2]) + torch.sigmoid(w[3] * v[3])
        third = torch.tanh(w[4] + v[4]) * torch.sigmoid(w[5] + v[5])
        fourth = torch.tanh(w[6] + v[6]) + torch.sigmoid(w[7] + v[7])
        memory = torch.tanh(torch.tanh(first) + c) * torch.tanh(second)
        right = torch.tanh(torch.tanh(third) + torch.sigmoid(fourth))
        return torch.tanh(memory * right), memory

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As a cell of metaqnn."""
        h, c = state
        outputs = []
        for x in inputs:
            h, c = self.step(x, h, c)
            outputs.append(h)
        return torch.stack(outputs), (h, c)

    def take(self, cell: RecurrentCell) -> None:
        """The weights of a cell of metaqnn."""
        for name, source in (("input", self.of_input), ("hidden", self.of_hidden)):
            # its leaves stand side by side where they do the same: relu, sigmoid, tanh, products
            parts = cell.weights[name].detach().chunk(8)
            for layer, part in zip((1, 2, 0, 5, 7, 4, 6, 3), parts, strict=True):
                source[layer].weight.data.copy_(part)


def once(layers: list[nn.Module], inputs: Tensor) -> Tensor:
    """Forward and backward; returns the outputs."""
    values = inputs
    for layer in layers:
        zeros = torch.zeros_like(values[0])
        values, _ = layer(values, (zeros,) * layer.states)
    values.sum().backward()
    return values


@click.command()
@click.option("--units", default=200, show_default=True)
@click.option("--layers", default=2, show_default=True)
@click.option("--texts", default=20, show_default=True)
@click.option("--steps", default=35, show_default=True)
@click.option("--rounds", default=30, show_default=True)
def main(units: int, layers: int, texts: int, steps: int, rounds: int) -> None:
    """Print the milliseconds of each, and how often as long as that by hand and as the LSTM."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = torch.randn(steps, texts, units, requires_grad=True)
    ours = [RecurrentCell(CELLS["nascell"](), units, units) for _ in range(layers)]
    for cell in ours:
        for weights in cell.parameters():
            nn.init.uniform_(weights, -0.1, 0.1)
    plain = [PlainNASCell(units) for _ in range(layers)]
    for own, cell in zip(plain, ours, strict=True):
        own.take(cell)
    lstm = [TorchCell("lstm", units) for _ in range(layers)]
    torch.testing.assert_close(once(ours, inputs), once(plain, inputs), atol=1e-5, rtol=0)
    kinds: dict[str, list[nn.Module]] = {
        "torch's LSTM": lstm,
        "NASCell by hand": plain,
        "NASCell of metaqnn": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, own in kinds.items():
            once(own, inputs)
            began = time.process_time()
            once(own, inputs)
            seconds[name].append(time.process_time() - began)
    least = {name: min(own) for name, own in seconds.items()}
    print(f"{'':20}{'ms, least':>10}{'median':>8}{'/ by hand':>11}{'/ LSTM':>8}")
    for name, own in seconds.items():
        ratios = [least[name] / least[other] for other in ("NASCell by hand", "torch's LSTM")]
        print(
            f"{name:20}{1e3 * least[name]:10.1f}{1e3 * np.median(own):8.1f}"
            f"{ratios[0]:11.2f}{ratios[1]:8.2f}"
        )


if __name__ == "__main__":
    main()
