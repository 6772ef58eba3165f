"""`sipas backup`, `sipas restore`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import (
    complain,
    echo_json,
    echo_table,
    echo_values,
    instance_path,
    json_option,
    local_time,
    progress,
)
from survey_app.model import moment
from survey_app.problems import Problem
from survey_app.settings import Settings

if TYPE_CHECKING:
    from survey_app.backup import Manifest, Restored


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="New folder for the backup, best on another disk; without it, one in INSTANCE/backups/.",
)
@click.option("--without-key", is_flag=True, help="Leave the secret key out, to keep it on another shelf.")
@click.option("--list", "listing", is_flag=True, help="List the backups in INSTANCE/backups/ and make none.")
@click.option("--nightly", is_flag=True, help="As the server does every night: kept by number, and whatever is found.")
@json_option
def backup(output: Path | None, without_key: bool, listing: bool, nightly: bool, as_json: bool) -> None:
    """Copy the instance as it is at one moment, and verify the copy; whoever writes meanwhile goes on.

    The folder appears whole or not at all. It holds the store, heads.log, the settings, the secret key and local forms:
    keep it as confidential as the instance.

    Example: sipas backup --output /mnt/usb/sipas-2026-11-24
    """
    from survey_app.backup import make_backup, remove_old

    settings = Settings.load(instance_path())
    if listing:
        _list(settings, as_json)
        return
    if nightly and output:
        raise click.UsageError("--nightly ones lie in INSTANCE/backups/: leave --output out")
    with progress("verifying") as step:
        made = make_backup(settings, output, kind="nightly" if nightly else "by_hand", key=not without_key, step=step)
    removed = remove_old(settings) if nightly else ()
    counts = made.manifest.counts
    if as_json:
        echo_json({"path": str(made.path), **_plain(made.manifest), "removed": [str(path) for path in removed]})
    else:
        click.echo(f"made {made.path}")
        click.echo(f"verified: {counts['responses']} responses in {counts['waves']} waves, {counts['events']} events")
        for path in removed:
            click.echo(f"removed {path}")
    if made.manifest.problems:
        what = f"the copy was kept, but does not verify: {made.manifest.problems[0]}"
        complain([Problem(what, str(made.path), "run sipas verify; the newest backup that verified is kept")])
        sys.exit(2)


def _list(settings: Settings, as_json: bool) -> None:
    from survey_app.backup import backups_of

    kept = backups_of(settings)
    if as_json:
        echo_json([{"path": str(one.path), **(_plain(one.manifest) if one.manifest else {})} for one in kept])
        return
    echo_table(
        ("backup", "made", "kind", "responses", "MiB", "verified"),
        [
            (
                one.path.name,
                local_time(one.manifest.made),
                one.manifest.kind,
                one.manifest.counts["responses"],
                round(sum(size for size, _ in one.manifest.files.values()) / 2**20, 1),
                "yes" if one.sound else "NO",
            )
            if one.manifest
            else (one.path.name, None, "unreadable", None, None, "NO")
            for one in kept
        ],
    )


def _plain(manifest: "Manifest") -> dict[str, object]:
    return {
        "kind": manifest.kind,
        "made": manifest.made,
        "counts": dict(manifest.counts),
        "heads": {chain: {"count": head.count, "head": head.head} for chain, head in manifest.heads.items()},
        "problems": list(manifest.problems),
    }


@click.command()
@click.argument("folder", metavar="BACKUP", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for the instance; without it, the instance itself is replaced.",
)
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), help="The secret key, for a backup that is without it."
)
@json_option
def restore(folder: Path, into: Path | None, key: Path | None, as_json: bool) -> None:
    """Make the instance of BACKUP again, verified, in a new folder or in the place of the present one.

    Stop the server first. What was there is moved to INSTANCE/given-up/, never deleted, and the audit names it. Tablets
    then send again, by themselves, what they sent since the backup.

    Example: sipas restore backups/20261124T190000Z-1f2e3d
    """
    from survey_app.backup import restore as bring_back

    with progress("verifying") as step:
        done = bring_back(folder, into or instance_path(), key=key, new=into is not None, step=step)
    if as_json:
        echo_json(_outcome(done))
        return
    echo_values((name.replace("_", " "), _words(value)) for name, value in _outcome(done).items())
    click.echo(f"next: sipas --instance {done.instance} verify, purge, then start the server")


def _outcome(done: "Restored") -> dict[str, object]:
    lost = done.remains
    return {
        "restored": str(done.instance),
        "as_of": local_time(done.manifest.made),
        "responses": done.manifest.counts["responses"],
        "migrated": list(done.migrated),
        "moved_to": str(done.moved_to) if done.moved_to else None,
        "responses_given_up": lost.responses if lost else None,
        "of_these_no_device_sends_again": lost.unsendable if lost else None,
        "waves_given_up": list(done.waves_given_up),
        "waves_to_open_or_close_again": _states(lost.states) if lost else [],
        "devices_brought_along": dict(done.devices),
        "pins_brought_along": list(done.pins),
    }


def _states(states: Mapping[str, tuple[str | None, str | None]]) -> list[str]:
    """What was done to waves since the backup, and is to be done again."""
    said = ((id, "closed", closed) if closed else (id, "opened", opened) for id, (opened, closed) in states.items())
    return [f"{id} ({what} {local_time(moment(when))})" for id, what, when in said if when]


def _words(value: object) -> object:
    if isinstance(value, dict):
        return "; ".join(f"{kind}: {', '.join(ids)}" for kind, ids in value.items() if ids) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value
