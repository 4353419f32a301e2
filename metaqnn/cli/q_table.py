"""metaqnn q-table."""

from pathlib import Path

import click

from metaqnn.cli.options import run_folder, trust_option


@click.command()
@run_folder
@trust_option
@click.option("--csv", type=click.Path(path_type=Path), help="File to write.  [default: print]")
@click.option(
    "--layout",
    type=click.Choice(["metaqnn", "metaqnn2017"]),
    default="metaqnn",
    show_default=True,
    help="metaqnn2017: the columns of the 2017 code's q_values.csv.",
)
def q_table(folder: Path, trust: bool, csv: Path | None, layout: str) -> None:
    """Export the Q-values that the run in FOLDER has learnt, a row per state and action taken.

    `metaqnn run --q-table FILE` starts from either layout.
    """
    from metaqnn.agents.legacy_table import to_legacy
    from metaqnn.errors import MetaqnnError
    from metaqnn.runs.assembly import trained_agent
    from metaqnn.runs.run import open_run
    from metaqnn.storage import write_output
    from metaqnn.terminal import counted
    from state_space.chain import ChainSpace

    run = open_run(folder, trust=trust)
    frame = trained_agent(run).knowledge()
    if frame is None:
        raise MetaqnnError(f"{folder} has no Q-table: its agent is {run.config.run.agent}")
    if layout == "metaqnn2017":
        if not isinstance(run.space(), ChainSpace):
            raise MetaqnnError(f"the layout metaqnn2017 is for chains, which {folder} is not about")
        frame = to_legacy(frame)
    text = frame.to_csv(index=False, lineterminator="\n")
    if csv is None:
        click.echo(text, nl=False)
        return
    write_output(csv, text)
    click.echo(f"{counted(len(frame), 'row')} written to {csv}")
