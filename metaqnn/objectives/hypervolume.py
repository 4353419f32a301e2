"""How much of a box some points dominate, exactly; and which points no other one dominates.

Zitzler & Thiele 1998, "Multiobjective Optimization Using Evolutionary Algorithms"; the volume is
computed in slices along the last coordinate, as While, Hingston, Barone & Huband 2006, "A Faster
Algorithm for Calculating Hypervolume", do it.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def non_dominated(points: Floats) -> npt.NDArray[np.bool_]:
    """Whether no other point is at least as high in every coordinate, and higher in one.

    Of equal points all are, or none.

    Args:
        points: (points, coordinates); infinite ones may be among them.
    """
    found = np.zeros(len(points), dtype=bool)
    front = np.empty((0, points.shape[1]))
    # in this order, from the highest first coordinate down, what dominates a point comes before it
    for at in np.lexsort(-points.T[::-1]):
        point = points[at]
        above = (front >= point).all(1)
        if not (above & (front > point).any(1)).any():
            found[at] = True
            front = np.vstack([front, point])
    return found


def hypervolume(points: Floats) -> float:
    """The volume of the union of the boxes from the origin to each point.

    Args:
        points: (points, coordinates); a coordinate below 0 counts as 0.
    """
    points = points[(points > 0).all(1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = points[non_dominated(points)]
    points = points[np.argsort(-points[:, -1], kind="stable")]
    heights = points[:, -1] - np.append(points[1:, -1], 0.0)
    if points.shape[1] == 2:  # on the front the other coordinate grows where this one falls
        return float(points[:, 0] @ heights)
    slices = enumerate(heights.tolist(), start=1)
    return float(sum(height * hypervolume(points[:count, :-1]) for count, height in slices))
