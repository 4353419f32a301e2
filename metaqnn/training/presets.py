"""Recipes of final trainings by name."""

from collections.abc import Mapping
from math import log2
from typing import Any

from metaqnn.training.recipe import FALL, twice_as_long

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
    "restart_below": 0.0,
}
"""Baker et al. 2017, section 5.2 and appendix."""

_SHORT_RATES = "0.025:5,0.0125:5,0.0001:20,0.00001:10"

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
}
"""Options of a recipe; `short`, which depends on the run, is beside them."""

SEARCH = "search"

NAMES = ("short", SEARCH, *RECIPES)

PAPER, PRACTICAL = "paper", "practical"
"""The recipes of searches: what the options of `Recipe` say, and `practical`."""


_STEPS: Mapping[str, Mapping[str, float]] = {
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
        **_STEPS.get(optimizer, {}),
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
    else:
        chosen = dict(RECIPES.get(name, {}))
    if given.keys() & FALL:
        chosen["rates"] = None
    return {**searched, **chosen, **given}
