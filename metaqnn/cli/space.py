"""metaqnn space."""

import click

from metaqnn.cli.shapes import parse_shape
from metaqnn.task import Shape


@click.command()
@click.argument("name", required=False)
@click.option(
    "--input",
    "input_shape",
    metavar="CxHxW",
    callback=parse_shape,
    help="Shape of the images.  [default: that of the data set for which the space was made]",
)
@click.option("--classes", type=click.IntRange(2), help="Number of classes.  [default: likewise]")
def space(name: str | None, input_shape: Shape | None, classes: int | None) -> None:
    """Describe the space NAME, a preset or a TOML file; without NAME, list the known ones."""
    from metaqnn.spaces import bind_space, made_for, read_space, space_names
    from metaqnn.terminal import counted
    from state_space import TooManyStates

    if name is None:
        click.echo("\n".join(space_names()))
        return
    settings = read_space(name)
    usual = made_for(settings)
    input_shape, classes = input_shape or usual.shape, classes or len(usual.outputs)
    bound = bind_space(settings, input_shape, classes)
    images = "x".join(map(str, input_shape))
    click.echo(
        f"space               {name}, for {images} images of {counted(classes, 'class', 'classes')}"
    )
    try:
        rows = bound.rows()
    except TooManyStates:
        pass  # only their number is not told
    else:
        pairs = sum(len(decision.options) for decision in rows.values())
        click.echo(f"states              {len(rows):,} (rows of the Q-table)")
        click.echo(f"state-action pairs  {pairs:,}")
    size = bound.size()
    known = "more than can be counted by states" if size is None else f"{size:,}"
    click.echo(f"architectures       {known}")
    for kind, tokens in bound.vocabulary.items():
        by_op: dict[str, list[str]] = {}
        for token in tokens:
            op, parenthesis, _ = token.partition("(")
            by_op.setdefault(op if parenthesis else "", []).append(token)
        click.echo(f"\n{kind}: {counted(len(tokens), 'option')}")
        for op, options in by_op.items():
            click.echo(f"  {op:<4} {' '.join(options)}")
    click.echo()
    for key, value in settings.items():
        for inner, setting in value.items() if isinstance(value, dict) else [("", value)]:
            click.echo(f"{f'{key}.{inner}'.rstrip('.'):<32} {setting}")
