"""metaqnn export."""

from pathlib import Path

import click

from metaqnn.cli.options import trust_option


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@trust_option
@click.option(
    "--rank",
    type=click.IntRange(1),
    help="Which network of a run, as `metaqnn top-k` ranks them.  [default: the best one]",
)
@click.option(
    "--final",
    metavar="NAME",
    help="Take the network as it was trained in the end: the name of a folder in SOURCE/final, "
    "such as short.",
)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write; its suffix chooses the format: .safetensors (weights, with the "
    "architecture as metadata), .onnx, .pt2 (torch.export) or .py (PyTorch source that needs "
    "nothing of metaqnn; its weights are written beside it as .safetensors).",
)
@click.option(
    "--int8",
    is_flag=True,
    help="In whole numbers of 8 bits: a quarter of the bytes. SOURCE is the run's folder, whose "
    "images for training tell how far the values in the network go; FILE is .onnx.",
)
def export(
    source: Path, trust: bool, rank: int | None, final: str | None, target: Path, int8: bool
) -> None:
    """Write a trained network of SOURCE, a run's folder or a .safetensors file, to a file.

    A .pt2 or .py file, which can run code when it is read, is never read here.

    A network of pictures, whatever the format, reads images in the units of those that it was
    trained on, 0 to 255 for pictures, and returns the scores of the classes before the softmax. A
    language model as .onnx or .pt2 is one step: of a token of each text, and of what the step
    before has handed on, it makes the scores of the next token, and what it hands on itself.
    """
    from metaqnn.errors import MetaqnnError
    from metaqnn.models.network import load_network
    from metaqnn.reports.export import write_network
    from metaqnn.reports.finals import final_weights
    from metaqnn.reports.top_k import weights_file
    from metaqnn.runs.quantising import write_int8
    from metaqnn.runs.results import find_results
    from metaqnn.runs.run import open_run

    if source.is_file():
        if rank is not None or final is not None:
            raise MetaqnnError(f"{source} is one network: --rank and --final are of a run's folder")
        if int8:
            raise MetaqnnError(f"{source} has no images, which --int8 needs: a run's folder")
        path = source
    elif final is None:
        run = open_run(source, trust=trust)
        path = weights_file(run, rank or 1)
        if finals := find_results(run):
            click.echo(f"of the search; --final {finals[0]} has what was trained anew", err=True)
    else:
        path = final_weights(open_run(source, trust=trust), rank, final)
    if int8:
        write_int8(open_run(source, trust=trust), path, target)
        click.echo(f"{load_network(path)[1].architecture} is in {target}")
    else:
        click.echo(f"{write_network(path, target)} is in {target}")
