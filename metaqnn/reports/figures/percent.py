"""Axes of accuracy in percent, stretched towards 100 %."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from metaqnn.task import Score

Floats = npt.NDArray[np.float64]

ROOM = 0.1
"""Points above 100 %, at which the logarithm would have no end."""

TICKS = (
    *(90, 50, 95, 99, 80, 98, 70, 97, 99.5, 10, 30, 100, 99.9),
    *(0, 20, 40, 60, 96, 85, 75, 92, 94, 98.5, 97.5, 99.8, 99.2, 96.5),
)
"""The most important first."""

APART = 0.07
"""Ticks are at least so far from each other, as a share of the axis."""

NARROW = 3
"""Where the highest error is not so many times the lowest, the axis stays as it is."""

MARGIN = 0.04


def stretch(axes: Axes, score: Score) -> None:
    """Make the vertical axis, where its data are percents of right answers, logarithmic in errors.

    Else a few networks that learn nothing would press all others into one line. To be called when
    all is drawn.
    """
    if score.unit != "%" or score.falls:
        return
    low, high = axes.dataLim.intervaly
    if not (0 <= low < high <= 100 and 100 + ROOM - low > NARROW * (100 + ROOM - high)):
        return
    axes.set_yscale("function", functions=(_forward, _inverse))
    bottom, top = _forward(np.array([low, high]))
    margin = MARGIN * (top - bottom)
    axes.set_ylim(*_inverse(np.array([bottom - margin, top + margin])))
    low, high = axes.get_ylim()
    shown: list[float] = []
    for tick in map(float, TICKS):
        away = np.abs(_forward(np.array(shown)) - _forward(np.array(tick)))
        if low <= tick <= high and (away > APART * (top - bottom)).all():
            shown.append(tick)
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])


def _forward(accuracy: Floats) -> Floats:
    return -np.log10(np.maximum(100 + ROOM - accuracy, 1e-3))


def _inverse(place: Floats) -> Floats:
    return 100 + ROOM - 10.0**-place
