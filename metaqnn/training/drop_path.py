"""ScheduledDropPath (Zoph et al. 2018, https://arxiv.org/abs/1707.07012)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from metaqnn.networks.build import Network

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]
"""Of a layer, its inputs and its output, what becomes of the output."""


class DropPath:
    """Drops, while a network is trained, outputs of its layers, each image by itself.

    What is kept is divided by its chance, so that the mean stays.

    Attributes:
        progress: The share of the training that is over, a tensor, as a recorded step reads it.
    """

    def __init__(
        self,
        network: Network,
        paths: Sequence[tuple[int, float]],
        keep: float,
        generator: torch.Generator,
    ) -> None:
        """Begin with a training, of which nothing is over.

        Args:
            network: Is changed for as long as it lives: the outputs of layers, not its weights.
            paths: Positions of the layers, with the ratio of each.
            keep: The chance of ratio 1 at the end of the training.
            generator: Draws, on the device of the network.
        """
        ratios = torch.tensor([ratio for _, ratio in paths], device=generator.device)
        self.progress = torch.zeros((), device=generator.device)
        self._drop = ((1 - keep) * ratios)[:, None]
        self._generator = generator
        self._factors: tuple[Tensor, ...] = ()
        network.register_forward_pre_hook(self._draw)
        for number, (position, _) in enumerate(paths):
            network.layers[position].register_forward_hook(self._dropping(number))

    def keeps(self) -> Tensor:
        """The chance of every path now, shape (paths, 1)."""
        return 1 - self.progress * self._drop

    def _draw(self, network: nn.Module, inputs: tuple[Tensor]) -> None:
        """A factor for every path and image, all at once: networks of cells have hundreds."""
        if not network.training:
            return
        keeps = self.keeps()
        draws = torch.empty(len(keeps), len(inputs[0]), device=keeps.device)
        kept = draws.uniform_(generator=self._generator).lt_(keeps)
        self._factors = kept.div_(keeps)[:, :, None, None, None].unbind()

    def _dropping(self, number: int) -> Hook:
        def drop(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return output * self._factors[number].to(output.dtype) if layer.training else output

        return drop
