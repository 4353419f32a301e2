"""What an entrant hands over for a time of one core: itself against networks by hand and peers.

    python benchmarks/peers.py cifar10 metaqnn --data-dir FOLDER --seed 0
    python benchmarks/peers.py --table

FOLDER has cifar10.npz and mnist.npz (x_train, y_train, x_test, y_test); 6,000 of their images are
to train on, or all for the tasks cifar10-full and mnist-full; all of the test part are tested.
Every entrant has the same seconds of processor time of one thread, its search and its last training
included. Each call adds a line to results/published/peers.csv; --table makes peers.md of all of
them. KerasTuner wants `pip install keras keras-tuner six`.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import torch
from handwritten import EPOCHS, accuracy, handwritten, probabilities, standardised
from peers_task import FULL, LIMITS, TESTED, Handed, Task
from peers_tuned import keras_tuner, optuna_template
from torch import Tensor

import metaqnn
from metaqnn.metrics.tested import wilson

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
NOTE = """# What is handed over

By `benchmarks/peers.py`: every entrant has the same time of one core, on two cores of an Intel
Xeon with AMX that other programs used too. The error is the mean over the seeds; the interval is
Wilson's for so many test images. The ensemble is of all networks that an entrant has trained,
where it has several. Seconds are of processor time. An entrant by hand is trained again with
other seeds as often as its time allows, and the best by validation is handed over; A, B and C are
in `benchmarks/handwritten.py`, the template of Optuna and KerasTuner in
`benchmarks/peers_tuned.py`. `metaqnn` is `metaqnn run --dataset ... --time-limit ...`;
`metaqnn-zero-cost` is that with `--zero-cost`; `metaqnn-2-workers` has two cores for as long as the
clock says; `metaqnn-paper` is the paper's
space and recipe, ended when the time was over. `cells-ppo` is
`metaqnn run --dataset ... --time-limit ... --space nasnet-small --agent ppo`, and so are the other
cells and blocks (`block-qnn-small`).
"""

COLUMNS = ("task", "entrant", "seed", "limit", "error", "ensemble", "seconds", "handed")


def by_hand(name: str) -> Callable[[Task, int, Path], Handed]:
    """The entrant of a network of `handwritten.py`.

    It has its usual epochs as often as there is time for, and the best by validation is handed
    over; where there is no time to train it twice it has as many epochs as fit, on all images.
    """

    def train(task: Task, seed: int, work: Path) -> Handed:
        began = time.process_time()
        trial = handwritten(name, task.training, EPOCHS[name], seed, mirrored=task.mirrored)
        next(trial)
        warm = time.process_time()  # the first epoch has what is done once in it
        next(trial)
        epoch = time.process_time() - warm
        fitting = int((task.limit - (time.process_time() - began)) / epoch)
        found: list[tuple[float, Tensor]] = []
        if fitting < 2 * EPOCHS[name]:
            fitting = int(fitting * len(task.training) / len(task.all))
            *_, network = handwritten(name, task.all, fitting, seed, mirrored=task.mirrored)
            tested = probabilities(network, standardised(task.test, task.all))
            return tested, None, f"{fitting} epochs on all images"
        for number in range(fitting // EPOCHS[name]):
            own = 1000 * seed + number
            *_, network = handwritten(
                name, task.training, EPOCHS[name], own, mirrored=task.mirrored
            )
            held, tested = (
                probabilities(network, standardised(part, task.training))
                for part in (task.validation, task.test)
            )
            found.append((accuracy(held, task.validation.labels), tested))
        best = max(found, key=lambda pair: pair[0])[1]
        together = torch.stack([tested for _, tested in found]).mean(0)
        return best, together, f"best of {len(found)} trainings of {EPOCHS[name]} epochs"

    return train


def run_metaqnn(task: Task, seed: int, work: Path) -> Handed:
    """Metaqnn with a data set and a time: nothing else is said."""
    return _timed(task, seed, work)


def run_workers(task: Task, seed: int, work: Path) -> Handed:
    """The same with two workers: the time is the clock's, on two cores."""
    return _timed(task, seed, work, "--workers", "2")


def _timed(task: Task, seed: int, work: Path, *options: str) -> Handed:
    folder = work / "run"
    limit = ("--time-limit", f"{task.limit:g}s", *options)
    _metaqnn("run", "--dataset", task.dataset, *limit, seed, folder)
    tested = _tested(folder, work, task, "--final", "timed-1")
    finals = pd.read_csv(folder / "final" / "timed-1" / "results.csv")
    return tested, None, str(finals["network"].iloc[0])


def run_zero_cost(task: Task, seed: int, work: Path) -> Handed:
    """The same, where the agent looks at networks before they are trained."""
    return _timed(task, seed, work, "--zero-cost")


def in_space(space: str, agent: str) -> Callable[[Task, int, Path], Handed]:
    """The same, where space and agent are named."""

    def run(task: Task, seed: int, work: Path) -> Handed:
        return _timed(task, seed, work, "--space", space, "--agent", agent)

    return run


def run_paper(task: Task, seed: int, work: Path) -> Handed:
    """Metaqnn without a time, in the paper's space by its recipe, ended when the time is over."""
    folder = work / "run"
    options = () if task.dataset == "digits" else ("--space", "mnist-small", "--recipe", "paper")
    _metaqnn("run", "--dataset", task.dataset, *options, seed, folder, limit=task.limit)
    best = metaqnn.Search.open(folder).best(k=5)
    found = [_tested(folder, work, task, "--rank", str(rank)) for rank in best["rank"]]
    return found[0], torch.stack(found).mean(0), str(best["network"].iloc[0])


def _metaqnn(*arguments: object, limit: float | None = None) -> None:
    """`metaqnn run` in a process of its own; the last two arguments are seed and folder."""
    *options, seed, folder = arguments
    assert isinstance(folder, Path)
    command = [sys.executable, "-m", "metaqnn", *map(str, options), "--seed", str(seed)]
    command += ["--name", folder.name, "--results-dir", str(folder.parent)]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            times = watched.cpu_times()
            if limit is not None and times.user + times.system > limit:
                process.send_signal(signal.SIGINT)
                process.wait()
            time.sleep(0.2)
    if process.returncode not in (0, 130):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")


def _tested(folder: Path, work: Path, task: Task, *which: str) -> Tensor:
    """Probabilities of the test images of one of a run's networks, as its user takes it home."""
    file = work / "network.safetensors"
    command = [sys.executable, "-m", "metaqnn", "export", str(folder), *which, "--to", str(file)]
    subprocess.run(command, check=True)
    return torch.from_numpy(metaqnn.load(file).probabilities(task.test.images.numpy()))


ENTRANTS: dict[str, Callable[[Task, int, Path], Handed]] = {
    "metaqnn": run_metaqnn,
    "metaqnn-2-workers": run_workers,
    "metaqnn-zero-cost": run_zero_cost,
    "cells-ppo": in_space("nasnet-small", "ppo"),
    "cells-random": in_space("nasnet-small", "random"),
    "blocks-q-learning": in_space("block-qnn-small", "q-learning"),
    "blocks-random": in_space("block-qnn-small", "random"),
    "metaqnn-paper": run_paper,
    "A": by_hand("A"),
    "B": by_hand("B"),
    "C": by_hand("C"),
    "optuna": optuna_template,
    "keras-tuner": keras_tuner,
}


def processor_time() -> float:
    """Seconds of this process and of those that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def write_table() -> None:
    """results/published/peers.md of peers.csv: a table a task, the lowest mean error first."""
    rows = pd.read_csv(PUBLISHED / "peers.csv")
    text = [f"{NOTE}\n"]
    for (name, limit), group in rows.groupby(["task", "limit"], sort=False):
        tested = TESTED[str(name).removesuffix(FULL)]
        text.append(f"## {name}, {limit / 60:g} minutes, {tested:,} test images\n")
        table = []
        for entrant, own in group.groupby("entrant"):
            mean = own["error"].mean()
            low, high = wilson(round(mean * tested), tested)
            together = own["ensemble"].mean()
            table.append(
                {
                    "entrant": entrant,
                    "test error": f"{mean:.2%}",
                    "95 % interval": f"{low:.2%} to {high:.2%}",
                    "of the seeds": ", ".join(f"{error:.2%}" for error in own["error"]),
                    "ensemble": "" if pd.isna(together) else f"{together:.2%}",
                    "seconds": f"{own['seconds'].mean():.0f}",
                    "order": mean,
                }
            )
        ordered = pd.DataFrame(table).sort_values("order").drop(columns="order")
        text.append(ordered.to_markdown(index=False, disable_numparse=True) + "\n")
    (PUBLISHED / "peers.md").write_text("\n".join(text), encoding="utf-8")


def main() -> None:
    """One entrant of one task, or the table of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", nargs="?", choices=LIMITS)
    parser.add_argument("entrant", nargs="?", choices=ENTRANTS)
    parser.add_argument("--data-dir", type=Path, default=Path())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="3 for digits, 10 for others unless given")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    if args.table:
        write_table()
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        task = Task(args.task, args.data_dir, Path(work), args.minutes)
        began = processor_time()
        one, together, handed = ENTRANTS[args.entrant](task, args.seed, Path(work))
        seconds = processor_time() - began
    labels = task.test.labels
    errors = [
        "" if found is None else f"{1 - accuracy(found, labels):.4f}" for found in (one, together)
    ]
    row = (args.task, args.entrant, args.seed, task.limit, *errors, round(seconds), handed)
    file = PUBLISHED / "peers.csv"
    is_new = not file.exists()
    with file.open("a", newline="") as out:
        writer = csv.writer(out)
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerow(row)
    print(*row, sep="  ")


if __name__ == "__main__":
    main()
