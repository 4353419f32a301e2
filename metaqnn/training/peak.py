"""How much of a GPU's arithmetic a training uses."""

import torch

PEAKS = {
    "B200": 2250e12,
    "H200": 989.4e12,
    "H100 80GB HBM3": 989.4e12,
    "H100 NVL": 835.5e12,
    "H100 PCIe": 756e12,
    "GH200": 989.4e12,
    "L40S": 362.05e12,
    "L4": 121e12,
    "A100": 312e12,
    "A40": 149.7e12,
    "A30": 165e12,
    "A10G": 70e12,
    "A10": 125e12,
    "RTX 4090": 165.2e12,
    "RTX 3090": 71e12,
    "V100": 125e12,
    "T4": 65e12,
}
"""Part of a GPU's name to its peak: floating-point operations a second of dense matrix products in
bfloat16 with sums in float32, in float16 where it has no bfloat16 (V100, T4). From NVIDIA's data
sheets, without their factor of two for sparse matrices. The first part that fits counts."""

FLOPS_OF_TRAINING = 3 * 2
"""Floating-point operations of a training step for each multiply-add of the forward pass: two, and
the backward pass costs twice the forward pass."""


def peak_of(name: str) -> float | None:
    """The peak of a GPU, where it is known; laptops' GPUs are others of the same name."""
    words = name.replace("-", " ").split()
    if "Laptop" in words:
        return None
    return next((peak for part, peak in PEAKS.items() if _has(words, part.split())), None)


def utilisation(multiply_adds: int, images_per_second: float, device: torch.device) -> float | None:
    """Floating-point operations that the network's training needs, as a share of the GPU's peak.

    Known as model FLOP utilisation. None on a CPU, and on a GPU whose peak is not known.
    """
    peak = peak_of(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return FLOPS_OF_TRAINING * multiply_adds * images_per_second / peak if peak else None


def _has(words: list[str], part: list[str]) -> bool:
    return any(words[at : at + len(part)] == part for at in range(len(words)))
