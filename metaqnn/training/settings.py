"""What networks themselves say of their training."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from metaqnn.errors import MetaqnnError
from metaqnn.training.recipe import FALL, MOVING, STEPS, Recipe
from state_space.settings import suggestion


def with_settings(recipe: Recipe, settings: Mapping[str, float]) -> Recipe:
    """The recipe as a network's settings, `Architecture.settings`, change it.

    They are its keys that are numbers, such as learning-rate, or on and off, which are 1 and 0.
    Where they say how the learning rate falls, the recipe's own rates do not count.

    Raises:
        MetaqnnError: A setting is unknown, impossible, or of no effect with this recipe.
    """
    if not settings:
        return recipe
    changes = check_settings(settings)
    if "momentum" in changes and recipe.optimizer not in MOVING:
        raise MetaqnnError(
            f"the network sets momentum, which {recipe.optimizer} does not have; only "
            f"{' and '.join(MOVING)} have it"
        )
    falls = sorted(changes.keys() & {"decay", "decay_every"})
    if falls and recipe.schedule != STEPS:
        name, has = falls[0].replace("_", "-"), recipe.schedule.replace("-", " ")
        raise MetaqnnError(f"the network sets {name}, which {has} does not have; only steps do")
    rates = {"rates": None} if changes.keys() & FALL else {}
    return _changed(recipe, {**changes, **rates})


def check_settings(settings: Mapping[str, float]) -> dict[str, int | float]:
    """The keys of a recipe that a network's settings are, with their values.

    Raises:
        MetaqnnError: A setting is unknown or impossible.
    """
    kinds = {
        name.replace("_", "-"): (name, field.annotation)
        for name, field in Recipe.model_fields.items()
        if field.annotation in (bool, int, float)
    }
    changes: dict[str, int | float] = {}
    for setting, value in settings.items():
        if setting not in kinds:
            raise MetaqnnError(
                f"the network sets {setting}, which no recipe has{suggestion(setting, kinds)}"
            )
        name, kind = kinds[setting]
        whole = kind is int and float(value).is_integer()
        changes[name] = (
            int(value) if whole else bool(value) if kind is bool and value in (0, 1) else value
        )
    # with the optimizer that reads all of them
    _changed(Recipe(optimizer="sgd"), changes)
    return changes


def _changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe(**{**recipe.model_dump(), **changes})
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]).replace("_", "-")
        message = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
        raise MetaqnnError(f"the network sets {name} to {problem['input']!r}: {message}") from None
