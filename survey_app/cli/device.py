"""`sipas device`: the tablets, at counters and with interviewers."""

import click

from survey_app.cli.context import echo_json, echo_table, json_option, local_time, opened_store
from survey_app.cli.device_import import import_
from survey_app.cli.device_sheet import sheet
from survey_app.cli.device_status import status
from survey_app.model import Device


@click.group()
def device() -> None:
    """Add, list, watch and revoke kiosk devices, and take over what they could not send.

    Example: sipas device add 00691
    """


@device.command("add")
@click.argument("centre")
@click.option("--simulated", is_flag=True, help="For simulated waves only.")
@click.option("--interviewer", is_flag=True, help="A tablet for household interviews: it sends to sample waves only.")
@click.option(
    "--address", metavar="URL", help="The server as tablets reach it: a second QR code opens its set-up page."
)
@json_option
def add_device(centre: str, simulated: bool, interviewer: bool, address: str | None, as_json: bool) -> None:
    """Make a one-time enrolment code for a new device of CENTRE; valid once, for 24 hours, shown only now.

    Example: sipas device add 00691
    """
    from survey_app.device_sheet import address_with_code, page_address

    enrol_at = page_address(address) if address is not None else None
    with opened_store(write=True) as store:
        added, code = store.add_device(centre, simulated, "sample" if interviewer else "counter")
        name = store.centre(centre).full_name
    if as_json:
        facts = {name: getattr(added, name) for name in ("centre", "simulated", "purpose")}
        opens = {"opens": address_with_code(enrol_at, code)} if enrol_at else {}
        echo_json({"device": added.id, **facts, "code": code, **opens})
        return
    import segno

    whose = ", for an interviewer" if interviewer else ""
    click.echo(f"device {added.id} of {name}{whose}\ncode:  {code}\n")
    segno.make(code, error="m").terminal(compact=True)
    if enrol_at:
        click.echo(f"\nor open {enrol_at} with the code in it, by the tablet's own camera:\n")
        segno.make(address_with_code(enrol_at, code), error="m").terminal(compact=True)
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
        ("device", "centre", "purpose", "state", "added", "last seen"),
        [(d.id, d.centre, d.purpose, _state(d), local_time(d.created), local_time(d.last_seen)) for d in devices],
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
device.add_command(status)
device.add_command(import_)
