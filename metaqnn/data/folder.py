"""The data set of pictures in class folders."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from metaqnn.data.cache import read_once
from metaqnn.data.deep import DEEP
from metaqnn.data.images import Images, Origin
from metaqnn.data.labels import check_classes, listed, match_classes
from metaqnn.data.listing import Listing, list_folder
from metaqnn.data.options import DataOptions
from metaqnn.data.pictures import TRAINED_ON, Look
from metaqnn.data.preparation import Preparation
from metaqnn.data.reading import describe_broken, look_at_all, read_all
from metaqnn.data.scale import check_span
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape
from metaqnn.terminal import counted

SKIP = "; --skip-broken goes on without them"


def folder(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """Pictures as DIR/train/CLASS/*, DIR/val/CLASS/* and DIR/test/CLASS/*, or DIR/CLASS/*.

    All have the channels and the scale of the training pictures, whatever their own.
    """
    listing = list_folder(Path(str(path)))
    if part not in listing.parts:
        return None
    left_out, warnings = list(listing.left_out), list(listing.warnings)
    files, places = listing.parts["train"]
    looks, broken = look_at_all(files)
    if part == "train":
        _skip(broken, config, left_out)
    known = [look for look in looks if look]
    if not known:
        raise MetaqnnError(f"{listing.folders['train']} has no picture that can be read")
    shape, preparation = _form(known, listing, config)
    if part != "train":
        names = str(listing.folders.get(part, listing.root))
        if (places := listing.parts[part][1]).min() < 0:
            _refuse_unknown(listing, part)
        files = listing.parts[part][0]
        looks, broken = look_at_all(files)
        _skip(broken, config, left_out)
        others = [look for look in looks if look]
        if not others:
            raise MetaqnnError(f"{names} has no picture that can be read")
        _check_sizes(others, names, config, shape[1:])
        if shape[0] < 3 and any(look.channels == 3 for look in others):
            warnings.append(
                f"{names} has colours, which are made grey as the training pictures are"
            )
        clear = sum(look.alpha for look in others)
        if clear and config.transparency != "keep" and not any(look.alpha for look in known):
            warnings.append(
                counted(clear, f"picture in {names} has", f"pictures in {names} have")
                + " transparency, those of training none: it is "
                f"laid on {config.transparency} (--transparency)"
            )
    else:
        warnings += _remarks(known, config)
    kept = [place for place in range(len(files)) if place not in broken]
    files, places = tuple(files[place] for place in kept), places[kept]
    read = read_once if config.picture_cache else read_all
    pixels, broken = read(files, shape, preparation)
    _skip(broken, config, left_out)
    kept = [place for place in range(len(files)) if place not in broken]
    places = places[kept]
    counts = {
        name: _counts(places if name == part else listing.parts[name][1], listing.classes)
        for name in listing.parts
    }
    if part == "train":
        lost = [name for name, count in counts["train"].items() if not count]
        if lost:
            raise MetaqnnError(f"no picture of the class {listed(lost)} can be read")
    if preparation.scale == "values" and preparation.white is None and part == "train":
        check_span(float(pixels.min()), float(pixels.max()), str(listing.folders["train"]))
        preparation = replace(preparation, low=float(pixels.min()), high=float(pixels.max()))
    origin = Origin(
        counts, tuple(left_out), tuple(warnings), names=tuple(str(files[place]) for place in kept)
    )
    labels = torch.from_numpy(places.astype(np.int64))
    return Images(torch.from_numpy(pixels), labels, listing.classes, False, preparation, origin)


def _form(looks: list[Look], listing: Listing, config: DataOptions) -> tuple[Shape, Preparation]:
    """The shape of the images, and how pictures become them, as the training pictures have it.

    Raises:
        MetaqnnError: They differ in size, or in scales between which nobody can choose.
    """
    train = str(listing.folders["train"])
    check_classes(listing.classes, train)
    size = _check_sizes(looks, train, config, None)
    channels = {"grey": 1, "rgb": 3}.get(config.colour, max(look.channels for look in looks))
    if config.transparency == "keep" and any(look.alpha for look in looks):
        channels += 1
    whites = {look.white for look in looks}
    if None in whites:
        if len(whites) > 1:
            raise MetaqnnError(
                f"{train} has pictures of 32 bits and of fewer: nobody knows what white is in the "
                "former; write all alike"
            )
        made = Preparation("values", 0.0, 1.0, None)
    else:
        made = Preparation("values", 0.0, DEEP, DEEP) if DEEP in whites else Preparation()
    made = replace(made, resampling="bicubic", transparency=config.transparency)
    return (channels, *size), made


def _check_sizes(
    looks: list[Look], name: str, config: DataOptions, wanted: tuple[int, ...] | None
) -> tuple[int, int]:
    """The (height, width) of the images.

    Raises:
        MetaqnnError: The pictures have several, or another one than is wanted.
    """
    if config.image_size is not None:
        return config.image_size, config.image_size
    advice = "say with --image-size to which height and width to resize them"
    sizes = sorted({(look.size[1], look.size[0]) for look in looks})
    if len(sizes) > 1:
        raise MetaqnnError(
            f"the pictures in {name} differ in size, from {sizes[0]} to {sizes[-1]}; {advice}"
        )
    width, height = sizes[0]
    if wanted is not None and wanted != (height, width):
        raise MetaqnnError(
            f"the pictures in {name} are {height}x{width}, those of training "
            f"{wanted[0]}x{wanted[1]}; {advice}"
        )
    return height, width


def _skip(broken: dict[int, str], config: DataOptions, left_out: list[str]) -> None:
    """Note the broken files, where they may be left out.

    Raises:
        MetaqnnError: They may not.
    """
    if broken and not config.skip_broken:
        is_whole = all(TRAINED_ON in why for why in broken.values())  # to be mended, not skipped
        raise MetaqnnError(f"{describe_broken(broken)}{'' if is_whole else SKIP}")
    if broken:
        left_out.append(f"broken files: {len(broken):,}, {describe_broken(broken)}")


def _refuse_unknown(listing: Listing, part: str) -> None:
    """Tell which class of a part the training pictures have not.

    Raises:
        MetaqnnError: Always.
    """
    path = listing.folders[part]
    names = sorted({file.relative_to(path).parts[0] for file in listing.parts[part][0]})
    match_classes(names, listing.classes, str(path), str(listing.folders["train"]))


def _remarks(looks: list[Look], config: DataOptions) -> list[str]:
    """What people should know of pictures that are read otherwise than they look."""
    remarks = []
    moving = sum(look.moves for look in looks)
    if moving:
        remarks.append(
            f"{counted(moving, 'picture has', 'pictures have')} several frames, of which the first "
            "is read"
        )
    clear = sum(look.alpha for look in looks)
    if clear and config.transparency != "keep":
        remarks.append(
            f"{counted(clear, 'picture has', 'pictures have')} transparency, laid on "
            f"{config.transparency} (--transparency)"
        )
    whites = {look.white for look in looks}
    if whites == {255.0, DEEP}:
        deep = sum(look.white == DEEP for look in looks)
        remarks.append(
            f"{counted(deep, 'picture has', 'pictures have')} 16 bits, the others 8, of which "
            "white is the same"
        )
    shapes = {look.size[0] / look.size[1] for look in looks}
    if config.image_size and max(shapes) > 1.5 * min(shapes):
        remarks.append("pictures of different proportions are squeezed into squares")
    grey = sum(look.channels == 1 for look in looks)
    if config.colour == "auto" and 0 < grey < len(looks):
        remarks.append(f"{grey:,} of {len(looks):,} pictures are grey, the others have colours")
    return remarks


def _counts(places: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    known = places[places >= 0]
    return dict(zip(classes, np.bincount(known, minlength=len(classes)).tolist(), strict=True))
