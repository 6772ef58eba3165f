"""What the store keeps, as frozen values: centres, fields, waves, frames, devices, responses, register rows,
reference figures, events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

Text = Mapping[str, str]
Fate = Literal["stored", "already_stored", "conflict", "rejected"]
WaveKind = Literal["counter", "sample"]
WaveStatus = Literal["planned", "open", "closed"]
Purpose = Literal["counter", "sample"]
CHANNELS = ("counter", "online", "post", "all")
VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")  # no daylight saving, so no zone database is needed


@dataclass(frozen=True)
class Centre:
    """A public service centre: of one commune, or of the province."""

    code: str
    name: str
    full_name: str
    kind: Literal["province", "commune"]
    group: str


@dataclass(frozen=True)
class ServiceField:
    code: str
    label: Text
    source: str


@dataclass(frozen=True)
class Device:
    id: str
    centre: str
    simulated: bool
    revoked: datetime | None
    created: datetime
    last_seen: datetime | None
    enrolled: datetime | None = None
    purpose: Purpose = "counter"
    """`sample`: an interviewer's tablet, which sends to sample waves only; a counter's sends to counter waves only."""
    app: str | None = None
    """Name and version of the program that sent last."""
    offset_ms: int | None = None
    """How far its clock was behind at the last sending; negative: ahead."""
    last_seq: int = 0
    """The highest number it said to have given."""


@dataclass(frozen=True)
class ContactDay:
    """How often a device was heard of on one local day, and between which errors its clock went (milliseconds)."""

    device: str
    day: date
    contacts: int
    first: datetime
    last: datetime
    offset_least: int | None
    offset_most: int | None


@dataclass(frozen=True)
class Enrolment:
    """The answer to a one-time code; the token is shown this once and stored only as its hash."""

    token: str = field(repr=False)
    device: str
    centre: str


@dataclass(frozen=True)
class Rules:
    """How a wave will be computed, fixed before it opens. Reference line and level in per cent.

    Classes with fewer responses join a neighbour: centre × field cells under `minimum_cell`, the centre totals of
    raking under `minimum_class` (why they differ: docs/decisions.md).
    """

    item_method: Literal["top2", "mean5", "mean01"] = "top2"
    roll_up: Literal["pooled", "item_mean", "factor_mean", "area_mean"] = "pooled"
    weighting: Literal["rake", "cells"] = "rake"
    minimum_cell: int = 20
    minimum_class: int = 5
    reference_line: int = 85
    level: int = 95
    margins: tuple[str, ...] = ("centre", "field")


@dataclass(frozen=True)
class Wave:
    id: str
    kind: WaveKind
    title: Text
    questionnaire: str
    version: str
    months: tuple[str, ...]
    centres: tuple[str, ...]
    rules: Rules = Rules()
    simulated: bool = False
    status: WaveStatus = "planned"
    opened: datetime | None = None
    closed: datetime | None = None


@dataclass(frozen=True)
class PrimaryUnit:
    """A village of a sample wave's frame.

    `probability`: with which one resident of this village was drawn into the sample, all stages together; the base
    weight is 1 / probability. `households`: how many are to be visited there.
    """

    psu: str
    stratum: str
    name: str
    population: int
    probability: float
    households: int


@dataclass(frozen=True)
class Head:
    """How many responses a wave's chain has, and the hash that stands for all of them in their order."""

    count: int
    head: str


@dataclass(frozen=True)
class Receipt:
    uuid: str
    fate: Fate
    errors: tuple[str, ...] = ()
    """`code` or `ITEM:code`; only with `rejected`."""


@dataclass(frozen=True)
class StoredResponse:
    uuid: str
    wave: str
    position: int
    centre: str
    field: str | None
    device: str
    seq: int | None
    questionnaire: str
    version: str
    language: str
    mode: str
    recruitment: str
    disposition: str
    psu: str | None
    part: Mapping[str, tuple[int, int]] | None
    started: datetime
    submitted: datetime
    received: datetime
    offset_ms: int
    local_day: date
    late: bool
    after_close: bool
    clock: bool
    content_sha256: str
    answers: Mapping[str, int | tuple[int, ...]]


@dataclass(frozen=True)
class RegisterRow:
    """Dossiers of one centre, field, month and channel: received, resolved, and of the resolved on time."""

    centre: str
    field: str
    month: str
    channel: str
    received: int
    resolved: int
    on_time: int


@dataclass(frozen=True)
class Reference:
    """A figure published by the ministry, as it was published. Figures of different series are never subtracted."""

    year: int
    place: str
    measure: str
    value: str
    series: str
    label: str
    source: str


@dataclass(frozen=True)
class Event:
    number: int
    at: datetime
    kind: str
    detail: Mapping[str, object]


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: the one form in which the store keeps a time, so that text sorts as time."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Back from `stamp`."""
    return datetime.fromisoformat(text)
