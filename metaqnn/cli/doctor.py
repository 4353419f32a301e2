"""metaqnn doctor."""

import click


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Describe this machine and try it, for a report of a fault.

    Prints versions, devices and extras, and what came of a short training on each device, with and
    without what makes it fast, and of an export. Takes some seconds and needs no network; names
    neither you nor your folders. Exits with 1 where something that is there does not work.
    """
    from metaqnn.reports.doctor import examine

    page = examine()
    click.echo(page.text)
    context.exit(0 if page.works else 1)
