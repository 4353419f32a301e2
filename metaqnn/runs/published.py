"""Published networks in the place of those that a run has found."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.runs.run import Run


def with_published(run: Run, names: Sequence[str]) -> tuple[Run, pd.DataFrame]:
    """The run as if these networks were its space, and they as `plan_finals` and `finalize` want.

    Args:
        run: Whose data and options they are trained with.
        names: Of `metaqnn.networks.named.NAMED`, one at least.

    Raises:
        MetaqnnError: There is none of a name, one stands there twice, or the run is of texts.
    """
    if not run.space().trainable:
        raise MetaqnnError(
            f"{run.path} reads no images, as {names[0]} does; `metaqnn train lstm --final` trains "
            "a cell by its name, and tests it"
        )
    objects = {name: part for name, part in run.objects.items() if name != "space"}
    settings = {"space": "published", "networks": list(names)}
    run = replace(run, space_settings=settings, objects=objects)
    space = run.space()
    walks = [(name,) for name in names]
    digests = [space.architecture(walk).digest for walk in walks]
    columns = {"rank": pd.NA, "score": float("nan"), "network": names, "digest": digests}
    return run, pd.DataFrame({"walk": walks, **columns})
