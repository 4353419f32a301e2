"""NASNet's search on CIFAR-10, for as long as a GPU is lent, and how far it would get.

    python benchmarks/nasnet_search.py npz:cifar10.npz --minutes 8
    python benchmarks/nasnet_search.py digits --miniature

The agent ppo with the preset `nasnet` searches the space `nasnet-cifar10` by the recipe
`nasnet-search`, on 45,000 images; but no training is longer than `--seconds`, and its schedule goes
by so much faster. Every training says how many images a second it saw. From that follows how long
networks like these would train in full, 20 epochs, and what 20,000 of them take: the paper's
search, 500 GPUs for four days (Zoph et al. 2018, section 4). `--miniature` is the same with the
space `nasnet-small` and small images, for a CPU. `metaqnn resume` goes on with the folder.
"""

import time
from typing import Any

import click

from metaqnn import Search
from metaqnn.agents.ppo import CONTROLLER_PRESETS

PAPER_NETWORKS = 20_000
PAPER_DAYS = 500 * 4
"""GPU days of the paper."""

DAY = 86_400
IMAGES, EPOCHS = 45_000, 20
"""Of a training in the paper."""

SEARCH: dict[str, Any] = {
    "agent": "ppo",
    "controller_preset": "nasnet",
    "space": "nasnet-cifar10",
    "recipe": "nasnet-search",
    "validation": 5000,
    "budget": PAPER_NETWORKS,
}

MINIATURE: dict[str, Any] = {**SEARCH, "space": "nasnet-small", "validation": 300}


@click.command()
@click.argument("dataset")
@click.option("--minutes", default=8.0, show_default=True, help="Of the search.")
@click.option("--seconds", default=20.0, show_default=True, help="Of a training, at most.")
@click.option("--batch-size", default=32, show_default=True, help="Images a step.")
@click.option("--miniature", is_flag=True, help="Small cells and images, for a CPU.")
@click.option("--results-dir", default="results", show_default=True)
def main(
    dataset: str,
    minutes: float,
    seconds: float,
    batch_size: int,
    miniature: bool,
    results_dir: str,
) -> None:
    """Search, and print how far it would get."""
    began = time.monotonic()
    options = {**(MINIATURE if miniature else SEARCH), "dataset": dataset, "seconds": seconds}
    search = Search(batch_size=batch_size, results_dir=results_dir, **options)
    networks = 0
    while time.monotonic() - began < 60 * minutes - seconds:
        networks += 1
        search.run(networks, quiet=True)
    hours = (time.monotonic() - began) / 3600
    trials = search.trials()
    done = trials[trials["finished"] & trials["first"] & trials["error"].isna()]
    if done.empty:
        raise click.ClickException(f"none of {networks} networks was trained")
    full = float((IMAGES * EPOCHS / done["images_per_second"]).mean())
    days, batch = full * PAPER_NETWORKS / DAY, CONTROLLER_PRESETS["nasnet"]["controller_batch"]
    for line in (
        f"{networks} networks in {hours:.2f} hours, {len(trials) // batch} updates",
        f"the best after {seconds:g} s: {done['accuracy'].max():.1%}",
        f"{EPOCHS} epochs of {IMAGES:,} such images: {full:,.0f} s a network",
        f"a day: {DAY / full:,.0f} networks in full, {DAY / full / batch:,.0f} updates",
        f"{PAPER_NETWORKS:,} networks: {days:,.0f} days; the paper took {PAPER_DAYS:,} GPU days",
    ):
        click.echo(line)
    click.echo(f"results are in {search.folder}")


if __name__ == "__main__":
    main()
