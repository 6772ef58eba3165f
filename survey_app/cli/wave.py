"""`sipas wave`: planning, opening, closing and following waves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from unicodedata import normalize

import click

from survey_app.cli.context import (
    counted,
    echo_json,
    echo_table,
    echo_values,
    instance_path,
    json_option,
    local_time,
    opened_store,
)
from survey_app.cli.wave_watch import odd, rates
from survey_app.model import VIETNAM, PrimaryUnit, Rules, Wave

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
VILLAGE = (
    "stratum", "psu", "name", "households", "visited", "completed", "refused", "not_at_home", "broken_off", "left",
)  # fmt: skip
OF_REGISTERS = {"weighting", "minimum_cell", "minimum_class", "margins"}
"""Rules from which nothing follows in a sample wave: it has no register."""


@click.group()
def wave() -> None:
    """Create, open, close and list waves.

    Example: sipas wave list
    """


wave.add_command(rates)
wave.add_command(odd)


def _codes(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    found = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    if value is not None and not found:
        raise click.BadParameter("nothing is named")
    return found


@wave.command("create")
@click.argument("id")
@click.option("--form", required=True, help="Questionnaire: ID (its newest version), ID.VERSION, or a .toml file.")
@click.option(
    "--months",
    required=True,
    callback=_codes,
    help="Months such as 2026-10,2026-11: of the register (counter wave) or of the interviews (sample wave).",
)
@click.option("--title-vi", required=True, help="Title in Vietnamese.")
@click.option("--title-en", required=True, help="Title in English.")
@click.option("--kind", type=click.Choice(["counter", "sample"]), default="counter", show_default=True)
@click.option("--frame", type=FILE, help="Sample waves: CSV file of the villages drawn, see below.")
@click.option("--centres", callback=_codes, help="Codes, comma between; default: all.")
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
    frame: Path | None,
    centres: tuple[str, ...],
    simulated: bool,
    item_method: str | None,
    roll_up: str | None,
    **rules: object,
) -> None:
    """Plan a wave; its form is copied into the store, its rules are fixed from the opening on.

    Without --item-method and --roll-up those of the form hold.

    The file of --frame has the header stratum,psu,name,population,probability,households: of each village its code, its
    population, the probability (decimal point) with which a resident was drawn for an interview, and how many
    households to visit.

    \b
    Example: sipas wave create q4 --form counter --months 2026-10,2026-11 \\
             --title-vi "Quý IV năm 2026" --title-en "Fourth quarter 2026"
    """
    from survey_app.frame import lone_units, read_frame
    from survey_app.questionnaire.finding import find_form
    from survey_app.settings import Settings

    villages = read_frame(frame) if frame else ()
    questionnaire = find_form(form, Settings.load(instance_path()).questionnaires)
    index = questionnaire.index
    rules["item_method"] = item_method or (index.item_method if index else "top2")
    rules["roll_up"] = roll_up or (index.roll_up if index else "pooled")
    with opened_store(write=True) as store:
        made = store.create_wave(
            Wave(
                id=id,
                kind="sample" if kind == "sample" else "counter",
                title={"vi": normalize("NFC", title_vi.strip()), "en": normalize("NFC", title_en.strip())},
                questionnaire=questionnaire.id,
                version=questionnaire.version,
                months=months,
                centres=centres or tuple(centre.code for centre in store.centres()),
                rules=Rules(**rules),  # type: ignore[arg-type]
                simulated=simulated,
            ),
            questionnaire,
            villages,
        )
    drawn = f", {counted(len(villages), 'village')}" if villages else ""
    centre_count = counted(len(made.centres), "centre")
    click.echo(f"planned wave {made.id}: {made.questionnaire} {made.version}, {centre_count}{drawn}")
    if alone := lone_units(villages):
        click.echo(f"strata of one village only, which weighting will join to another: {', '.join(alone)}")
    if lacking := [role for role in ("field", "visit") if role not in questionnaire.roles and made.kind == "counter"]:
        click.echo(f"no item of the form has the role {' or '.join(lacking)}: such a wave is not weighted")
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
    """Show everything about a wave: form, months, centres, rules, ledger; of a sample wave also each village's progress.

    Example: sipas wave show q4
    """
    with opened_store() as store, store.snapshot():
        found, head = store.wave(id), store.head(id)
        villages = _progress(store.frame(id), store.outcomes(id))
    facts = {**_wave_facts(found, head.count), "ledger": head}
    if as_json:
        echo_json({**facts, "frame": villages} if found.kind == "sample" else facts)
        return
    del facts["rules"]
    facts |= {"title": found.title["vi"], "centres": len(found.centres), "months": ", ".join(found.months)}
    facts |= {"opened": local_time(found.opened), "closed": local_time(found.closed), "ledger": head.head}
    echo_values(facts.items())
    rules = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in vars(found.rules).items()}
    kept = rules.keys() - (OF_REGISTERS if found.kind == "sample" else set())
    echo_values((f"rule {name}", value) for name, value in rules.items() if name in kept)
    if villages:
        click.echo()
        echo_table(VILLAGE, [tuple(village[name] for name in VILLAGE) for village in villages])


def _wave_facts(found: Wave, count: int) -> dict[str, object]:
    return {**vars(found), "rules": vars(found.rules), "responses": count}


def _progress(frame: Sequence[PrimaryUnit], outcomes: Mapping[tuple[str, str], int]) -> list[dict[str, object]]:
    """Each village with what became of its households; `left`: how many are still to be visited."""
    villages: list[dict[str, object]] = []
    for unit in frame:
        met = {name: outcomes.get((unit.psu, name), 0) for name in ("complete", "refused", "not_at_home", "broken_off")}
        met["completed"] = met.pop("complete")
        visited = sum(met.values())
        left = max(0, unit.households - visited)
        villages.append({**vars(unit), "visited": visited, **met, "left": left})
    return villages
