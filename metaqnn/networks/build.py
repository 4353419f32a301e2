"""Architecture to PyTorch network."""

import torch
from torch import Tensor, nn

from metaqnn.networks.cost import Shape, layer_costs
from metaqnn.networks.layers import LAYERS
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
                    input_shape if node.inputs[0] < 0 else costs[node.inputs[0]].shape,
                    generator,
                )
                for node in architecture.nodes
            )
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
            source = node.inputs[0]
            values.append(layer(images if source < 0 else values[source]))
        return values[self.architecture.outputs[0]]
