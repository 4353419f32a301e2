"""Architecture to PyTorch network."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from metaqnn.networks.cost import layer_costs, read_shape
from metaqnn.networks.layers import LAYERS
from metaqnn.task import Shape
from state_space import Architecture


class Network(nn.Module):
    """A network of an architecture; returns the scores of the classes before the softmax."""

    def __init__(
        self, architecture: Architecture, input_shape: Shape, generator: torch.Generator
    ) -> None:
        """Build with Xavier weights and zero biases, on the generator's device.

        Args:
            architecture: What to build.
            input_shape: (channels, height, width) of the images.
            generator: Draws the weights, and later the dropout.

        Raises:
            ShapeError: A layer cannot read what comes before it.
        """
        super().__init__()
        self.architecture = architecture
        costs = layer_costs(architecture, input_shape)
        # on "meta" nothing is allocated, and torch's own initialisation draws no random number
        with torch.device("meta"):
            self.layers = nn.ModuleList(
                LAYERS[node.op](
                    tuple(int(value) for value in node.args),
                    read_shape(node, costs, input_shape),
                    generator,
                )
                for node in architecture.nodes
            )
        self._pool_before_relu()
        self.to_empty(device=generator.device)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, shape (images, classes), of images of shape (images, channels, h, w)."""
        values: list[Tensor] = []
        for node, layer in zip(self.architecture.nodes, self.layers, strict=True):
            inputs = [images if source < 0 else values[source] for source in node.inputs]
            values.append(layer(join(inputs)))
        return values[-1]

    def _pool_before_relu(self) -> None:
        """Swap ReLU and the max pooling that alone reads it: the same values, of fewer pixels.

        A ReLU keeps the order of what it reads, so that the maxima are the same.
        """
        nodes = self.architecture.nodes
        readers = Counter(source for node in nodes for source in node.inputs)
        for position, node in enumerate(nodes):
            source = node.inputs[0]
            if node.op == "P" and source >= 0 and nodes[source].op == "C" and readers[source] == 1:
                convolution = self.layers[source]
                assert isinstance(convolution, nn.Sequential), "C is a convolution and its ReLU"
                self.layers[position] = nn.Sequential(self.layers[position], convolution[1])
                convolution[1] = nn.Identity()


def join(inputs: Sequence[Tensor]) -> Tensor:
    """Side by side along channels; smaller images get zeros at the right and at the bottom.

    Args:
        inputs: Of shape (images, channels, height, width) all, or (images, units) all.
    """
    if len(inputs) == 1:
        return inputs[0]
    if inputs[0].dim() == 4:
        height = max(value.shape[2] for value in inputs)
        width = max(value.shape[3] for value in inputs)
        inputs = [
            pad(value, (0, width - value.shape[3], 0, height - value.shape[2])) for value in inputs
        ]
    return torch.cat(list(inputs), 1)
