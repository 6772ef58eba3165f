"""`sipas export`, `sipas import`."""

from pathlib import Path

import click

from survey_app.cli.context import echo_values, instance_path, opened_store, progress

FILE = click.Path(path_type=Path)


@click.command("export")
@click.argument("wave")
@click.option("--output", type=FILE, help="File to write; default: one in the instance's folder archives.")
def export(wave: str, output: Path | None) -> None:
    """Write WAVE whole into one file for archiving: responses, comments, form, register, chain.

    It is confidential: it holds single responses with their times, and comments. It explains itself in README.txt.

    Example: sipas export q4 --output q4.zip
    """
    from survey_app.archive import export_wave

    with opened_store(write=True) as store, progress("archiving") as step:
        done = export_wave(store, wave, output, step=step)
    echo_values(
        [
            ("archive", f"{done.path}{' (SIMULATED)' if done.simulated else ''}"),
            ("sha256", done.sha256),
            ("responses", done.head.count),
            ("comments", done.comments),
            ("head", done.head.head),
        ]
    )


@click.command("import")
@click.argument("archive", type=FILE)
@click.option("--without-comments", is_flag=True, help="Leave free texts out; then the instance's key may be another.")
def import_(archive: Path, without_comments: bool) -> None:
    """Put the wave of ARCHIVE back into an instance where its response numbers are free, such as a new one.

    Every hash is computed anew; nothing stays unless all fits. Then run sipas verify.

    Example: sipas --instance restored import q4.zip
    """
    from survey_app.archive import import_wave

    with opened_store(write=True) as store, progress("importing") as step:
        done = import_wave(store, archive, comments=not without_comments, step=step)
    echo_values(
        [
            ("wave", f"{done.wave}{' (SIMULATED)' if done.simulated else ''}"),
            ("responses", done.head.count),
            ("comments", done.comments),
            ("head", done.head.head),
        ]
    )
    click.echo(f"next: sipas --instance {instance_path()} verify")
