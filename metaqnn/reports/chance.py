"""What a person should know of a search whose networks have learnt nothing."""

import pandas as pd


def advise(trained: pd.DataFrame) -> str | None:
    """Whether networks are no better than an answer that never changes, and what to try.

    Args:
        trained: The distinct networks of `Memory.frame`.
    """
    succeeded = trained[trained["error"].isna()]
    if "at_chance" not in succeeded or succeeded.empty:
        return None
    at_chance = succeeded["at_chance"].notna()
    if at_chance.all():
        return (
            "All networks stayed at chance: none is better than an answer that never changes. Try "
            "another --learning-rate, a smaller --batch-size or more --epochs, and look with "
            "`metaqnn check` at what was read."
        )
    if at_chance[succeeded["reward"] == succeeded["reward"].max()].all():
        return (
            "The best network is no better than an answer that never changes: look with `metaqnn "
            "check` at how many images each class has; where some are rare, --class-weights "
            "balanced and --metric balanced-accuracy help."
        )
    return None
