"""metaqnn check."""

from typing import Any

import click

from metaqnn.cli.options import config_options_of, given
from metaqnn.sections import DataConfig

FORMS = ("text", "json")


@click.command()
@click.argument("dataset")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="text",
    show_default=True,
    help="json has all that is known, for programs.",
)
@config_options_of(*(name for name in DataConfig.model_fields if name != "dataset"))
def check(dataset: str, form: str, **options: Any) -> None:
    """Read DATASET as a search would, and say what was read and what looks wrong.

    DATASET is a name that `metaqnn datasets` lists, npz:FILE, folder:DIR, or the path alone. The
    images of the test are read too.
    """
    import json
    from dataclasses import asdict

    from metaqnn.config import RunConfig
    from metaqnn.data.check import describe_classes, summarise
    from metaqnn.data.parts import load, load_split

    config = RunConfig.from_flat({**given(options), "dataset": dataset}).data
    training, validation = load_split(config)
    summary = summarise(config.dataset, training, validation, load(config, "test"))
    if form == "json":
        click.echo(json.dumps(asdict(summary), indent=2))
        return
    click.echo("\n".join(summary.lines))
    click.echo(f"\n{describe_classes(summary)}")
