"""Arrays as a trained network reads them."""

from typing import Any

import numpy as np

from metaqnn.data.layout import as_read
from metaqnn.data.preparation import UNTOLD, Preparation, grey_levels, resized, units
from metaqnn.data.scale import as_trained, find_range
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape


def prepare(images: Any, shape: Shape, preparation: Preparation) -> np.ndarray:
    """Images as float32 of shape (images, channels, height, width), in the training arrays' units.

    What was done to the training arrays is done to them: the same layout, scale, rounding and
    resizing.

    Args:
        images: Array or tensor, as those of the training.
        shape: (channels, height, width) that the network reads.
        preparation: Of its training images.

    Raises:
        MetaqnnError: They have another shape or scale, or none are there.
    """
    if np.ma.is_masked(images):
        raise MetaqnnError("some pixels of the images are masked; fill them, as by x.filled(0)")
    try:
        x = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    except Exception as error:  # whatever an object that is no array raises
        raise MetaqnnError(f"the images are no array: {' '.join(str(error).split())}") from None
    read = as_read(x, shape, preparation.size) if x.ndim in (3, 4) else None
    if read is not None and not len(read):
        raise MetaqnnError(f"there are no images to classify: the shape is {x.shape}")
    if read is None:
        wanted = ", ".join(map(str, shape))
        raise MetaqnnError(f"the images must have the shape (n, {wanted}), not {x.shape}")
    name = "the array of images"
    if preparation == UNTOLD:
        find_range(read, name)
    else:
        read = as_trained(read, preparation, name, "the training images")
    if read.shape[1:] == shape and preparation.factor == 1:
        return np.ascontiguousarray(read, np.float32)
    if read.shape[1:] == shape:
        return units(grey_levels(read, preparation), preparation)
    made = resized(grey_levels(read, preparation), (shape[1], shape[2]))
    return units(made.numpy(), preparation)
