"""Recipes by name."""

from collections.abc import Mapping
from math import log2
from typing import Any

from metaqnn.training.recipe import FALL, STEPS, twice_as_long

_PAPER: Mapping[str, Any] = {
    "optimizer": "sgd",
    "schedule": "steps",
    "label_smoothing": 0.0,
    "first_size": 1.0,
    "bfloat16": False,
    "xavier": True,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 5e-4,
    "batch_size": 128,
    "contrast": True,
    "shift": 5,
    "cutout": 0,
    "clip_norm": None,
    "keep_path": 1.0,
    "auxiliary": 0.0,
    "restart_below": 0.0,
}
"""Baker et al. 2017, section 5.2 and appendix."""

_SHORT_RATES = "0.025:5,0.0125:5,0.0001:20,0.00001:10"

_CELLS: Mapping[str, Any] = {
    **_PAPER,
    "rates": None,
    "contrast": False,
    "mirror": True,
    "shift": 4,
    "dropout": False,
    "restarts": 0,
}
"""What the recipes for cells and blocks have in common, with whole epochs for the papers' steps."""

_NASNET: Mapping[str, Any] = {
    **_CELLS,
    "schedule": "cosine",
    "learning_rate": 0.025,
    "batch_size": 32,
    "clip_norm": 5.0,
}

_NASNET_CIFAR10: Mapping[str, Any] = {**_NASNET, "epochs": 600, "keep_path": 0.6, "auxiliary": 0.4}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "paper-cifar10": {
        **_PAPER,
        "rates": "0.025:40,0.0125:40,0.0001:160,0.00001:60",
        "epochs": 300,
        "mirror": True,
    },
    # digits are not mirrored
    "paper-svhn": {**_PAPER, "rates": _SHORT_RATES, "epochs": 40, "mirror": False},
    "paper-mnist": {**_PAPER, "rates": _SHORT_RATES, "epochs": 40, "mirror": False},
    # Zoph et al. 2018, appendix A.1; of the children's rate, batch and penalty nothing is said
    "nasnet-search": {**_NASNET, "epochs": 20},
    "nasnet-cifar10": _NASNET_CIFAR10,
    # Liu et al. 2018, section 5.1 and 5.4; of batch and penalty nothing is said
    "pnas-search": {**_NASNET, "epochs": 20, "learning_rate": 0.01},
    "pnas-cifar10": _NASNET_CIFAR10,
    # Zhong et al. 2018, section 5.1
    "block-qnn-search": {
        **_CELLS,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "decay": 0.2,
        "decay_every": 5,
        "epochs": 12,
        "batch_size": 256,
        "weight_decay": 0.0,
        "mirror": False,
        "shift": 0,
        "restarts": 3,
        "restart_factor": 0.4,
        "restart_below": 1.0,
    },
    "block-qnn-cifar10": {
        **_CELLS,
        "rates": "0.1:150,0.01:75,0.001:75",
        "epochs": 300,
        "weight_decay": 1e-4,
    },
    # Liu et al. 2018 (https://arxiv.org/abs/1711.00436), section 4.1: 5,000 and 80,000 steps
    "hierarchical-search": {
        **_CELLS,
        "rates": "0.1:26,0.01:3,0.001:3",
        "epochs": 32,
        "batch_size": 256,
        "weight_decay": 3e-4,
    },
    "hierarchical-cifar10": {
        **_CELLS,
        "rates": "0.1:204,0.01:102,0.001:51,0.0001:51",
        "epochs": 408,
        "batch_size": 256,
        "weight_decay": 3e-4,
    },
    # Dong & Yang 2020 (https://arxiv.org/abs/2001.00326), section 2.2
    "nas-bench-201": {
        **_CELLS,
        "schedule": "cosine",
        "learning_rate": 0.1,
        "nesterov": True,
        "epochs": 200,
        "batch_size": 256,
    },
}
"""Options of a recipe; `short`, which depends on the run, is beside them."""

SEARCH = "search"

NAMES = ("short", SEARCH, *RECIPES)

PAPER, PRACTICAL = "paper", "practical"
"""Recipes of searches beside RECIPES: what the options of `Recipe` say, and `practical`."""


_RATES: Mapping[str, Mapping[str, float]] = {
    "muon": {"learning_rate": 0.1, "momentum": 0.6, "weight_decay": 0.1},
    "adamw": {"learning_rate": 5e-3, "weight_decay": 0.01},
    "adam": {"learning_rate": 5e-3},
}
"""What the practical recipe has for an optimizer; others have their usual numbers."""


def practical(images: int, size: int, optimizer: str = "muon") -> dict[str, Any]:
    """The options of a training that makes the most of few images.

    The batch grows with the root of the number of images, 64 for 5,000, and the epochs fall with
    its 0.3rd power, 40 for 5,000: ten times the images are five times the steps' images. Dropout is
    left to the network, and so is mirroring, which digits do not bear. No network is judged by its
    first epoch, when the rate is low.

    Args:
        images: For training.
        size: Height and width of them.
        optimizer: Where a person wants another.
    """
    return {
        "optimizer": optimizer,
        **_RATES.get(optimizer, {}),
        "schedule": "one-cycle",
        "label_smoothing": 0.1,
        "batch_size": min(128, max(16, 2 ** round(log2(images) / 2))),
        "epochs": min(100, max(10, round(40 * (5000 / images) ** 0.3))),
        "shift": round(size / 10),
        "first_size": 0.5,
        "bfloat16": True,
        "xavier": False,
        "dropout": False,
        "restart_below": 0.0,
    }


def preset(
    name: str, searched: Mapping[str, Any], size: int, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a recipe, one of NAMES, as a person changes it.

    Args:
        name: Which.
        searched: The options of the search's recipe, which SEARCH leaves as they are; `short` is
            a longer variant.
        size: Height and width of the images.
        given: What is to be different. Where it says how the learning rate falls, the recipe's own
            rates do not count.
    """
    if name == "short":
        chosen = {
            "epochs": 2 * searched["epochs"],
            "decay_every": 2 * searched["decay_every"],
            "rates": searched["rates"] and twice_as_long(searched["rates"]),
            "shift": searched["shift"] or size // 8,
        }
        return {**searched, **with_given(chosen, given)}
    return {**searched, **with_given(RECIPES.get(name, {}), given)}


def with_given(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a recipe, and in their place what is given.

    Where that says how the learning rate falls, the recipe's own way counts for nothing.
    """
    falls: dict[str, Any] = {"rates": None} if given.keys() & FALL else {}
    if given.keys() & (FALL - {"learning_rate"} | {"rates"}):
        falls["schedule"] = STEPS
    return {**recipe, **falls, **given}
