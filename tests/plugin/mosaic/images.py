"""A data set that is made up: stripes that lie or stand."""

from pathlib import Path

import torch

from metaqnn.data.datasets import DataSetEntry
from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions

SIZE = 8


def load(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """120 images for training and 40 for testing."""
    if part == "validation":
        return None
    generator = torch.Generator().manual_seed(1 if part == "train" else 2)
    labels = torch.arange(120 if part == "train" else 40) % 2
    lying = (torch.arange(SIZE) % 2).float()[:, None].expand(SIZE, SIZE)
    stripes = torch.stack([lying, lying.T])[labels][:, None]
    noise = torch.rand(stripes.shape, generator=generator)
    images = (255 * (0.7 * stripes + 0.3 * noise)).to(torch.uint8)
    return Images(images, labels, ("lying", "standing"))


STRIPES = DataSetEntry(
    f"{__name__}:load",
    "stripes that lie or stand",
    (1, SIZE, SIZE),
    2,
    space="mosaic",
    options={"epochs": 2, "batch_size": 16, "threads": 1},
)
