"""A plain PyTorch training, as a tutorial has it, against which `training.py` measures."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from metaqnn.data.images import Images
from metaqnn.networks.cost import place_ops
from metaqnn.networks.ops import DROPOUT
from metaqnn.training.recipe import Recipe
from state_space import Architecture


def plain_network(architecture: Architecture, shape: tuple[int, ...]) -> nn.Sequential:
    """A chain as a plain Sequential of torch's own modules, with Xavier weights."""
    unused = torch.Generator()
    layers: list[nn.Module] = []
    for node, op in zip(architecture.nodes, place_ops(architecture, shape), strict=True):
        if node.op == DROPOUT:
            layers.append(nn.Dropout(op.args[0] / (2 * op.args[1])))
        else:
            layers.append(op.module(unused))
    network = nn.Sequential(*layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return network


def plain_training(
    architecture: Architecture, training: Images, validation: Images, recipe: Recipe, seed: int
) -> list[float]:
    """Validation accuracy after every epoch of a chain."""
    torch.manual_seed(seed)
    network = plain_network(recipe.dress(architecture), training.shape)
    return train_plainly(network, training, validation, recipe)


def train_plainly(
    network: nn.Module, training: Images, validation: Images, recipe: Recipe
) -> list[float]:
    """Validation accuracy after every epoch: DataLoader, Adam, float32, losses read every batch."""
    device = training.images.device
    mean, deviation = training.statistics

    def loader(images: Images, shuffle: bool) -> DataLoader[tuple[Tensor, ...]]:
        values = (images.images.float() - mean) / deviation
        dataset = TensorDataset(values.cpu(), images.labels.cpu())
        return DataLoader(dataset, batch_size=recipe.batch_size, shuffle=shuffle)

    batches, validation_batches = loader(training, True), loader(validation, False)
    network = network.to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.decay_every, recipe.decay)
    curve = []
    for _ in range(recipe.epochs):
        network.train()
        total_loss, correct = 0.0, 0
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            scores = network(images)
            loss = cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
            correct += int((scores.argmax(1) == labels).sum().item())
        schedule.step()
        network.eval()
        correct = 0
        with torch.no_grad():
            for images, labels in validation_batches:
                scores = network(images.to(device))
                correct += int((scores.argmax(1) == labels.to(device)).sum().item())
        curve.append(correct / len(validation))
    return curve
