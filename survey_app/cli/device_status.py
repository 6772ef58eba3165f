"""`sipas device status`."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import counted, echo_json, echo_table, json_option, local_time, opened_store

if TYPE_CHECKING:
    from survey_app.device_status import Condition, Note
    from survey_app.model import ContactDay

DAYS_SHOWN = 14


@click.command("status")
@click.argument("target", metavar="[CENTRE|DEVICE]", required=False)
@click.option("--wave", help="Only devices that take part in this wave, and its responses.")
@json_option
def status(target: str | None, wave: str | None, as_json: bool) -> None:
    """Say which devices need attention and why, then how each stands; of one DEVICE also its last days.

    Example: sipas device status 00691
    """
    from survey_app.device_status import look, notes

    now = datetime.now(UTC)
    with opened_store() as store:
        conditions = look(store, now, target, wave)
        one = conditions[0].device.id if len(conditions) == 1 and target == conditions[0].device.id else None
        days = store.contacts(one)[-DAYS_SHOWN:] if one else ()
    found = notes(conditions)
    if as_json:
        echo_json(
            {
                "at": now,
                "attention": found,
                "devices": [_plain(condition) for condition in conditions],
                **({"days": days} if one else {}),
            }
        )
        return
    _say(conditions, found, days)


def _plain(condition: "Condition") -> dict[str, object]:
    fields = {field.name: getattr(condition, field.name) for field in dataclasses.fields(condition)}
    return {**fields, "state": condition.state}


def _say(conditions: "Sequence[Condition]", found: "Sequence[Note]", days: "Sequence[ContactDay]") -> None:
    if found:
        devices = len({note.device for note in found})
        click.echo(f"{counted(devices, 'device')} of {len(conditions)} need attention:")
        for note in found:
            click.echo(f"  {note.device}: {note.what}. {note.remedy}.")
    elif conditions:
        click.echo(f"{counted(len(conditions), 'device')}: nothing needs attention.")
    else:
        click.echo("no devices")
        return
    click.echo("")
    echo_table(
        ("device", "state", "last contact", "silent h", "responses", "gaps", "waiting", "twice", "conflicts",
         "rejected", "clock s", "program"),
        [_line(one) for one in conditions],
    )  # fmt: skip
    if days:
        click.echo("")
        echo_table(
            ("day", "contacts", "first", "last", "clock s"),
            [(d.day, d.contacts, local_time(d.first), local_time(d.last), _between(d)) for d in days],
        )


def _line(one: "Condition") -> tuple[object, ...]:
    device = one.device
    return (
        device.id,
        f"{one.state} (simulated)" if device.simulated else one.state,
        local_time(device.last_seen),
        None if one.hours_silent is None else f"{one.hours_silent:.1f}",
        one.responses,
        sum(last - first + 1 for first, last in one.gaps),
        one.tail[1] - one.tail[0] + 1 if one.tail else 0,
        one.used_twice,
        one.conflicts,
        one.rejected,
        _seconds(device.offset_ms),
        device.app,
    )


def _between(day: "ContactDay") -> str | None:
    least, most = _seconds(day.offset_least), _seconds(day.offset_most)
    return least if least == most else f"{least} to {most}"


def _seconds(milliseconds: int | None) -> str | None:
    """Behind is positive, ahead negative."""
    return None if milliseconds is None else f"{milliseconds / 1000:+.1f}"
