"""metaqnn trials."""

from pathlib import Path

import click

from metaqnn.cli.options import run_folder, trust_option


@click.command()
@run_folder
@trust_option
@click.option("--csv", type=click.Path(path_type=Path), help="CSV file to write.")
@click.option("--parquet", type=click.Path(path_type=Path), help="Parquet file to write.")
def trials(folder: Path, trust: bool, csv: Path | None, parquet: Path | None) -> None:
    """Write all trials of the run in FOLDER, one row each, also while it runs.

    Without --csv and --parquet the CSV is printed. docs/trials.md explains the columns.
    """
    from metaqnn.reports.trials import list_trials, write_csv, write_parquet
    from metaqnn.runs.run import open_run
    from metaqnn.storage import write_output
    from metaqnn.terminal import counted

    run = open_run(folder, trust=trust)
    memory = run.memory()
    table = list_trials(memory.frame(refused=True), run.space(), run.task.score)
    memory.close()
    if csv is None and parquet is None:
        click.echo(write_csv(table), nl=False)
        return
    if parquet is not None:  # first, since its package may be missing
        write_output(parquet, write_parquet(table))
        click.echo(f"{counted(len(table), 'trial')} written to {parquet}")
    if csv is not None:
        write_output(csv, write_csv(table))
        click.echo(f"{counted(len(table), 'trial')} written to {csv}")
