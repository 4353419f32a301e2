"""metaqnn predict."""

import sys
import warnings
from pathlib import Path

import click

from metaqnn.cli.options import format_option
from metaqnn.reports.formats import Format, render_cells, render_exactly


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument(
    "pictures", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--trust",
    is_flag=True,
    help="Read MODEL although it can run code (.pt2, .py) or has other layers than exports have "
    "(.onnx): you trust whoever made it.",
)
@format_option
def predict(model: Path, pictures: tuple[Path, ...], trust: bool, form: Format) -> None:
    """Classify the pictures in FILES with MODEL, a file that `metaqnn export` wrote.

    Of a language model FILES are texts, and what is said is how well it predicts them. Characters
    or words that it has never read are <unk> to it where it knows that, else left out, with a
    warning.

    Else FILES are pictures, folders of them, or .npy arrays of images. They are prepared as those
    of the training were: turned upright, resized to what the network reads, made grey where it
    reads one channel. Files that cannot be read are named and left out; then the exit code is 1.

    A .pt2 or .py file can run any code when it is read, and is only read with --trust; .onnx and
    .safetensors files run none. Tables and CSV have names as terminals and spreadsheets may have
    them (docs/export.md); JSON has them to the letter.
    """
    import pandas as pd

    from metaqnn.data.inputs import read_inputs
    from metaqnn.errors import MetaqnnError
    from metaqnn.language.files import is_model
    from metaqnn.language.use import score_files
    from metaqnn.models.formats import load
    from metaqnn.models.model import OtherScale
    from metaqnn.terminal import printable

    if is_model(model):
        scored, score, left_out = score_files(model, pictures)
        if form == "csv" or form == "json":
            click.echo(render_exactly(scored, form))
        else:
            scored["tokens"] = scored["tokens"].map("{:,}".format)
            scored[score.column] = scored[score.column].map(score.format)
            click.echo(render_cells(scored, form, ("text",)))
        for problem in left_out:
            click.echo(printable(f"warning: {problem}"), err=True)
        return
    loaded = load(model, trust=trust)
    shape, preparation = loaded.facts.input_shape, loaded.facts.preparation
    names, images, broken = read_inputs(pictures, shape, preparation)
    if not names:
        raise MetaqnnError(broken[0] if len(broken) == 1 else f"{broken[0]}; nor the others")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", OtherScale)
        probabilities = loaded.probabilities(images)
    if any(path.suffix.lower() == ".npy" for path in pictures):  # of pictures the scale is known
        for warning in told:
            click.echo(f"warning: {warning.message}", err=True)
    best = probabilities.argmax(1)
    found = pd.DataFrame(
        {
            # names of files, and so of classes, need not be UTF-8
            "picture": pd.Series(names, dtype=object),
            "class": pd.Series([loaded.facts.classes[place] for place in best], dtype=object),
            "probability": probabilities.max(1).astype(float),
        }
    )
    if form == "csv" or form == "json":
        click.echo(render_exactly(found, form))
    else:
        found["probability"] = found["probability"].map("{:.2%}".format)
        click.echo(render_cells(found, form, ("picture", "class")))
    for problem in broken:
        click.echo(printable(f"left out: {problem}"), err=True)
    if broken:
        sys.exit(1)
