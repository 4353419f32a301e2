"""Agents search a recurrent cell; the best one against an LSTM, on words and then on characters.

    python benchmarks/recurrent_search.py FOLDER --data-dir DIR

DIR has Penn Treebank's three files. Three parts, each with a table in FOLDER:

search.md: trees with four leaves, on the first 100,000 tokens and their 2,000 most frequent words.
Each search has the time of --minutes: as many cells as one core trains in it, counted once, in the
beginning. A training depends on its cell and the seed of the run alone, so that what several agents
with one seed ask for is trained once: search/trainings-SEED.jsonl keeps all. An agent that plans
for its budget has one search only, whose beginning stands for smaller budgets.

duel/words.md: of the cells that did best in all searches, that which does best with seeds that no
search had, against an LSTM, by recurrent_duel.py, on the whole text with the 2,000 most frequent
words. duel/characters.md: the same two, trained anew, on characters. The test part is read here
alone. What is there is not made again.
"""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
import torch
from real_trainings import Cached
from recurrent_duel import duel
from tabulate import tabulate

from metaqnn.comparison.costs import with_costs
from metaqnn.comparison.figure import draw_comparison
from metaqnn.comparison.plan import Comparison, Entrant, open_comparison, plan_comparison, prepare
from metaqnn.comparison.searches import read_searches, run_search, search_file, write_search
from metaqnn.comparison.statistics import Measure, compare
from metaqnn.comparison.tables import render
from metaqnn.evaluators.base import FunctionEvaluator, Job
from metaqnn.evaluators.language import TextOptions
from metaqnn.language.corpus import END, PARTS, PTB, UNKNOWN, read_lines, split_text
from metaqnn.language.recipe import CHARACTERS, WORDS
from metaqnn.storage import write_file
from state_space import Architecture, random_walk

AGENTS = ("reinforce", "q-learning", "bayesian", "random")
REFERENCE = "random"

TOKENS, FREQUENT = 100_000, 2000
"""Of a search's text: its length, and how many words have a number; the others are <unk>."""

SEARCHED: Mapping[str, Any] = {
    **{"space": "recurrent-small", "dataset": "ptb", "units": 64, "layers": 1, "tied": True},
    **{"optimizer": "adam", "learning-rate": 0.004, "epochs": 2},
}

CHARACTERS_LIMIT = 1_000_000

PACES = 4
"""So many random cells tell how long a training takes."""

FINALISTS, AGAIN = 5, 2
"""So many of the best cells of all searches are trained so many times again."""

FIRST_SEED = 1_000_000
"""Of these trainings."""


def cut_text(source: Path, target: Path, tokens: int | None, words: int) -> Path:
    """Write Penn Treebank's files anew with so many different words; returns where they are.

    Args:
        source: Where they lie.
        target: A folder.
        tokens: Of the training part, whose first ones are taken; a tenth of the others.
        words: The most frequent ones.
    """
    if target.exists():
        return target
    parts = {part: split_text(read_lines(source / PTB.format(part=part)), WORDS) for part in PARTS}
    if tokens is not None:
        shares = {"train": tokens, "valid": tokens // 10, "test": tokens // 10}
        parts = {part: own[: shares[part]] for part, own in parts.items()}
    counted = Counter(parts["train"])
    known = {*sorted(counted, key=lambda word: (-counted[word], word))[:words], END}
    target.mkdir(parents=True)
    for part, own in parts.items():
        text = " ".join(word if word in known else UNKNOWN for word in own)
        write_file(target / PTB.format(part=part), text.replace(END, "\n"))
    return target


def plan(folder: Path, options: Mapping[str, Any], minutes: float) -> Comparison:
    """The comparison in a folder, or a new one whose searches have as many cells as the time."""
    if folder.exists():
        comparison = plan_comparison(folder, options, open_comparison(folder).budgets)
    else:
        seconds = pace(plan_comparison(folder, options, (1,)))
        cells = max(4, round(60 * minutes / seconds))
        click.echo(f"a training takes {seconds:.1f} s, a search has {cells} cells", err=True)
        comparison = plan_comparison(folder, options, (cells // 4, cells // 2, cells))
    prepare(comparison, sys.argv, comparison.evaluator.facts)
    return comparison


def pace(comparison: Comparison) -> float:
    """Seconds of processor time of a training, the mean of random cells."""
    space = comparison.base.space()
    generator = np.random.default_rng(0)
    began = time.process_time()
    for seed in range(PACES):
        comparison.evaluator(Job(space.architecture(random_walk(space, generator)), seed))
    return (time.process_time() - began) / PACES


def search(comparison: Comparison, agents: tuple[str, ...], seed: int) -> None:
    """Make the searches of a seed that are not there."""
    torch.set_num_threads(1)
    cached = Cached(comparison.evaluator, comparison.path / f"trainings-{seed}.jsonl")
    score = comparison.base.task.score
    longest = Comparison(comparison.base, comparison.options, comparison.budgets[-1:])
    for run in longest.plan(map(Entrant.parse, agents), [seed]):
        if not search_file(run).exists():
            found = run_search(run, FunctionEvaluator(cached))
            write_search(search_file(run), found, score)
            label = f"{run.path.parent.name} {run.path.name}"
            click.echo(f"{label}: {score.show(found['score'].max())}", err=True)


def tables(comparison: Comparison, agents: tuple[str, ...]) -> str:
    """Those of all searches, and their figure in the folder."""
    score = comparison.base.task.score
    # the time of a training is that of the agent that asked first
    searches = read_searches(comparison.path, score).drop(columns="seconds")
    known = [*agents, *sorted(set(searches["agent"]) - set(agents))]
    reference = REFERENCE if REFERENCE in known else known[0]
    measure = Measure.of(searches, score, None)
    table = compare(searches, comparison.budgets, measure, known, reference)
    table = with_costs(table, searches, measure)
    draw_comparison(searches, measure, known, comparison.path)
    return render(table, measure, reference, "markdown")


def choose(comparison: Comparison) -> tuple[Architecture, str]:
    """The best cell with seeds that no search had, of the best of all searches, and their table."""
    space, score = comparison.base.space(), comparison.base.task.score
    searches = read_searches(comparison.path, score)
    met = searches.groupby("network")["score"].mean().nlargest(FINALISTS)
    cached = Cached(comparison.evaluator, comparison.path / "trainings-again.jsonl")
    seeds = range(FIRST_SEED, FIRST_SEED + AGAIN)
    cells = {str(network): space.architecture(space.parse(str(network))) for network in met.index}
    again = {
        network: mean(cached(Job(cell, seed)).best for seed in seeds)
        for network, cell in cells.items()
    }
    best = max(again, key=again.__getitem__)
    rows = [
        {
            "cell": network.replace("|", r"\|"),
            "in the search": score.show(found),
            "again": score.show(again[network]),
        }
        for network, found in zip(cells, met, strict=True)
    ]
    table = tabulate(rows, "keys", "github", disable_numparse=True)
    title = f"{score.name[0].upper()}{score.name[1:]} of the best cells of all searches"
    return cells[best], f"{title}:\n\n{table}\n\nThe best again: {best}"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
@click.option("--agent", "agents", multiple=True, default=AGENTS, show_default=True)
@click.option("--seeds", default=2, show_default=True, help="Of searches.")
@click.option("--minutes", default=30.0, show_default=True, help="Of a search.")
@click.option("--reward", help="As for `metaqnn run`.")
@click.option("--tokens", default=TOKENS, show_default=True, help="Of the text of searches.")
@click.option("--again", default=3, show_default=True, help="Seeds against the LSTM.")
@click.option("--minutes-each", default=10.0, show_default=True, help="Of a training there.")
@click.option("--jobs", default=1, show_default=True, help="Seeds, or trainings, at a time.")
def main(
    folder: Path,
    data_dir: Path,
    agents: tuple[str, ...],
    seeds: int,
    minutes: float,
    reward: str | None,
    tokens: int,
    again: int,
    minutes_each: float,
    jobs: int,
) -> None:
    """Search, choose, and compare with an LSTM."""
    torch.set_num_threads(1)
    short = cut_text(data_dir, folder / "text", tokens, FREQUENT)
    options = {**SEARCHED, "data-dir": str(short), **({"reward": reward} if reward else {})}
    comparison = plan(folder / "search", options, minutes)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        list(pool.map(partial(search, comparison, agents), range(seeds)))
    cell, finalists = choose(comparison)
    text = f"{tables(comparison, agents)}\n\n{finalists}"
    write_file(folder / "search.md", text + "\n")
    click.echo(text)
    whole = cut_text(data_dir, folder / "whole", None, FREQUENT)
    words = TextOptions(dataset="ptb", data_dir=str(whole))
    characters = TextOptions(
        dataset="ptb", data_dir=str(data_dir), tokens=CHARACTERS, token_limit=CHARACTERS_LIMIT
    )
    for part in (words, characters):
        click.echo(duel(folder / "duel", part, cell, minutes=minutes_each, seeds=again, jobs=jobs))


if __name__ == "__main__":
    main()
