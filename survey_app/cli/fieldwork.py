"""`sipas wave`, `sipas centre`, `sipas field`, `sipas device`."""

from datetime import datetime
from pathlib import Path

import click

from survey_app.cli.context import (
    echo_json,
    echo_table,
    echo_values,
    instance_path,
    json_option,
    local_time,
    opened_store,
)
from survey_app.cli.device_sheet import sheet
from survey_app.model import VIETNAM, Device, Rules, Wave

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


# ---- waves


@click.group()
def wave() -> None:
    """Create, open, close and list waves.

    Example: sipas wave list
    """


def _months(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@wave.command("create")
@click.argument("id")
@click.option("--form", required=True, help="Questionnaire: ID (its newest version), ID.VERSION, or a .toml file.")
@click.option("--months", required=True, callback=_months, help="Register months, such as 2026-10,2026-11.")
@click.option("--title-vi", required=True, help="Title in Vietnamese.")
@click.option("--title-en", required=True, help="Title in English.")
@click.option("--kind", type=click.Choice(["counter", "sample"]), default="counter", show_default=True)
@click.option("--centres", callback=lambda c, p, v: _months(c, p, v or ""), help="Codes, comma between; default: all.")
@click.option("--simulated", is_flag=True, help="A simulated wave; real devices cannot send to it.")
@click.option("--item-method", type=click.Choice(["top2", "mean5", "mean01"]), default=None)
@click.option("--roll-up", type=click.Choice(["pooled", "item_mean", "factor_mean", "area_mean"]), default=None)
@click.option("--weighting", type=click.Choice(["rake", "cells"]), default="rake", show_default=True)
@click.option("--minimum-cell", type=int, default=20, show_default=True, help="Responses a centre × field cell needs.")
@click.option("--minimum-class", type=int, default=5, show_default=True, help="Responses a centre needs in raking.")
@click.option("--reference-line", type=int, default=85, show_default=True, help="What scores are compared with.")
@click.option("--level", type=int, default=95, show_default=True, help="Confidence level in per cent.")
def create_wave(
    id: str,
    form: str,
    months: tuple[str, ...],
    title_vi: str,
    title_en: str,
    kind: str,
    centres: tuple[str, ...],
    simulated: bool,
    item_method: str | None,
    roll_up: str | None,
    **rules: object,
) -> None:
    """Plan a wave; its form is copied into the store, its rules are fixed from the opening on.

    Without --item-method and --roll-up those of the form hold.

    \b
    Example: sipas wave create q4 --form counter --months 2026-10,2026-11 \\
             --title-vi "Quý IV năm 2026" --title-en "Fourth quarter 2026"
    """
    from survey_app.questionnaire.finding import find_form
    from survey_app.settings import Settings

    questionnaire = find_form(form, Settings.load(instance_path()).questionnaires)
    index = questionnaire.index
    rules["item_method"] = item_method or (index.item_method if index else "top2")
    rules["roll_up"] = roll_up or (index.roll_up if index else "pooled")
    with opened_store(write=True) as store:
        made = store.create_wave(
            Wave(
                id=id,
                kind="sample" if kind == "sample" else "counter",
                title={"vi": title_vi, "en": title_en},
                questionnaire=questionnaire.id,
                version=questionnaire.version,
                months=months,
                centres=centres or tuple(centre.code for centre in store.centres()),
                rules=Rules(**rules),  # type: ignore[arg-type]
                simulated=simulated,
            ),
            questionnaire,
        )
    click.echo(f"planned wave {made.id}: {made.questionnaire} {made.version}, {len(made.centres)} centres")
    click.echo(f"next: sipas wave open {made.id}")


at_option = click.option(
    "--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Vietnamese time; simulated waves only."
)


@wave.command("open")
@click.argument("id")
@at_option
def open_wave(id: str, at: datetime | None) -> None:
    """Begin asking; from now on the wave's rules are fixed.

    Example: sipas wave open q4
    """
    with opened_store(write=True) as store:
        opened = store.open_wave(id, at=_vietnamese(at))
    click.echo(f"wave {id} is open since {local_time(opened.opened)}")


@wave.command("close")
@click.argument("id")
@at_option
def close_wave(id: str, at: datetime | None) -> None:
    """End the asking; what was given before is still received.

    Example: sipas wave close q4
    """
    with opened_store(write=True) as store:
        closed = store.close_wave(id, at=_vietnamese(at))
    click.echo(f"wave {id} is closed since {local_time(closed.closed)}")


def _vietnamese(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=VIETNAM) if at else None


@wave.command("list")
@json_option
def list_waves(as_json: bool) -> None:
    """List the waves with their state and number of responses.

    Example: sipas wave list --json
    """
    with opened_store() as store:
        counted = [(found, store.response_count(found.id)) for found in store.waves()]
    if as_json:
        echo_json([_wave_facts(found, count) for found, count in counted])
        return
    echo_table(
        ("wave", "kind", "form", "months", "centres", "status", "responses", "title"),
        [
            (
                found.id,
                found.kind + (" (simulated)" if found.simulated else ""),
                f"{found.questionnaire} {found.version}",
                ",".join(found.months),
                len(found.centres),
                found.status,
                count,
                found.title["vi"],
            )
            for found, count in counted
        ],
    )


@wave.command("show")
@click.argument("id")
@json_option
def show_wave(id: str, as_json: bool) -> None:
    """Show everything about a wave: form, months, centres, rules, ledger.

    Example: sipas wave show q4
    """
    with opened_store() as store:
        found, head = store.wave(id), store.head(id)
    facts = {**_wave_facts(found, head.count), "ledger": head}
    if as_json:
        echo_json(facts)
        return
    del facts["rules"]
    facts |= {"title": found.title["vi"], "centres": len(found.centres), "months": ", ".join(found.months)}
    facts |= {"opened": local_time(found.opened), "closed": local_time(found.closed), "ledger": head.head}
    echo_values(facts.items())
    rules = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in vars(found.rules).items()}
    echo_values((f"rule {name}", value) for name, value in rules.items())


def _wave_facts(found: Wave, count: int) -> dict[str, object]:
    return {**vars(found), "rules": vars(found.rules), "responses": count}


# ---- centres


@click.group()
def centre() -> None:
    """Import and list service centres.

    Example: sipas centre import
    """


@centre.command("import")
@click.argument("file", type=FILE, required=False)
def import_centres(file: Path | None) -> None:
    """Add centres, or bring known ones up to date; without FILE the province's 124 communes and its own centre.

    FILE is a CSV file with the columns code and name, and if you like full_name, kind (province or commune) and group
    (neighbours, which thin weighting classes join first).

    Example: sipas centre import centres.csv
    """
    from survey_app.province import read_centres

    centres = read_centres(file)
    with opened_store(write=True) as store:
        store.add_centres(centres)
    click.echo(f"imported {len(centres)} centres")


@centre.command("list")
@json_option
def list_centres(as_json: bool) -> None:
    """List the centres with their group of neighbours.

    Example: sipas centre list
    """
    with opened_store() as store:
        centres = store.centres()
    if as_json:
        echo_json(centres)
    else:
        echo_table(("code", "centre", "kind", "group"), [(c.code, c.full_name, c.kind, c.group) for c in centres])


# ---- service fields


@click.group()
def field() -> None:
    """Import and list service fields.

    Example: sipas field import
    """


@field.command("import")
@click.argument("file", type=FILE, required=False)
def import_fields(file: Path | None) -> None:
    """Make FILE the list of fields that citizens choose from; without FILE the default list (ours, unofficial).

    FILE is a CSV file with the columns code, vi, en and source. A field known before and not in the list is no longer
    offered; responses that name it keep it.

    Example: sipas field import fields.csv
    """
    from survey_app.province import read_fields

    fields = read_fields(file)
    with opened_store(write=True) as store:
        store.add_fields(fields, others="retire")
    click.echo(f"imported {len(fields)} fields")


@field.command("list")
@json_option
def list_fields(as_json: bool) -> None:
    """List the fields that are offered.

    Example: sipas field list
    """
    with opened_store() as store:
        fields = store.fields()
    if as_json:
        echo_json(fields)
    else:
        echo_table(("code", "vi", "en", "source"), [(f.code, f.label["vi"], f.label["en"], f.source) for f in fields])


# ---- devices


@click.group()
def device() -> None:
    """Add, list and revoke kiosk devices.

    Example: sipas device add 00691
    """


@device.command("add")
@click.argument("centre")
@click.option("--simulated", is_flag=True, help="For simulated waves only.")
@json_option
def add_device(centre: str, simulated: bool, as_json: bool) -> None:
    """Make a one-time enrolment code for a new device of CENTRE; valid once, for 24 hours, shown only now.

    Example: sipas device add 00691
    """
    with opened_store(write=True) as store:
        added, code = store.add_device(centre, simulated)
        name = store.centre(centre).full_name
    if as_json:
        echo_json({"device": added.id, "centre": added.centre, "simulated": added.simulated, "code": code})
        return
    import segno

    click.echo(f"device {added.id} of {name}\ncode:  {code}\n")
    segno.make(code, error="m").terminal(compact=True)
    click.echo("Valid once, for 24 hours. Type it on the tablet, or let its camera read it.")


@device.command("list")
@json_option
def list_devices(as_json: bool) -> None:
    """List the devices, when they were last heard of, and whether they are revoked.

    Example: sipas device list
    """
    with opened_store() as store:
        devices = store.devices()
    if as_json:
        echo_json(devices)
        return
    echo_table(
        ("device", "centre", "state", "added", "last seen"),
        [(d.id, d.centre, _state(d), local_time(d.created), local_time(d.last_seen)) for d in devices],
    )


def _state(found: Device) -> str:
    state = "revoked" if found.revoked else "enrolled" if found.enrolled else "awaits its code"
    return f"{state} (simulated)" if found.simulated else state


@device.command("revoke")
@click.argument("id")
def revoke_device(id: str) -> None:
    """Withdraw a device's token for ever, as when a tablet is lost.

    Example: sipas device revoke 00691-1
    """
    with opened_store(write=True) as store:
        store.revoke_device(id)
    click.echo(f"device {id} is revoked")


device.add_command(sheet)
