"""What a simulated device keeps, and how it brings it to the server: as tablets do by the kiosk protocol.

`Outbox`, `Device`, `Said`. Nothing expires unsent; what was sent stays for 30 days and goes out again when an
acknowledgement asks for it by number (`missing`) or by uuid (`resend`), as it does after a restore from an older backup.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from survey_app.problems import Problem
from survey_app.simulation.citizens import SimulationError

Plain = Mapping[str, Any]
KEPT = timedelta(days=30)
BATCH = 20
GOOD_FATES = frozenset({"stored", "already_stored"})
ROUNDS = 10_000
"""So often at most a server may ask for something again in one `sync`; a sound one asks far less often."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def device_time() -> str:
    """Now, as devices send it."""
    return utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Outbox:
    """The numbered responses of one device: those unsent, and those sent in the last 30 days."""

    def __init__(self, responses: Iterable[Plain] = (), sent: int = 0, clock: Callable[[], datetime] = utc_now) -> None:
        """`responses` are numbered already; those up to `sent` were acknowledged before."""
        self._clock = clock
        self._kept = {int(response["seq"]): response for response in responses}
        self._sent_at = {seq: clock() for seq in self._kept if seq <= sent}
        self.last_seq = max(self._kept, default=sent)

    def put(self, response: Plain) -> Plain:
        """Give the response the next number and keep it."""
        self.last_seq += 1
        numbered = {**response, "seq": self.last_seq}
        self._kept[self.last_seq] = numbered
        return numbered

    @property
    def unsent(self) -> list[Plain]:
        """What no acknowledgement covers yet, in the order of the numbers."""
        return [self._kept[seq] for seq in sorted(self._kept) if seq not in self._sent_at]

    def acknowledged(self, responses: Iterable[Plain]) -> None:
        for response in responses:
            self._sent_at[response["seq"]] = self._clock()

    def asked_for(self, reply: Plain) -> list[Plain]:
        """What an acknowledgement asks to have again and is still kept, in the order of the numbers."""
        uuids = set(reply["resend"])
        if not uuids and not reply["missing"]:
            return []
        return [
            response
            for seq, response in sorted(self._kept.items())
            if response["uuid"] in uuids or any(first <= seq <= last for first, last in reply["missing"])
        ]

    def forget(self) -> int:
        """Let go of what was sent longer ago than devices keep it; returns how many."""
        old = [seq for seq, at in self._sent_at.items() if seq in self._kept and self._clock() - at > KEPT]
        for seq in old:
            del self._kept[seq]
        return len(old)


@dataclass
class Said:
    """What the server said to one `sync`: fates by kind, responses it asked to have again, and its last ledger head."""

    fates: dict[str, int] = field(default_factory=dict)
    asked_again: int = 0
    missing: tuple[tuple[int, int], ...] = ()
    ledger: Plain | None = None


@dataclass
class Device:
    """A device and its outbox. `post` takes the body of a sending and returns the acknowledgement, as data."""

    outbox: Outbox
    post: Callable[[Plain], Plain]
    batch: int = BATCH
    app: str = "sipas-simulate"
    ledger: Plain | None = None
    """The last head of the chain it was told, as tablets keep it."""

    def sync(self) -> Said:
        """Send what is unsent, or else a sign of life, and again whatever the server then lacks, until it lacks nothing.

        What it asks for and is no longer kept stays missing: `Said.missing` says so.
        """
        said = Said()
        batch = self.outbox.unsent[: self.batch]
        reply = self.send(batch, said)
        while batch := self.outbox.unsent[: self.batch]:
            reply = self.send(batch, said)
        for _ in range(ROUNDS):
            wanted = self.outbox.asked_for(reply)[: self.batch]
            if not wanted:
                return said
            said.asked_again += len(wanted)
            reply = self.send(wanted, said)
        raise SimulationError(
            Problem("the server asks for the same responses over and over", str(reply["missing"]), "run sipas verify")
        )

    def send(self, responses: Sequence[Plain], said: Said) -> Plain:
        """One sending; `SimulationError` when the server takes less than all of it."""
        reply = self.post(
            {
                "sent_at": device_time(),
                "last_seq": self.outbox.last_seq,
                "app": self.app,
                "responses": list(responses),
            }
        )
        results = reply["results"]
        refused = [result for result in results if result["fate"] not in GOOD_FATES]
        if refused or len(results) != len(responses):
            raise _disagreement(refused, len(results), len(responses))
        for result in results:
            said.fates[result["fate"]] = said.fates.get(result["fate"], 0) + 1
        self.outbox.acknowledged(responses)
        self.ledger = said.ledger = reply["ledger"] or self.ledger
        said.missing = tuple((first, last) for first, last in reply["missing"])
        return reply


def _disagreement(refused: Sequence[Plain], fates: int, responses: int) -> SimulationError:
    if not refused:
        return SimulationError(
            Problem(f"{fates} fates for {responses} responses", "the acknowledgement", "is this a SIPAS server?")
        )
    return SimulationError(
        [
            Problem(
                f"{result['fate']}: {', '.join(result.get('errors', ()))}",
                f"response {result['uuid']}",
                "the simulator and the server disagree: simulate into a fresh instance of this version",
            )
            for result in refused[:5]
        ]
    )
