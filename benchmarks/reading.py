"""Reading photographs: seconds against decoding them alone, and memory above the result; again."""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.data.reading import threads


def write(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """Noisy photographs of two classes, twenty of them different."""
    random = np.random.default_rng(0)
    files = []
    for place in range(count):
        path = folder / "train" / "ab"[place % 2] / f"{place:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if place < 20:
            coarse = random.integers(0, 200, (height // 50, width // 50, 3))
            pixels = np.kron(coarse, np.ones((50, 50, 1)))
            pixels = np.clip(pixels + random.normal(0, 12, pixels.shape), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(path, quality=80)
        else:
            path.write_bytes(files[place % 20].read_bytes())
        files.append(path)
    return files


def decode(files: list[Path], size: int | None) -> float:
    """Seconds that Pillow takes to decode the files in as many threads, reduced where it can."""

    def read(path: Path) -> None:
        with Image.open(path) as picture:
            if size is not None:
                picture.draft(None, (size, size))
            picture.load()

    def all_of_them() -> None:
        with ThreadPoolExecutor(threads()) as pool:
            list(pool.map(read, files))

    return seconds(all_of_them)


def seconds(do: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def peak() -> float:
    """Megabytes that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=1250)
    parser.add_argument("--image-size", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        sizes = (options.pictures, options.width, options.height)
        with ProcessPoolExecutor(1) as other:  # so that its memory is not counted
            files = other.submit(write, Path(folder, "pictures"), *sizes).result()
        config = DataOptions(dataset=f"folder:{folder}/pictures", image_size=options.image_size)
        before = peak()
        ours = seconds(lambda: load(config, "train"))
        print(f"read and resized: {ours:.1f} s, {peak() - before:.0f} MB more than before")
        print(f"the same again: {seconds(lambda: load(config, 'train')):.1f} s")
        print(f"decoded by Pillow: {decode(files, None):.1f} s")
        print(f"decoded by Pillow, reduced: {decode(files, options.image_size):.1f} s")


if __name__ == "__main__":
    main()
