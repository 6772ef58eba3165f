"""Responses that a restore gave up and that devices are asked for by name: `Resending`.

Most come back by themselves: their numbers are missing, and each acknowledgement says so. Those whose number has arrived
already, under another response, would not; the audit names them since the restore.
"""

from collections.abc import Collection, Mapping

from survey_app.store import Store

MOST_AT_ONCE = 200


class Resending:
    """What is still wanted, by device. Used by the writing thread alone; asked until stored, or until a device tells its fate."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[str]] | None = None

    def of(self, store: Store, device: str, told: Collection[object]) -> list[str]:
        """The uuids this device should send again; `told`: those whose fate it hears now."""
        if self._wanted is None:
            self._wanted = _given_up(store)
        if device not in self._wanted:
            return []
        left = [uuid for uuid in self._wanted[device] if uuid not in told and not store.is_stored(uuid)]
        self._wanted[device] = left
        return left[:MOST_AT_ONCE]


def _given_up(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in store.events(["restored"]):
        named = event.detail["resend"]
        if isinstance(named, Mapping):
            for device, uuids in named.items():
                found.setdefault(str(device), []).extend(map(str, uuids))
    return found
