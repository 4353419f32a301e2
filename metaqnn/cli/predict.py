"""metaqnn predict."""

from pathlib import Path

import click

from metaqnn.cli.options import format_option
from metaqnn.reports.formats import Format, render_cells, render_exactly


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--trust",
    is_flag=True,
    help="Read MODEL although it can run code (.pt2, .py) or has other layers than exports have "
    "(.onnx): you trust whoever made it.",
)
@format_option
def predict(model: Path, pictures: tuple[Path, ...], trust: bool, form: Format) -> None:
    """Classify PICTURES with MODEL, a file that `metaqnn export` wrote.

    The pictures are resized to what the network reads, and made grey where it reads one channel.
    A .pt2 or .py file can run any code when it is read, and is only read with --trust; .onnx and
    .safetensors files run none. Tables and CSV have names as terminals and spreadsheets may have
    them (docs/export.md); JSON has them to the letter.
    """
    import pandas as pd

    from metaqnn.models.formats import load
    from metaqnn.models.pictures import read_pictures

    loaded = load(model, trust=trust)
    probabilities = loaded.probabilities(read_pictures(pictures, loaded.facts.input_shape))
    best = probabilities.argmax(1)
    found = pd.DataFrame(
        {
            "picture": [str(path) for path in pictures],
            "class": [loaded.facts.classes[place] for place in best],
            "probability": probabilities.max(1).astype(float),
        }
    )
    if form == "csv" or form == "json":
        click.echo(render_exactly(found, form))
    else:
        found["probability"] = found["probability"].map("{:.2%}".format)
        click.echo(render_cells(found, form, ("picture", "class")))
