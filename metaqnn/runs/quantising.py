"""Networks that were trained in the end, once more in whole numbers of 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from metaqnn.data.images import Images
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.base import METRICS
from metaqnn.metrics.tested import test_column, test_results
from metaqnn.models.formats import load as load_model
from metaqnn.models.formats import to_onnx
from metaqnn.models.latency import median_latency
from metaqnn.models.network import load_network
from metaqnn.models.quantised import SUFFIX, need_int8, pixels, quantise
from metaqnn.runs.assembly import make_trainer
from metaqnn.runs.finals import Finals
from metaqnn.runs.results import BYTES, write_results
from metaqnn.runs.run import Run
from metaqnn.storage import write_file, write_output
from metaqnn.terminal import make_bar


def find_images(run: Run) -> tuple[Images, Images | None]:
    """The images for training, and those for testing, None where there are none.

    Args:
        run: Whose networks are to be quantised.

    Raises:
        MetaqnnError: Its networks do not read images, these are not there, or a package is missing.
    """
    need_int8()
    return make_trainer(run).calibration()


def write_int8(run: Run, weights: Path, target: Path) -> None:
    """Write a network of a run in whole numbers.

    Args:
        run: Whose images for training tell how far the values in it go.
        weights: Its file.
        target: The file to write.

    Raises:
        MetaqnnError: See `find_images`; or the file is no .onnx, or cannot be written.
    """
    if target.suffix != ".onnx":
        raise MetaqnnError(f"{target}: int8 is written as ONNX, so the suffix must be .onnx")
    training, _ = find_images(run)
    network, facts = load_network(weights)
    write_output(target, quantise(to_onnx(network, facts), facts, training))


def quantise_finals(
    finals: Finals, results: pd.DataFrame, images: tuple[Images, Images | None], *, quiet: bool
) -> pd.DataFrame:
    """Quantise the networks of results, beside their weights, and test them; write RESULTS.

    Args:
        finals: Of the results.
        results: As `Finals.test` returns them.
        images: As `find_images` returns them.
        quiet: Show no bar.

    Returns:
        The results with further columns: latency and int8_latency (seconds an image), bytes and
        int8_bytes (of the files of ONNX), int8_test_error and the like (where there are images for
        testing), and int8_weights (the file in the folder).

    Raises:
        MetaqnnError: A network cannot be quantised.
    """
    metric = METRICS.find(finals.run.config.parts["evaluator"].metric)
    training, testing = images
    told = ("test_error", test_column(metric.column))
    rows: list[dict[str, Any]] = []
    with make_bar(quiet=quiet) as progress:
        task = progress.add_task(f"int8: {finals.path.name}", total=len(results), state="")
        for weights in results["weights"]:
            row: dict[str, Any] = {}
            if not pd.isna(weights):
                path = finals.path / weights
                model, row = _quantise(path, training)
                row["int8_weights"] = str(model.relative_to(finals.path))
                if testing is not None:
                    tested = test_results(
                        _probabilities(model, testing), testing.labels.numpy(), metric
                    )
                    row |= {f"int8_{name}": tested[name] for name in tested if name in told}
            rows.append(row)
            progress.advance(task)
    more = pd.DataFrame(rows, index=results.index)
    # a run with a limit has a latency already, of before the training
    found = results.assign(**{str(name): more[name] for name in more})
    found = found.astype({name: kind for name, kind in BYTES.items() if name in found})
    write_results(finals.path, found)
    return found


def _quantise(path: Path, training: Images) -> tuple[Path, dict[str, Any]]:
    """The file of a network in whole numbers, and how large and fast both are."""
    network, facts = load_network(path)
    plain = to_onnx(network, facts)
    whole = quantise(plain, facts, training)
    target = path.with_suffix(SUFFIX)
    write_file(target, whole)
    both = {"": plain, "int8_": whole}
    measured = {
        f"{prefix}latency": median_latency(model, facts.input_shape)
        for prefix, model in both.items()
    }
    return target, {**measured, **{f"{prefix}bytes": len(model) for prefix, model in both.items()}}


def _probabilities(path: Path, images: Images) -> np.ndarray:
    model = load_model(path)
    scores = np.concatenate([model.score(part) for part in pixels(images)])
    return torch.from_numpy(scores).softmax(1).numpy()
