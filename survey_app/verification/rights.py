"""Who may send and who may look, held against the audit: devices and the accounts of the office.

`check_devices`, `check_officials`.
"""

from collections.abc import Iterator, Mapping

from survey_app.problems import Problem
from survey_app.store import Store
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


def check_officials(store: Store) -> Iterator[Problem]:
    """No command makes accounts yet that the audit would not know: each account must stand in it."""
    known = {str(event.detail["account"]) for event in store.events(["official_added"])}
    for account in store.official_accounts():
        if account not in known:
            yield Problem("an account was inserted: the audit does not know it", f"account {account}", RESTORE)
