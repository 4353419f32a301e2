"""Recipes of language models by name."""

from collections.abc import Mapping
from typing import Any

SHORT, SEARCH = "short", "search"

_SMALL: Mapping[str, Any] = {
    "epochs": 13,
    "batch_size": 20,
    "optimizer": "sgd",
    "learning_rate": 1.0,
    "decay": 0.5,
    "constant_epochs": 4,
    "bptt": 20,
    "clip_norm": 5.0,
    "units": 200,
    "match_parameters": None,
    "layers": 2,
    "tied": False,
    "unit_dropout": 0.0,
    "variational": False,
    "spread": 0.1,
}
"""Zaremba, Sutskever & Vinyals 2014, section 4.1."""

_MEDIUM: Mapping[str, Any] = {
    **_SMALL,
    "epochs": 39,
    "decay": 1 / 1.2,
    "constant_epochs": 6,
    "bptt": 35,
    "units": 650,
    "unit_dropout": 0.5,
    "spread": 0.05,
}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "zaremba-small": _SMALL,
    "zaremba-medium": _MEDIUM,
    # Zoph & Le 2017, section 4.2 and table 2: 25 million weights, shared, with the dropout of Gal;
    # what their grid of rates, dropouts and epochs found is not published
    "nas-ptb": {**_MEDIUM, "match_parameters": 25_000_000, "tied": True, "variational": True},
}
"""Options of recipes of which nothing depends on the search's; that of all trainings but `seconds`.
"""

NAMES = (SHORT, SEARCH, *RECIPES)


def preset(name: str, searched: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a recipe, one of NAMES, as a person changes it.

    Args:
        name: Which.
        searched: The options of the search's recipe, which SEARCH leaves as they are; SHORT is for
            twice as many epochs, and the rate falls as far, half as fast.
        given: What is to be different. A number of units counts, not the size of the recipe's
            models.
    """
    chosen = dict(RECIPES.get(name, {}))
    if name == SHORT:
        chosen = {
            "epochs": 2 * searched["epochs"],
            "constant_epochs": 2 * searched["constant_epochs"],
            "decay": searched["decay"] ** 0.5,
        }
    if "units" in given:
        chosen["match_parameters"] = None
    return {**searched, **chosen, **given}
