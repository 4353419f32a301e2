"""metaqnn check."""

from typing import Any

import click

from metaqnn.cli.options import given, section_options
from metaqnn.data.options import DataOptions

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
@section_options(DataOptions, *(name for name in DataOptions.model_fields if name != "dataset"))
def check(dataset: str, form: str, **options: Any) -> None:
    """Read DATASET as a search would, and say what was read and what looks wrong.

    DATASET is a name that `metaqnn datasets` lists, npz:FILE, folder:DIR, or the path alone. The
    images of the test are read too.
    """
    import json
    from dataclasses import asdict

    from metaqnn.config import RunConfig
    from metaqnn.data.summary import describe_classes, summarise
    from metaqnn.errors import MetaqnnError
    from metaqnn.evaluators.train_options import TrainOptions
    from metaqnn.terminal import printable

    chosen = RunConfig.from_flat({**given(options), "dataset": dataset}).parts["evaluator"]
    if not isinstance(chosen, TrainOptions):
        read = chosen.read()
        click.echo(json.dumps(read) if form == "json" else "\n".join(read["lines"]))
        return
    summary = summarise(chosen.data)
    if form == "json":
        click.echo(json.dumps(asdict(summary), indent=2))
    else:
        click.echo("\n".join([*map(printable, summary.lines), "", describe_classes(summary)]))
    if summary.problem:
        raise MetaqnnError(summary.problem)
