"""metaqnn generate."""

from pathlib import Path

import click


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--length", type=click.IntRange(1), default=100, show_default=True, help="Tokens to write."
)
@click.option("--start", "begun", default="", help="Text to begin with.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Below 1 what is likely becomes more likely, above 1 less.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
def generate(model: Path, length: int, begun: str, temperature: float, seed: int) -> None:
    """Let MODEL, a language model that `metaqnn export` wrote, write a text."""
    from metaqnn.language.use import TextModel
    from metaqnn.terminal import printable

    text = TextModel.read(model).generate(length, begun, temperature, seed)
    click.echo("\n".join(map(printable, text.split("\n"))))
