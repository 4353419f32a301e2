"""The file in which the search keeps a network, and the network from it."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from metaqnn.data.images import equalise
from metaqnn.device import within_memory
from metaqnn.errors import MetaqnnError
from metaqnn.models.checks import check_tensors, check_trust, read_architecture
from metaqnn.models.model import Facts
from metaqnn.networks.build import Network


class Normalised(nn.Module):
    """A network that reads images as they are, float32 in the units of its training images."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: Network, facts: Facts) -> None:
        """Put the normalisation of its training images before a network."""
        super().__init__()
        self.network = network
        self.contrast = facts.contrast
        self.factor = facts.preparation.factor
        self.floor = facts.preparation.floor
        for name in ("mean", "deviation"):
            values = torch.tensor(getattr(facts, name), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, shape (images, classes)."""
        # whole grey levels, as in training
        levels = images if self.factor == 1 else (images * self.factor).round()
        if self.contrast:
            values = equalise(levels, self.floor)
        else:
            values = (levels - self.mean) / self.deviation
        scores: Tensor = self.network(values)
        return scores


BATCH = 512
"""Images that are scored at once."""


def probabilities(
    network: Network, facts: Facts, images: Tensor, device: torch.device
) -> np.ndarray:
    """The softmax of a network's scores, float32 (images, classes).

    Where that does not fit into memory, it is computed for fewer images at once.

    Args:
        network: As it is used, not trained.
        facts: Of the network.
        images: Pixels as `Images` has them.
        device: Where to compute.
    """
    module = Normalised(network, facts).to(device).eval()

    def score(splits: int) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                module(part.to(device).float() / module.factor).softmax(1).cpu()
                for part in torch.split(images, BATCH // splits)
            ]
        return torch.cat(parts).numpy()

    return within_memory(score, BATCH, device)


def save_network(network: Network, facts: Facts) -> bytes:
    """A safetensors file with what it takes to build and use a network."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    return save(tensors, facts.metadata)


def load_network(path: Path) -> tuple[Network, Facts]:
    """The network of a file that `save_network` made, on the CPU.

    Raises:
        MetaqnnError: The file is not there, damaged, or something else.
    """
    check_trust(path, "only .safetensors files are read here, which run none")
    try:
        with safe_open(path, "pt") as file:
            facts = Facts.from_metadata(file.metadata() or {})
            names = tuple(file.keys())  # such a file cannot be iterated itself
            slices = {name: file.get_slice(name) for name in names}
            check_tensors(facts, {n: (s.get_dtype(), s.get_shape()) for n, s in slices.items()})
            tensors = {name: file.get_tensor(name) for name in names}
        architecture = read_architecture(facts.architecture)
        network = Network(architecture, facts.input_shape, torch.Generator())
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, MemoryError, MetaqnnError) as error:
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.500}") from None
    return network.eval(), facts
