"""metaqnn datasets."""

import click


@click.command()
def datasets() -> None:
    """List the data sets that `metaqnn run --dataset` takes."""
    from tabulate import tabulate

    from metaqnn.data.datasets import DATASETS, FILE_DATASETS

    rows = [
        [
            name,
            "x".join(map(str, entry.shape)) if entry.shape else "any",
            entry.classes or "any",
            entry.space,
            entry.description,
        ]
        for name, entry in [
            *((name, DATASETS.find(name)) for name in DATASETS.names()),
            *FILE_DATASETS.items(),
        ]
    ]
    headers = ["data set", "images", "classes", "space", "what it is"]
    click.echo(tabulate(rows, headers=headers, colalign=("left",) * 5))
    click.echo(
        "\nAll but digits, npz, folder and text are read from --data-dir; --download fetches them."
    )
