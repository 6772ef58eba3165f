"""`sipas wave rates`, `sipas wave odd`: who was asked at the counters and answered, and what looks odd about it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import counted, echo_json, echo_table, json_option, opened_store

if TYPE_CHECKING:
    from survey_app.oddities import Alert
    from survey_app.response_rates import Fieldwork

RATES = ("response_rate", "refusal_rate", "break_off_rate")


@click.command("rates")
@click.argument("id")
@click.option(
    "--by", type=click.Choice(["centre", "day", "centre-day"]), default="centre", show_default=True, help="One row a …"
)
@json_option
def rates(id: str, by: str, as_json: bool) -> None:
    """Count who was invited, answered, refused and broke off in a counter wave, with the rates, by centre or day.

    Response and refusal rates are of those invited; a wave without invitations has none.

    Example: sipas wave rates q4 --by day
    """
    from survey_app.response_rates import count
    from survey_app.watching import counter_timings, met

    with opened_store() as store:
        found = count(met(counter_timings(store, id)))
    rows = _summed(found, by)
    if as_json:
        echo_json([_facts(by, place, work) for place, work in rows])
        return
    titles = by.split("-")
    counts = list(asdict(rows[-1][1]))
    echo_table(
        (*titles, *counts, *(f"{name} %" for name in RATES)),
        [
            (*_title(place, len(titles)), *asdict(work).values(), *(_percent(getattr(work, name)) for name in RATES))
            for place, work in rows
        ],
    )


Place = tuple[str, ...]


def _summed(found: "dict[tuple[str, date], Fieldwork]", by: str) -> "list[tuple[Place, Fieldwork]]":
    """One row a place, and the whole at the end, under no name."""
    from survey_app.response_rates import total

    groups: dict[Place, list[Fieldwork]] = {}
    for (centre, day), work in found.items():
        place = {"centre": (centre,), "day": (day.isoformat(),), "centre-day": (centre, day.isoformat())}[by]
        groups.setdefault(place, []).append(work)
    return [*((place, total(groups[place])) for place in sorted(groups)), ((), total(found.values()))]


def _title(place: Place, columns: int) -> Place:
    return place or ("all", *("",) * (columns - 1))


def _facts(by: str, place: Place, work: "Fieldwork") -> dict[str, object]:
    named = dict(zip(by.split("-"), place, strict=False))
    return {**named, **asdict(work), **{name: getattr(work, name) for name in RATES}}


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.1f}"


@click.command("odd")
@click.argument("id")
@json_option
def odd(id: str, as_json: bool) -> None:
    """Name the devices and days of a counter wave whose answers came in oddly: at night, in bursts, in one line, too fast.

    A flag is a question, not a proof, and nothing is blocked or left out because of it. No response is named.

    Example: sipas wave odd q4
    """
    from survey_app.oddities import FLAGS, alerts, by_device_day, totals
    from survey_app.watching import wave_watched

    with opened_store() as store:
        found = wave_watched(store, id)
    named, sums = alerts(found.given, found.flags), totals(found.flags)
    if as_json:
        days = list(by_device_day(found.given, found.flags))
        echo_json({"responses": len(found.given), "flags": sums, "alerts": named, "device_days": days})
        return
    flagged = ", ".join(f"{name} {sums[name]}" for name in FLAGS)
    click.echo(f"{counted(len(found.given), 'completed response')}; flagged: {flagged}")
    if not named:
        click.echo("no device has a day that needs a look")
        return
    click.echo(f"{counted(len({(one.device, one.day) for one in named}), 'day')} of a device to look at:")
    for line in _sentences(named):
        click.echo(f"  {line}")
    click.echo()
    wanted = {(one.device, one.day) for one in named}
    rows = [row for row in by_device_day(found.given, found.flags) if (row["device"], row["day"]) in wanted]
    columns = ("day", "device", "centre", "responses", *FLAGS)
    echo_table(columns, [tuple(row[name] for name in columns) for row in rows])


_SAID = {
    "burst": "{count} of {responses} forms came in bursts of six or more within five minutes",
    "night": "{count} of {responses} forms were given outside 6:00–19:00",
    "straight_line": "{count} of {responses} forms have one answer throughout; {usual:.1f} are usual",
    "surge": "{responses} forms; {usual:.0f} are usual",
    "fast": "{count} of {responses} forms took under one second an answer; {usual:.1f} are usual",
}


def _sentences(named: "Iterable[Alert]") -> Iterable[str]:
    for one in named:
        yield f"{one.device} on {one.day}: {_SAID[one.kind].format(**asdict(one))}"
