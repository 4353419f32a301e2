"""Whether networks that are searched for within a latency keep it, and what a cap of FLOPs brings.

    python benchmarks/latency.py digits DIR --out results/published
    python benchmarks/latency.py npz:FOLDER/cifar10.npz DIR --out results/published

The limit is the latency that so large a share of random networks of the space has at most, and the
cap of FLOPs that which the same share has, so that both allow as many networks. For every seed
`metaqnn run` with each of them and with neither; the best network is trained once more on all
training images, tested, exported to ONNX, and timed again, in a process of its own.

Writes latency-DATA.csv, a row a run, and latency-DATA.md, anew after each. Runs that are in DIR
already are gone on with.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from metaqnn import Search
from metaqnn.models.latency import network_latency
from metaqnn.networks.cost import total_cost
from metaqnn.runs.assembly import make_evaluator
from metaqnn.search.rewards import show_latency
from state_space import random_walk

SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"space": "digits", "budget": 12, "epochs": 8},
    "npz": {
        **{"space": "practical", "recipe": "practical", "budget": 8, "epochs": 5, "seed": 0},
        **{"train_limit": 6000, "validation": 1000, "agent": "bayesian"},
    },
}
PLACE = {"device": "cpu", "threads": 1}
RANDOM = 60
"""Random networks that tell what is allowed."""

SHARES = {"digits": 0.85, "npz": 0.5}
"""Which share of them is; small networks of the space for digits are of no use."""

TIMED = (
    "import sys, json\n"
    "from pathlib import Path\n"
    "from metaqnn.models.latency import median_latency\n"
    "print(median_latency(Path(sys.argv[1]).read_bytes(), json.loads(sys.argv[2])))"
)


@click.command()
@click.argument("dataset")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--budget", type=int, help="Networks of a run.")
@click.option("--out", type=click.Path(path_type=Path), default=".", help="Folder of the tables.")
def main(dataset: str, folder: Path, seeds: int, budget: int | None, out: Path) -> None:
    """Make the runs and write the tables."""
    kind = dataset.partition(":")[0]
    options = {"dataset": dataset, **SETTINGS[kind], **PLACE}
    options |= {"budget": budget} if budget else {}
    limit, flops = find_limits(folder, options, SHARES[kind])
    caps = {
        f"--max-latency {1e6 * limit:.0f}us": {"max_latency": f"{1e6 * limit:.3f}us"},
        f"--max-flops {flops}": {"max_flops": flops},
        "none": {},
    }
    rows = []
    data = Path(dataset.rpartition(":")[2]).stem
    for seed in range(seeds):
        for name, cap in caps.items():
            run = folder / f"{name.split()[0].strip('-')}-{seed}"
            rows.append({"limit": name, "seed": seed, **hand_over(run, options | cap, seed)})
            click.echo(rows[-1])
            table = pd.DataFrame(rows)
            table.to_csv(out / f"latency-{data}.csv", index=False, lineterminator="\n")
            text = render(table, data, limit, options["budget"], SHARES[kind])
            (out / f"latency-{data}.md").write_text(text + "\n", encoding="utf-8")


def find_limits(folder: Path, options: dict[str, Any], share: float) -> tuple[float, int]:
    """The latency, in seconds, and FLOPs that a share of random networks have at most; once."""
    path = folder / "limits.json"
    if not path.exists():
        draft = Search(name="draft", results_dir=folder, **options)
        run = draft._run
        space, generator = run.space(), np.random.default_rng(0)
        evaluator = make_evaluator(run, space)
        found = []
        for _ in range(RANDOM):
            network = space.architecture(random_walk(space, generator))
            seconds = network_latency(network, evaluator.export_facts(network.text, run.task))
            found.append((seconds, 2 * total_cost(network, run.task.shape).multiply_adds))
        path.write_text(json.dumps(found))
    seconds, flops = np.quantile(json.loads(path.read_text()), share, axis=0)
    return float(seconds), int(flops)


def hand_over(path: Path, options: dict[str, Any], seed: int) -> dict[str, Any]:
    """Search, train the best network once more, and time its file in another process."""
    if path.exists():
        search = Search.open(path)
    else:
        search = Search(name=path.name, results_dir=path.parent, **{**options, "seed": seed})
    search.run(quiet=True)
    final = search.finalize(1, ensemble=1, recipe="search", quiet=True).iloc[0]
    file = path / "handed-over.onnx"
    if not file.exists():
        search.export(file, final="search")
    shape = json.dumps(search._run.task.shape)
    command = [sys.executable, "-c", TIMED, str(file), shape]
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    trials = search.trials()
    return {
        "validation": search.best(1)["accuracy"].iloc[0],
        "test_error": final["test_error"],
        "multiply_adds": int(final["multiply_adds"]),
        "latency": final.get("latency"),
        "timed_again": float(again),
        "refused": trials.loc[trials["refused"].notna(), "digest"].nunique(),
        "network": final["network"],
    }


def render(table: pd.DataFrame, data: str, limit: float, budget: int, share: float) -> str:
    """A row a kind of limit: means over the seeds."""
    rows = []
    for name, runs in table.groupby("limit", sort=False):
        again = runs["timed_again"]
        rows.append(
            {
                "limit": name,
                "validation": f"{runs['validation'].mean():.1%}",
                "test error": f"{runs['test_error'].mean():.1%}",
                "each seed": ", ".join(f"{error:.1%}" for error in runs["test_error"]),
                "multiply-adds": f"{runs['multiply_adds'].mean():,.0f}",
                "latency, timed again": ", ".join(map(show_latency, again)),
                "over the limit by": f"{again.max() / limit - 1:+.0%}",
                "refused": f"{runs['refused'].mean():.0f}",
            }
        )
    return (
        f"{data}: {budget} networks a run; the best one trained once more on all training images,\n"
        f"means over {table['seed'].nunique()} seeds. Both limits allow {share:.0%} of random "
        f"networks; that of latency is {show_latency(limit)}.\n\n"
        f"{pd.DataFrame(rows).to_markdown(index=False)}"
    )


if __name__ == "__main__":
    main()
