"""A recurrent cell against torch's LSTM: as many parameters, the same time, the same code.

    python benchmarks/recurrent_duel.py FOLDER --data-dir DIR --cell nascell
    python benchmarks/recurrent_duel.py FOLDER --data-dir DIR --cell nascell --tokens characters

DIR has Penn Treebank's three files. CELL is what `metaqnn train` takes. Each is trained
with several learning rates; the one that does better on the validation part with the first seed is
that of the other seeds.
Writes TOKENS.jsonl, a line a training, which is not made again, and the table TOKENS.md. All other
processes of the machine slow these trainings down: leave a core to each of --jobs.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch
from scipy import stats
from tabulate import tabulate

from metaqnn.evaluators.base import Job
from metaqnn.evaluators.language import TextOptions, read
from metaqnn.executors.base import Place
from metaqnn.language.files import load_model
from metaqnn.language.notation import find_cell
from metaqnn.language.recipe import CHARACTERS, UNITS, WORDS, LanguageRecipe
from metaqnn.language.training import log_likelihood, train
from metaqnn.storage import write_file
from state_space import Architecture

SIDES = FOUND, LSTM = "cell", "lstm"

RECIPES: Mapping[str, Mapping[str, Any]] = {
    WORDS: {"match_parameters": 300_000, "bptt": 35},
    CHARACTERS: {"match_parameters": 200_000, "bptt": 50},
}
SHARED: Mapping[str, Any] = {"layers": 1, "tied": True, "optimizer": "adam", "decay": 1.0}

RATES = (0.001, 0.004)


def train_once(
    folder: Path, text: TextOptions, cell: Architecture, minutes: float, job: tuple[str, float, int]
) -> dict[str, Any]:
    """A training of the cell, or of the LSTM, with a rate and a seed, as a line of the file."""
    torch.set_num_threads(1)
    name, rate, seed = job
    recipe = LanguageRecipe(
        **{**SHARED, **RECIPES[text.tokens]}, learning_rate=rate, seconds=60 * minutes, epochs=1000
    )
    corpus = read(text, test=True)
    chosen = LSTM if name == LSTM else cell
    found = train(chosen, corpus, recipe, Place("cpu", 1), Job(cell, seed, -math.inf))
    assert found.weights is not None and corpus.test is not None, "all weights were asked for"
    file = folder / f"{text.tokens}-{name}-{rate:g}-{seed}.safetensors"
    write_file(file, found.weights)
    model, _, _ = load_model(file)
    return {
        **{"cell": name, "rate": rate, "seed": seed, "curve": found.curve},
        **{"parameters": found.metrics["parameters"], "units": found.metrics["units"]},
        **{"validation": found.best, "test": log_likelihood(model, corpus.test, recipe)},
    }


def duel(
    folder: Path,
    text: TextOptions,
    cell: Architecture,
    *,
    minutes: float,
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    jobs: int = 1,
) -> str:
    """The table of all trainings of the two cells on a text; those that are not there are made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{text.tokens}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    make = partial(train_once, folder, text, cell, minutes)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:

        def train_all(wanted: Iterable[tuple[str, float, int]]) -> None:
            there = {(row["cell"], row["rate"], row["seed"]) for row in rows}
            for row in pool.map(make, [job for job in wanted if job not in there]):
                rows.append(row)
                with path.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                click.echo(f"{text.tokens}: {row['cell']} {row['rate']:g} {row['seed']}", err=True)

        train_all((name, rate, 0) for rate in rates for name in SIDES)
        better = better_rates(pd.DataFrame(rows))
        train_all((name, better[name], seed) for seed in range(1, seeds) for name in SIDES)
    table = tell(pd.DataFrame(rows), text.tokens, minutes)
    (folder / f"{text.tokens}.md").write_text(f"{table}\n", encoding="utf-8")
    return table


def better_rates(rows: pd.DataFrame) -> dict[str, float]:
    """Of each side the rate that does better with the first seed."""
    first = rows[rows["seed"] == 0].sort_values("validation", ascending=False)
    return first.drop_duplicates("cell").set_index("cell")["rate"].to_dict()


def tell(rows: pd.DataFrame, unit: str, minutes: float) -> str:
    """Each cell with every rate, and by how much the two differ, each with its better rate."""
    is_characters = unit == CHARACTERS
    rates = better_rates(rows)
    # a perplexity cannot be averaged, its logarithm can
    factor = 1 / math.log(2) if is_characters else 1.0
    rows = rows.assign(**{part: -factor * rows[part] for part in ("validation", "test")})
    lines = []
    for (cell, rate), own in rows.groupby(["cell", "rate"]):
        line = {"cell": cell, "rate": f"{rate:g}", "seeds": len(own)}
        line |= {"parameters": f"{own['parameters'].iloc[0]:,.0f}"}
        line |= {"epochs": "/".join(str(len(curve)) for curve in own["curve"])}
        for part in ("validation", "test"):
            line[part] = f"{own[part].mean():.3f} {interval(own[part])}"
            if not is_characters:
                line[part] += f" ({math.exp(own[part].mean()):.1f})"
        lines.append(line)
    better = {
        cell: rows[(rows["cell"] == cell) & (rows["rate"] == rate)].set_index("seed")
        for cell, rate in rates.items()
    }
    epochs = min(len(curve) for own in better.values() for curve in own["curve"])
    equal = f"validation, the first {epochs} epochs of both"
    for cell, own in better.items():
        first = own["curve"].map(lambda curve: -factor * max(curve[:epochs]))
        better[cell] = own.assign(**{equal: first})
    ends = []
    for part in ("validation", "test", equal):
        less = (better[FOUND][part] - better[LSTM][part]).dropna()
        ends.append(f"- {part}: {less.mean():+.3f} {interval(less, '+')}")
    what = "Bits a character" if is_characters else "Nats a word (and the perplexity)"
    return (
        f"{what} after {minutes:g} minutes, lower is better: mean [95 % interval].\n\n"
        + tabulate(lines, "keys", "github", disable_numparse=True)
        + "\n\nThe cell less the LSTM, each with its better rate, the same seeds; the cell is "
        "better below 0:\n\n" + "\n".join(ends)
    )


def interval(values: "pd.Series[float]", sign: str = "") -> str:
    """The 95 % interval of the mean by Student's distribution: there are few."""
    if len(values) < 2:
        return ""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std() / math.sqrt(len(values))
    return f"[{values.mean() - half:{sign}.3f}, {values.mean() + half:{sign}.3f}]"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data-dir", required=True, help="Where Penn Treebank lies.")
@click.option("--cell", required=True, help="As for `metaqnn train`.")
@click.option("--tokens", type=click.Choice(UNITS), default=WORDS, show_default=True)
@click.option("--token-limit", type=int, help="Of the text.  [default: all of it]")
@click.option("--minutes", default=10.0, show_default=True, help="Of a training.")
@click.option("--rate", "rates", type=float, multiple=True, default=RATES, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Trainings at a time.")
def main(
    folder: Path, data_dir: str, cell: str, tokens: str, token_limit: int | None, **options: Any
) -> None:
    """Train both, and write the table."""
    text = TextOptions(dataset="ptb", data_dir=data_dir, tokens=tokens, token_limit=token_limit)
    found = find_cell(cell)
    if isinstance(found, str):
        raise click.BadParameter(f"{cell} is torch's own, not a cell that is built")
    click.echo(duel(folder, text, found, **options))


if __name__ == "__main__":
    main()
