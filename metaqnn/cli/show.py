"""metaqnn show."""

from pathlib import Path

import click

from metaqnn.cli.shapes import parse_shape
from metaqnn.task import Shape


@click.command()
@click.argument("network")
@click.option(
    "--input",
    "input_shape",
    metavar="CxHxW",
    callback=parse_shape,
    default="3x32x32",
    show_default=True,
    help="Shape of the images.",
)
@click.option(
    "--space",
    help="Read NETWORK in the words of this space, as `metaqnn top-k` prints them.",
)
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write a drawing to this file."
)
def show(network: str, input_shape: Shape, space: str | None, svg: Path | None) -> None:
    """Describe NETWORK, such as "[C(64,3,1), P(2,2), SM(10)]" or, by its name, nasnet-a.

    NETWORK may be a recurrent cell too: nascell, enas, lstm, gru, rnn, or the text of one that a
    search has found. Then its equations are printed, and a drawing has one step.

    Prints every layer with the shape of its output, its parameters and its multiply-adds an image;
    or what is wrong, and where. A layer that does not read the one before it has the positions of
    those that it reads behind an @; the first column counts them. Cells are written out; a drawing
    has how they are stacked, and each by itself.
    """
    from tabulate import tabulate

    from metaqnn.errors import MetaqnnError
    from metaqnn.language.description import describe_cell, is_cell
    from metaqnn.networks.cost import check_scores, layer_costs, total_cost
    from metaqnn.networks.notation import find_network
    from metaqnn.reports.drawing import draw
    from metaqnn.spaces import made_for, network_of, read_space
    from metaqnn.storage import write_output
    from metaqnn.training.settings import check_settings
    from state_space import Architecture
    from state_space.notation import NotationError

    def of_space(name: str) -> Architecture:
        outputs = len(made_for(read_space(name)).outputs)
        return network_of(name, network, input_shape, outputs)

    if is_cell(network):
        cell, lines = describe_cell(network if space is None else of_space(space).text)
        if svg:
            if isinstance(cell, str):
                raise MetaqnnError(f"{cell} is PyTorch's own, of which there is no drawing")
            write_output(svg, draw(cell, None))
        click.echo("\n".join(lines))
        return
    try:
        architecture = find_network(network) if space is None else of_space(space)
    except NotationError as error:
        raise MetaqnnError(str(error)) from None
    check_scores(architecture)
    check_settings(architecture.settings)
    costs = layer_costs(architecture, input_shape)
    if svg:
        write_output(svg, draw(architecture, input_shape))
    layers = architecture.expanded.layers
    rows = [["-1", "input", "x".join(map(str, input_shape)), "", ""]]
    for position, (layer, cost) in enumerate(zip(layers, costs, strict=True)):
        rows.append([str(position), layer, *_columns(cost.shape, *cost[1:])])
    total = total_cost(architecture, input_shape)
    rows.append(["", "total", "", *_columns(total.shape, *total[1:])[1:]])
    for name, value in sorted(architecture.settings.items()):
        rows.append(["", f"{name}={value:g}", "", "", ""])
    click.echo(
        tabulate(
            rows,
            headers=["@", "layer", "output", "parameters", "multiply-adds"],
            colalign=("right", "left", "left", "right", "right"),
            disable_numparse=True,
        )
    )


def _columns(shape: Shape, parameters: int, multiply_adds: int) -> list[str]:
    return ["x".join(map(str, shape)), f"{parameters:,}", f"{multiply_adds:,}"]
