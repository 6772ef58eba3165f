"""Recomputing everything the store claims, and naming in plain words what was changed, removed, inserted or cut off.

`verify`. It trusts nothing that a person with access to the file could have altered: contents are hashed again, chains
followed link by link and held against heads.log, the audit and the manifests of extracts, and the answers derived anew
by the store's copy of the form, whose hash the audit knows.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from survey_app.ledger import Plain, content_hash
from survey_app.model import Wave
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire import Questionnaire, check
from survey_app.response import KEYS, parse_response
from survey_app.settings import Settings
from survey_app.store import EVENTS, Store, answer_rows
from survey_app.store.auditing import LedgerRow, answers_text
from survey_app.store.recording import RESPONSE_COLUMNS
from survey_app.verification.audit import check_lists, check_register, check_waves
from survey_app.verification.chain import RESTORE, Link, follow, hold_against, unannounced
from survey_app.verification.restores import Heads, given_up_heads, unexplained
from survey_app.verification.rights import (
    check_contacts,
    check_devices,
    check_officials,
    check_pins,
    check_taken_over,
)
from survey_app.verification.texts import Purges, check_conflicts, sealed_texts, with_texts, wrong_texts
from survey_app.verification.witnesses import HeadsLog, Witnesses, read_backups, read_heads_log, read_manifests

_UNREADABLE = (SipasError, LookupError, TypeError, ValueError, AttributeError)
_COLUMNS = tuple(name for name in KEYS if name in RESPONSE_COLUMNS)
_SEAL = '{"hmac":'  # in a canonical content where a free text was given; most have none
Step = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


@dataclass(frozen=True)
class _Kept:
    """What is known outside the store: heads.log as it was before the snapshot, what was added meanwhile, and elsewhere.

    `elsewhere`: in extracts, in backups, and in what the caller brought along. What a restore gave up, and the audit
    says so, is held against nothing.
    """

    before: HeadsLog
    since: HeadsLog
    elsewhere: tuple[Witnesses, ...]
    given_up: Heads

    def problems(self, hashes: Mapping[int, str], chain: str, name: str, things: str) -> list[Problem]:
        return [
            *hold_against(hashes, self.before.confirmed.get(chain, []), name, things),
            *unannounced(
                hashes,
                [*self.before.confirmed.get(chain, []), *self.since.confirmed.get(chain, [])],
                [*self.before.announced.get(chain, []), *self.since.announced.get(chain, [])],
                name,
                things,
            ),
            *(
                problem
                for kept in self.elsewhere
                for problem in hold_against(
                    hashes, unexplained(kept.get(chain, []), chain, self.given_up), name, things
                )
            ),
        ]

    def unknown(self, chains: AbstractSet[str]) -> Iterator[Problem]:
        """Waves that witnesses saw and the store does not have; said once for each, by the first that knows it."""
        named: set[str] = set()
        for witnesses in (self.before.confirmed, *self.elsewhere):
            for chain in sorted(witnesses.keys() - chains - named):
                if left := unexplained(witnesses[chain], chain, self.given_up):
                    named.add(chain)
                    yield Problem(f"wave {chain!r} was removed: {left[-1].source} knows it", "wave", RESTORE)


def verify(settings: Settings, step: Step = _silent, held: Witnesses | None = None) -> tuple[Problem, ...]:
    """Everything that is not as it was stored; empty when the store is clean. Reads only.

    `held`: heads that people kept elsewhere. Against somebody who rewrote the store, heads.log, extracts and backups
    alike nothing else helps.
    """
    # Read before the snapshot begins: whatever these confirm, the snapshot must know too.
    before, problems = read_heads_log(settings.heads_log)
    extracted, more = read_manifests(settings.extracts)
    problems += more
    backed_up, more = read_backups(settings.backups)
    problems += more
    with Store.open(settings, write=False) as store, store.snapshot():
        problems += [
            Problem(f"the file is damaged: {what}", str(settings.store_path), RESTORE) for what in store.damage()
        ]
        problems += [
            Problem(f"the schema was altered: {what}", str(settings.store_path), RESTORE)
            for what in store.schema_differences()
        ]
        # Read after the snapshot's first reading: whatever it knows was announced here before it was committed.
        since, _ = read_heads_log(settings.heads_log, before)
        given_up, more = _given_up(store)
        problems += more
        kept = _Kept(before, since, (extracted, backed_up, held or {}), given_up)
        problems += _check_events(store, kept)
        problems += check_tables(store)
        problems += _readable(lambda store: _check_responses(store, settings, kept, step), store)
    return tuple(problems)


def _given_up(store: Store) -> tuple[Heads, list[Problem]]:
    try:
        return given_up_heads(store), []
    except _UNREADABLE as error:
        what = f"an event of a restore cannot be read: {type(error).__name__}"
        return frozenset(), [Problem(what, str(store.settings.store_path), RESTORE)]


def check_tables(store: Store) -> list[Problem]:
    """Whatever has no chain of its own, held against the audit."""
    looks = (
        check_waves,
        check_lists,
        check_conflicts,
        check_register,
        check_devices,
        check_contacts,
        check_pins,
        check_taken_over,
        check_officials,
    )
    return [problem for look in looks for problem in _readable(look, store)]


def _readable(look: Callable[[Store], Iterable[Problem]], store: Store) -> list[Problem]:
    """What a check finds; rows that cannot even be read are a finding too, not a crash that hides the others."""
    try:
        return list(look(store))
    except _UNREADABLE as error:
        what = f"a row cannot be read: {type(error).__name__} {error}"
        return [Problem(what, str(store.settings.store_path), RESTORE)]


def _check_events(store: Store, kept: _Kept) -> list[Problem]:
    links = (
        Link(int(row["number"] or 0), f"event {row['number']} ({row['kind']})", row, chain)
        for row, chain in store.event_rows()
    )
    hashes, problems = follow(links, "audit", "events")
    return problems + kept.problems(hashes, EVENTS, "audit", "events")


def _check_responses(store: Store, settings: Settings, kept: _Kept, step: Step) -> list[Problem]:
    waves = store.waves()
    known = _Known(
        fields=frozenset(field.code for field in store.fields("known")),
        centres={str(row["id"]): row["centre"] for row in store.device_rows()},
        purges=Purges.of(store),
    )
    total = sum(store.response_count(wave.id) for wave in waves)
    done = 0
    problems: list[Problem] = []
    for wave in waves:
        checker = _Checker(store, settings, wave, known, problems)
        hashes, broken = follow(checker.links(step, done, total), f"wave {wave.id}", "responses")
        problems += broken
        problems += kept.problems(hashes, wave.id, f"wave {wave.id}", "responses")
        done += len(hashes)
    problems += kept.unknown({wave.id for wave in waves} | {EVENTS})
    return problems


@dataclass(frozen=True)
class _Known:
    """What responses are held against: the service fields, the centre of each device, what was purged."""

    fields: frozenset[str]
    centres: Mapping[str, Plain]
    purges: Purges


@dataclass
class _Checker:
    """Checks each response of a wave by itself while the chain is followed."""

    store: Store
    settings: Settings
    wave: Wave
    known: _Known
    problems: list[Problem]

    def __post_init__(self) -> None:
        self.form: Questionnaire = self.store.questionnaire(self.wave.questionnaire, self.wave.version)

    def links(self, step: Step, done: int, total: int) -> Iterator[Link]:
        for number, row in enumerate(self.store.ledger_rows(self.wave.id), start=1):
            name = f"response {row.values['uuid']}"
            what = self._wrong(row)
            if what:
                where = f"wave {self.wave.id}, position {row.values['position']}"
                self.problems.append(Problem(f"{name} was changed: {what}", where, RESTORE))
            if number % 200 == 0:
                step(done + number, total)
            yield Link(int(row.values["position"] or 0), name, row.values, row.chain)

    def _wrong(self, row: LedgerRow) -> str:
        if content_hash(row.content.encode("utf-8")) != row.values["content_sha256"]:
            return "its content does not have the hash it was stored with"
        try:
            return self._wrong_inside(row)
        except _UNREADABLE as error:
            return f"its content cannot be read: {type(error).__name__}"

    def _wrong_inside(self, row: LedgerRow) -> str:
        data: dict[str, Any] = json.loads(row.content)
        altered = [
            name for name in _COLUMNS if row.values[name] != data[name] and not _same(row.values[name], data[name])
        ]
        if altered:
            return f"the columns {', '.join(altered)} are not what its content says"
        if row.values["centre"] != self.known.centres.get(str(row.values["device"])):
            return "its centre is not that of its device"
        number = int(row.values["number"] or 0)
        sealed = sealed_texts(data) if _SEAL in row.content else {}
        if row.commented or sealed:
            comments = self.store.raw_comments(number) if row.commented else {}
            purged = self.known.purges.cover(self.wave.id, str(row.values["received"]))
            if what := wrong_texts(sealed, comments, self.settings.key, purged):
                return what
        return self._wrong_answers(row, number, data, sealed)

    def _wrong_answers(self, row: LedgerRow, number: int, data: dict[str, Any], sealed: Mapping[str, str]) -> str:
        checked = check(self.form, parse_response(with_texts(data) if sealed else data), self.known.fields)
        if checked.problems:
            return f"it does not pass its form: {checked.problems[0].item} {checked.problems[0].code}"
        if row.answers == answers_text(checked.codes):
            return ""
        derived = {(item, code) for _, item, code in answer_rows(number, checked.codes)}
        differ = sorted({item for item, _ in self.store.raw_answers(number) ^ derived})
        return f"the answers to {', '.join(differ)} are not what its content says" if differ else ""


def _same(column: object, value: object) -> bool:
    """Of a value that is not equal to its column: whether the column holds it as JSON."""
    return isinstance(value, dict) and column is not None and bool(json.loads(str(column)) == value)
