"""From a citizen's pages to a response in the store.

`complaints`, `send`, `send_household`, `record_absent`. The one validation is `questionnaire.check`; the one way in is
`Store.record`.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from survey_app.model import Device, Receipt, ServiceField, stamp
from survey_app.questionnaire import DECLINED, Questionnaire, asked, check
from survey_app.questionnaire.words import message
from survey_app.response import Answer, Response, parse_response
from survey_app.store import Store
from survey_app.web.context import Services
from survey_app.web.screens import screens
from survey_app.web.sheet import Sheet
from survey_app.web.visits import Visit, Visits, asked_how, by_device

Answers = Mapping[str, Answer]
_log = logging.getLogger(__name__)


def complaints(
    questionnaire: Questionnaire, sheet: Sheet, answers: Answers, fields: Sequence[ServiceField]
) -> dict[str, str]:
    """What is still to be answered, by item, in the citizen's language; empty when the form can be sent."""
    response = _response(questionnaire, sheet, answers, sheet.started)
    found: dict[str, str] = {}
    for problem in check(questionnaire, response, frozenset(field.code for field in fields)).problems:
        found.setdefault(problem.item, problem.message[sheet.language])
    field_item = questionnaire.roles.get("field")
    if field_item and field_item not in answers:
        found[field_item] = message("missing", questionnaire.item(field_item))[sheet.language]
    return found


def send(provided: Services, device: Device, questionnaire: Questionnaire, sheet: Sheet, answers: Answers) -> Receipt:
    """Record the form; returns once the commit is on disk. The same form again is told as stored already."""
    now = provided.now()
    response = _response(questionnaire, sheet, answers, now)
    return provided.write(partial(_record, [response], device, now))[0]


def send_household(provided: Services, device: Device, questionnaire: Questionnaire, sheet: Sheet, why: str) -> Receipt:
    """Record a household that was not interviewed: `refused` or `not_at_home`, and no answers."""
    now = provided.now()
    response = _response(questionnaire, sheet, {}, now, disposition=why)
    return provided.write(partial(_record, [response], device, now))[0]


def record_absent(provided: Services, visits: Visits) -> None:
    """Have those who walked away noted; what cannot be recorded now is tried again with the next citizen.

    Nobody waits for it: a citizen who begins must not suffer from one who left.
    """
    now = provided.now()
    for gone in by_device(visits.take_away(now)):
        work = partial(_record, [visit.broken_off() for visit in gone], gone[0].device, now)
        provided.writer.submit(work).add_done_callback(partial(_give_back_if_failed, visits, gone))


def _record(responses: Sequence[Response], device: Device, now: datetime, store: Store) -> tuple[Receipt, ...]:
    return store.record(responses, device=device, received=now, sent_at=now)


def _give_back_if_failed(visits: Visits, gone: tuple[Visit, ...], done: "Future[tuple[Receipt, ...]]") -> None:
    if error := done.exception():
        _log.error("%d broken-off visits could not be recorded: %s", len(gone), error)
        visits.give_back(gone)


def _response(
    questionnaire: Questionnaire, sheet: Sheet, answers: Answers, submitted: datetime, disposition: str = "complete"
) -> Response:
    field_item = questionnaire.roles.get("field", "")
    kept = asked_only(questionnaire, answers)
    field = kept.pop(field_item, None)
    return parse_response(
        {
            "uuid": sheet.uuid,
            "seq": None,
            "wave": sheet.wave,
            "questionnaire": questionnaire.id,
            "version": questionnaire.version,
            "language": sheet.language,
            "field": None if field == str(DECLINED) else field,
            **asked_how(sheet.psu),
            "disposition": disposition,
            "part": questionnaire.part(sheet.part),
            "answers": kept,
            # The sheet may be tampered with, and the server's clock set back: its own time is the later one.
            "started": stamp(min(sheet.started, submitted)),
            "submitted": stamp(submitted),
            "durations": _durations(questionnaire, sheet, kept),
            "paradata": {**sheet.counts, "text_size": sheet.size, "more_time": int(sheet.slow)},
        }
    )


def asked_only(questionnaire: Questionnaire, answers: Answers) -> dict[str, Answer]:
    """The answers without those to questions that later changes on the way have made void."""
    kept: dict[str, Answer] = {}
    for item in questionnaire.items:
        if item.code in answers and asked(questionnaire, item, kept):
            kept[item.code] = answers[item.code]
    return kept


def _durations(questionnaire: Questionnaire, sheet: Sheet, answers: Answers) -> dict[str, int]:
    """Each screen's time, shared equally by the items answered on it."""
    found = {}
    for screen in screens(questionnaire):
        items = [item.code for item in screen.items if item.code in answers]
        for code in items:
            found[code] = sheet.durations.get(screen.id, 0) // len(items)
    return {code: spent for code, spent in found.items() if spent}
