"""`sipas init`, `sipas verify`, `sipas migrate`."""

import sys

import click

from survey_app.cli.context import complain, instance_path, opened_store, progress
from survey_app.settings import Settings, create_instance


@click.command()
def init() -> None:
    """Make a new, empty instance.

    It gets folders, settings, a secret key and a store.

    Example: sipas --instance /srv/sipas init
    """
    from survey_app.store import Store

    settings = create_instance(instance_path())
    Store.create(settings).close()
    click.echo(f"made {settings.instance}")
    click.echo("next: sipas centre import, sipas field import, sipas wave create")


@click.command()
def verify() -> None:
    """Recompute every hash and chain, and name whatever was changed, removed, inserted or cut off.

    Ends with 0 and one line when the store is clean, with 2 when it is not.

    Example: sipas verify
    """
    from survey_app.verification import verify as recompute

    with progress("checking") as step:
        problems = recompute(Settings.load(instance_path()), step)
    if problems:
        complain(problems)
        sys.exit(2)
    with opened_store() as store:
        counts = [store.response_count(wave.id) for wave in store.waves()]
    click.echo(f"clean: {sum(counts)} responses in {len(counts)} wave{'' if len(counts) == 1 else 's'}")


@click.command()
def migrate() -> None:
    """Bring the store of an older version up to date. Make a backup first.

    Example: sipas migrate
    """
    from survey_app.store import Store

    steps = Store.migrate(Settings.load(instance_path()))
    click.echo("applied: " + ", ".join(steps) if steps else "nothing to do: the store is up to date")
