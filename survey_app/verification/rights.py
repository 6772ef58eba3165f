"""Who may send and who may look, held against the audit: devices and the accounts of the office.

`check_devices`, `check_contacts`, `check_pins`, `check_taken_over`, `check_officials`.
"""

from collections.abc import Iterator, Mapping

from survey_app.problems import Problem
from survey_app.store import Store
from survey_app.store.pins import pin_row_hash
from survey_app.verification.chain import RESTORE

_MOMENTS = {"device_enrolled": "enrolled", "device_revoked": "revoked"}


def check_devices(store: Store) -> Iterator[Problem]:
    """Each device is what the audit says was added, enrolled and revoked.

    Events of earlier versions say less of a device, and knew no other purpose than the counter; what they do not say is
    not held against it.
    """
    said: dict[str, dict[str, object]] = {}
    known: set[tuple[str, str]] = set()
    for event in store.events(["device_added", *_MOMENTS]):
        id = str(event.detail["device"])
        known.add((id, event.kind))
        said.setdefault(id, {"purpose": "counter"}).update(event.detail)
    for row in store.device_rows():
        where = f"device {row['id']}"
        if (str(row["id"]), "device_added") not in known:
            yield Problem("a device was inserted: the audit does not know it", where, RESTORE)
            continue
        yield from _moments(row, known, where)
        for name, value in said.pop(str(row["id"])).items():
            if row.get(name, value) != value and row[name] is not None:
                yield Problem(f"{name} of a device is not what the audit says", where, RESTORE)
    for removed in said:
        yield Problem("a device was removed: the audit knows it", f"device {removed}", RESTORE)


def _moments(row: Mapping[str, object], known: set[tuple[str, str]], where: str) -> Iterator[Problem]:
    for kind, column in _MOMENTS.items():
        happened = (str(row["id"]), kind) in known
        if happened and row[column] is None:
            yield Problem(f"a device is not {column} any more: the audit says it was", where, RESTORE)
        elif row[column] is not None and not happened:
            yield Problem(
                f"a device was {column} behind the program's back: the audit does not know it", where, RESTORE
            )


def check_contacts(store: Store) -> Iterator[Problem]:
    """The contacts of a device agree with each other and with what stands beside the device itself."""
    for device, what in store.odd_contacts():
        yield Problem(f"the contacts of a device were altered: {what}", f"device {device}", RESTORE)


def check_pins(store: Store) -> Iterator[Problem]:
    """Each centre has the PIN that was set last, or none."""
    said: dict[str, object] = {}
    for event in store.events(["centre_pin_set", "centre_pin_removed"]):
        said[str(event.detail["centre"])] = event.detail.get("row_sha256")
    now: dict[str, object] = {str(row["centre"]): pin_row_hash(row) for row in store.pin_rows()}
    for centre in sorted(said.keys() | now.keys()):
        if said.get(centre) != now.get(centre):
            what = "the PIN of a centre is not the one that was set"
            yield Problem(what, f"centre {centre}", f"set it anew: sipas centre pin {centre}; {RESTORE}")


def check_taken_over(store: Store) -> Iterator[Problem]:
    """What was taken over from the file of a device stands where the audit says, under that device."""
    for event in store.events(["device_imported"]):
        positions = event.detail["positions"]
        for wave, (first, last) in positions.items() if isinstance(positions, dict) else ():
            if store.count_of_device(wave, str(event.detail["device"]), first, last) != last - first + 1:
                what = "responses taken over from a file are not those of its device"
                yield Problem(what, f"wave {wave}, positions {first} to {last}", RESTORE)


def check_officials(store: Store) -> Iterator[Problem]:
    """No command makes accounts yet that the audit would not know: each account must stand in it."""
    known = {str(event.detail["account"]) for event in store.events(["official_added"])}
    for account in store.official_accounts():
        if account not in known:
            yield Problem("an account was inserted: the audit does not know it", f"account {account}", RESTORE)
