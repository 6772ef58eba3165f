"""`sipas init`, `sipas verify`, `sipas migrate`."""

import sys
from pathlib import Path

import click

from survey_app.cli.context import complain, instance_path, local_time, opened_store, progress
from survey_app.settings import Settings, create_instance, made_whole, read_key

MOST_GIVEN_UP = 5


@click.command()
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="The secret.key of another instance, to import what it archived with its comments; default: a new key.",
)
def init(key: Path | None) -> None:
    """Make a new, empty instance.

    It gets folders, settings, a secret key and a store.

    Example: sipas --instance /srv/sipas init
    """
    from survey_app.store import Store

    given = read_key(key) if key else None
    with made_whole(instance_path()):
        settings = create_instance(instance_path(), key=given)
        Store.create(settings).close()
    click.echo(f"made {settings.instance}")
    click.echo("next: sipas centre import, sipas field import, sipas wave create")


@click.command()
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="WAVE:COUNT:HEAD",
    help="A head kept elsewhere, on paper or by a tablet; may be given again.",
)
@click.option("--heads", "path", type=click.Path(path_type=Path), help="A file of such heads, or a copy of heads.log.")
def verify(heads: tuple[str, ...], path: Path | None) -> None:
    """Recompute every hash and chain, and name whatever was changed, removed, inserted or cut off.

    Somebody who can write the store, heads.log, extracts and backups alike is found only by a head that was kept
    where they cannot reach it: `sipas wave show` prints it.

    Ends with 0 and one line when the store is clean, and one for each restore it has seen; with 2 when it is not.

    Example: sipas verify
    """
    from survey_app.verification import given_up_of, held_heads
    from survey_app.verification import verify as recompute

    held = held_heads(heads, path)
    with progress("checking") as step:
        problems = recompute(Settings.load(instance_path()), step, held)
    if problems:
        complain(problems)
        sys.exit(2)
    with opened_store() as store:
        counts = [store.response_count(wave.id) for wave in store.waves()]
        restored = store.events(["restored"])
        given_up = given_up_of(store, held)
    click.echo(f"clean: {sum(counts)} responses in {len(counts)} wave{'' if len(counts) == 1 else 's'}")
    for event in restored:
        lost = event.detail["responses_given_up"]
        what = "" if event.detail["folder"] is None else f"; responses given up: {'unknown' if lost is None else lost}"
        click.echo(f"restored on {local_time(event.at)} from the backup {event.detail['backup']}{what}")
    for chain, one in given_up[:MOST_GIVEN_UP]:
        click.echo(f"given up by a restore: the head of {chain} after {one.count} rows, known to {one.source}")
    if given_up:
        click.echo(
            f"{len(given_up)} of your heads were given up: if no such restore was made, this store was rewritten"
        )


@click.command()
def migrate() -> None:
    """Bring the store of an older version up to date. Make a backup first, and stop the server.

    It happens whole or not at all, also when it is broken off. A million responses take about two minutes, and as much
    room on the disk again as the store has.

    Example: sipas migrate
    """
    from survey_app.store import Store

    with progress("migrating") as step:
        steps = Store.migrate(Settings.load(instance_path()), step)
    click.echo("applied: " + ", ".join(steps) if steps else "nothing to do: the store is up to date")
