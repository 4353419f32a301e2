"""Architecture to PyTorch network."""

from collections import Counter

import torch
from torch import Tensor, nn

from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import place_ops, shared_relus
from metaqnn.networks.modules import join
from metaqnn.task import Shape
from state_space import Architecture

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
"""Modules whose own initialisation draws no random number."""


class Network(nn.Module):
    """A network of an architecture; of a classifier it returns the scores before the softmax."""

    def __init__(
        self,
        architecture: Architecture,
        input_shape: Shape,
        generator: torch.Generator,
        *,
        xavier: bool = True,
    ) -> None:
        """Build with weights that are drawn and zero biases, on the generator's device.

        Args:
            architecture: What to build.
            input_shape: (channels, height, width) of the images.
            generator: Draws the weights, and later the dropout.
            xavier: Draw as Glorot & Bengio 2010 do; else uniformly within one over the root of the
                number of inputs, as torch's own layers begin.

        Raises:
            ShapeError: A layer cannot read what comes before it.
            MetaqnnError: A layer has weights of a module that is not known here.
        """
        super().__init__()
        self.architecture = architecture
        self.ops = place_ops(architecture, input_shape)
        self.nodes = architecture.expanded.nodes
        # on "meta" nothing is allocated, and torch's own initialisation draws no random number
        with torch.device("meta"):
            self.layers = nn.ModuleList(op.module(generator) for op in self.ops)
        self._pool_before_relu()
        self._share_relus()
        self.to_empty(device=generator.device)
        for node, layer in zip(self.nodes, self.layers, strict=True):
            for module in layer.modules():
                if not draw_weights(module, generator, xavier=xavier):
                    raise MetaqnnError(
                        f"{node.text}: it is not known how to begin with the weights of its "
                        f"{type(module).__name__}; convolutions, linear layers and norms are"
                    )

    def forward(self, images: Tensor) -> Tensor:
        """The last layer's output for images of shape (images, channels, height, width)."""
        values: list[Tensor] = []
        positive: dict[int, Tensor] = {}
        for position, (node, op) in enumerate(zip(self.nodes, self.ops, strict=True)):
            inputs = [images if source < 0 else values[source] for source in node.inputs]
            if position in self.rectified:
                (source,) = node.inputs
                if source not in positive:
                    positive[source] = inputs[0].relu()
                inputs = [positive[source]]
            layer = self.layers[position]
            values.append(layer(join(inputs)) if op.joins else layer(*inputs))
        return values[-1]

    def _share_relus(self) -> None:
        """Compute the ReLU of a value once, where several layers begin with it."""
        shared = shared_relus(self.nodes, self.ops)
        self.rectified = {position for readers in shared.values() for position in readers}
        for position in self.rectified:
            layer = self.layers[position]
            if isinstance(layer, nn.Sequential):
                layer[0] = nn.Identity()
            else:
                self.layers[position] = nn.Identity()

    def _pool_before_relu(self) -> None:
        """Swap ReLU and the max pooling that alone reads it, and it alone: the same values.

        A ReLU keeps the order of what it reads, so that the maxima are the same; there are fewer.
        """
        nodes = self.nodes
        readers = Counter(source for node in nodes for source in node.inputs)
        for position, (node, op) in enumerate(zip(nodes, self.ops, strict=True)):
            source = node.inputs[0]
            if not op.takes_maxima or len(node.inputs) > 1 or source < 0 or readers[source] > 1:
                continue
            if self.ops[source].ends_in_relu:
                before = self.layers[source]
                assert isinstance(before, nn.Sequential), "as Op.ends_in_relu says"
                self.layers[position] = nn.Sequential(self.layers[position], before[-1])
                before[-1] = nn.Identity()


def draw_weights(module: nn.Module, generator: torch.Generator, *, xavier: bool) -> bool:
    """Give a module its first weights; whether that is known."""
    if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
        if xavier:
            nn.init.xavier_uniform_(module.weight, generator=generator)
        else:
            bound = module.weight[0].numel() ** -0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, NORMS):
        module.reset_parameters()
    else:
        return not [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return True
