"""`sipas purge`."""

import dataclasses

import click

from survey_app.cli.context import echo_json, json_option, local_time, opened_store


@click.command()
@click.option("--wave", metavar="ID", help="Only the comments of this wave; default: of all.")
@click.option("--older-than", "days", type=int, metavar="DAYS", help="Default: the setting comment_days.")
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@json_option
def purge(wave: str | None, days: int | None, dry_run: bool, as_json: bool) -> None:
    """Delete comments whose time is over, for ever; responses and chains stay whole.

    Backups and archives made before still hold them: backups give way to newer ones, archives are yours to delete.

    Example: sipas purge --dry-run
    """
    from survey_app.model import moment
    from survey_app.purge import purge as delete

    with opened_store(write=not dry_run) as store:
        done = delete(store, days=days, wave=wave, pretend=dry_run)
    if as_json:
        echo_json({**dataclasses.asdict(done), "dry_run": dry_run})
        return
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {done.comments} comments and {done.conflict_comments} of second contents")
    click.echo(f"received before {local_time(moment(done.cutoff))}{f' in wave {wave}' if wave else ''}")
