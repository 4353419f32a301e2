"""What can be told of a network that was never trained, and often ranks as its accuracy does.

Abdelfattah et al. 2021, "Zero-Cost Proxies for Lightweight NAS", https://arxiv.org/abs/2101.08134.
"""

import torch
from torch import Tensor, nn

from metaqnn.networks.build import NORMS, Network
from metaqnn.networks.cost import total_cost
from state_space import Architecture

SIGNALS = ("parameters", "synflow", "naswot", "jacov")

CONSTANT = 1e-5
"""Added to eigenvalues (Mellor et al. 2020)."""

SMALLEST = 1e-300
"""Of what a logarithm is taken."""


def signals(architecture: Architecture, images: Tensor) -> tuple[float, ...]:
    """Those of `SIGNALS`, higher where more is promised, of one draw of the weights.

    Args:
        architecture: Without the dropout that a recipe adds.
        images: A batch of real ones, normalised, (images, channels, height, width).

    Raises:
        ShapeError: A layer cannot read what comes before it.
    """
    shape = tuple(images.shape[1:])
    generator = torch.Generator().manual_seed(0)
    network = Network(architecture, shape, generator).eval()
    codes, gradients = look_at(network, images)
    found = torch.stack([synflow(network, shape), naswot(codes), jacov(gradients)])
    parameters = total_cost(architecture, shape).parameters
    return float(torch.tensor(float(max(parameters, 1))).log()), *found.tolist()


def look_at(network: Network, images: Tensor) -> tuple[Tensor, Tensor]:
    """Which ReLUs are on for each image, and the gradient of its scores' sum by its pixels.

    Batch norms go by the batch, as in a training; there is no dropout.

    Returns:
        0 or 1, (images, ReLUs), and (images, pixels); float64.
    """
    on: list[Tensor] = []
    hooks = []
    for module in network.modules():
        if isinstance(module, NORMS):
            module.train()
        if isinstance(module, nn.ReLU):
            hooks.append(
                module.register_forward_hook(
                    lambda _, inputs, output: on.append((output > 0).flatten(1).double())
                )
            )
    pixels = images.clone().requires_grad_()
    network(pixels).sum().backward()
    network.eval()
    for hook in hooks:
        hook.remove()
    assert pixels.grad is not None, "the scores are of these pixels"
    empty = torch.zeros(len(images), 0, dtype=torch.float64)
    return torch.cat([empty, *on], 1), pixels.grad.flatten(1).double()


def synflow(network: Network, shape: tuple[int, ...]) -> Tensor:
    """The logarithm of sum |w dR/dw|: how much flows through all paths, whatever their signs.

    R is what a network of the weights' absolute values makes of an image of ones, in double
    precision and without the statistics of batch norms (Tanaka et al. 2020, "Pruning neural
    networks without any data by iteratively conserving synaptic flow", equations 1 and 2).
    Afterwards these are the network's weights.
    """
    network.double()
    with torch.no_grad():
        for weights in network.parameters():
            weights.abs_()
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()
    network.zero_grad()
    network(torch.ones(1, *shape, dtype=torch.float64)).sum().backward()
    flows = [
        (weights * weights.grad).abs().sum()
        for weights in network.parameters()
        if weights.grad is not None
    ]
    return torch.stack(flows).sum().clamp(min=SMALLEST).log()


def naswot(codes: Tensor) -> Tensor:
    """The logarithm of |K + I|, where K counts ReLUs that are both on or both off for two images.

    Mellor et al. 2021, "Neural Architecture Search without Training", section 3; I is added so that
    a network without ReLUs, or that cannot tell two images apart, has a finite one.

    Args:
        codes: See `look_at`.
    """
    equal = codes @ codes.T + (1 - codes) @ (1 - codes).T
    found: Tensor = torch.linalg.slogdet(equal + torch.eye(len(codes), dtype=torch.float64))[1]
    return found


def jacov(gradients: Tensor) -> Tensor:
    """Less the logarithm of sum (log(v + k) + 1 / (v + k)), over the eigenvalues v of correlations.

    They are those of the gradients of the images: the less these are alike, the better (Mellor et
    al. 2020, version 1 of https://arxiv.org/abs/2006.04647). An image without a gradient is like
    all.

    Args:
        gradients: See `look_at`.
    """
    centred = gradients - gradients.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    units = centred / lengths.clamp(min=SMALLEST)
    correlations = units @ units.T
    flat = lengths.flatten() == 0
    correlations[flat] = 1
    correlations[:, flat] = 1
    values = torch.linalg.eigvalsh(correlations).clamp(min=0) + CONSTANT
    likeness: Tensor = (values.log() + 1 / values).sum().log()
    return -likeness
