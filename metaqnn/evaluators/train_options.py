"""Options of the evaluator that trains."""

from typing import Any, ClassVar

from pydantic import Field

from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.base import METRICS
from metaqnn.options import Section, make
from metaqnn.spaces import read_space
from metaqnn.training.optimizers import OPTIMIZERS
from metaqnn.training.presets import PAPER, PRACTICAL, RECIPES, practical, with_given
from metaqnn.training.recipe import Recipe
from state_space.settings import suggestion


class RecipeChoice(Section):
    """Which recipe the options of trainings are filled in from."""

    HEADING: ClassVar = "Training"

    recipe: str = Field(
        PAPER,
        description="Defaults of trainings: paper, practical (by the number of images), or one of "
        "metaqnn finalize, such as nasnet-search. Default: the space's, else paper.",
    )


class TrainOptions(Section):
    """Which images, how networks are trained on them, and how good their answers are."""

    metric: str = Field(
        "accuracy",
        description="What is searched for: accuracy, balanced-accuracy (every class counts the "
        "same, however rare) or macro-f1 (likewise, and false alarms count too), as scikit-learn "
        "defines them.",
    )
    data: DataOptions = DataOptions()
    chosen: RecipeChoice = RecipeChoice()
    recipe: Recipe = Recipe()

    HEADING: ClassVar = "Training"

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out the defaults of the recipe and of the data set.

        Raises:
            MetaqnnError: There is no such data set, recipe, optimizer or metric; or the images,
                whose number the practical recipe goes by, cannot be loaded.
        """
        completed = DataOptions.complete(given)
        if "recipe" not in given and isinstance(space := completed.get("space"), str):
            given = {**given, "recipe": read_space(space).get("recipe", PAPER)}
        recipe = given.get("recipe", PAPER)
        known = (PAPER, PRACTICAL, *RECIPES)
        if recipe not in known:
            raise MetaqnnError(f"there is no recipe {recipe!r}{suggestion(str(recipe), known)}")
        if recipe == PRACTICAL:
            given = _practical(given)
        elif recipe in RECIPES:
            given = with_given(RECIPES[recipe], given)
        optimizer = given.get("optimizer")
        if isinstance(optimizer, str):
            OPTIMIZERS.check(optimizer)
        metric = given.get("metric")
        if isinstance(metric, str):
            METRICS.check(metric)
        return DataOptions.complete(given)


def _practical(given: dict[str, Any]) -> dict[str, Any]:
    """The options with those of the practical recipe for the images, where they are not given."""
    optimizer = str(given.get("optimizer", "muon"))
    chosen = practical(1, 1, optimizer)
    if given.keys() >= chosen.keys():
        return given
    from metaqnn.data.parts import load_split  # torch is imported where images are loaded

    completed = DataOptions.complete(given)
    own = {name: completed[name] for name in DataOptions.model_fields if name in completed}
    training, _ = load_split(make(DataOptions, own))
    return with_given(practical(len(training), training.shape[1], optimizer), given)
