"""The interviewer's pages: which village, how far it is, and what came of a household that was not interviewed.

`village_page` is what `/` shows on a device of a sample; `interviewer`: route `/household`. The interview itself is on
the citizen's pages. Nothing a household answered is shown here: only how many were visited, by what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from survey_app.model import Device, PrimaryUnit, Wave
from survey_app.web.context import services
from survey_app.web.desk import Desk, at_desk, restart, start_of
from survey_app.web.errors import storage_trouble
from survey_app.web.pages import language_of, page, text_size
from survey_app.web.sending import record_absent, send_household
from survey_app.web.sheet import Sheet, new_sheet
from survey_app.web.showing import visits

NOT_INTERVIEWED = ("refused", "not_at_home")
DISPOSITIONS = ("complete", *NOT_INTERVIEWED, "broken_off")

interviewer = Blueprint("interviewer", __name__)


@dataclass(frozen=True)
class Village:
    """A village of the frame and how many of its households were visited, by disposition."""

    unit: PrimaryUnit
    counts: Mapping[str, int]

    @property
    def visited(self) -> int:
        return sum(self.counts.values())

    @property
    def finished(self) -> bool:
        return self.visited >= self.unit.households


def village_page(device: Device, wave: Wave) -> Response:
    """The village chosen in the address, ready for its next household; without one, the list to choose from."""
    provided = services()
    store = provided.reader()
    with store.snapshot():
        outcomes = store.outcomes(wave.id)
        villages = [
            Village(unit, {kind: outcomes.get((unit.psu, kind), 0) for kind in DISPOSITIONS})
            for unit in store.frame(wave.id)
        ]
        form = store.questionnaire(wave.questionnaire, wave.version)
    chosen = next((village for village in villages if village.unit.psu == request.args.get("psu")), None)
    size, slow = text_size(request.args.get("size")), request.args.get("slow") == "1"
    psu = chosen.unit.psu if chosen else ""
    return page(
        "household.html" if chosen else "villages.html",
        language_of(request.args.get("language")),
        size,
        wave=wave,
        centre=store.centre(device.centre),
        strata=_by_stratum(villages),
        village=chosen,
        form=form,
        sheet=new_sheet(wave.id, provided.now(), size=size, slow=slow, psu=psu),
        slow=slow,
        noted=_known(request.args.get("noted"), (*NOT_INTERVIEWED, "before")),
        simulated=wave.simulated,
        again="again" in request.args,
    )


def _by_stratum(villages: Sequence[Village]) -> list[tuple[str, list[Village]]]:
    """The strata and the villages in them, each in the order of the frame's file."""
    order = list(dict.fromkeys(village.unit.stratum for village in villages))
    sorted_by = sorted(villages, key=lambda village: order.index(village.unit.stratum))
    return [(stratum, list(group)) for stratum, group in groupby(sorted_by, key=lambda village: village.unit.stratum)]


@interviewer.get("/household")
def household_without_form() -> AnyResponse:
    """An address typed or restored: the first page."""
    return redirect(url_for("kiosk.start"), 303)


@interviewer.post("/household")
def household() -> AnyResponse:
    """A household that was not interviewed: asked once more, then recorded."""
    return at_desk(_household)


def _household(desk: Desk, sheet: Sheet) -> AnyResponse:
    action, _, why = request.form.get("go", "").partition(".")
    if not sheet.psu or action not in ("ask", "record") or why not in NOT_INTERVIEWED:
        return restart(sheet)
    if services().reader().is_stored(sheet.uuid) or visits().has_ended(sheet.uuid):
        return redirect(start_of(sheet, noted="before"), 303)
    if action == "ask":
        return _ask(desk, replace(sheet, started=services().now()), why)
    return _record(desk, sheet, why)


def _ask(desk: Desk, sheet: Sheet, why: str, *, failed: bool = False) -> AnyResponse:
    """Whether it is meant, for what is recorded stays; or, after a failure, whether to try again."""
    frame = services().reader().frame(desk.wave.id)
    made = page(
        "household_confirm.html",
        language_of(request.form.get("page_language")),
        sheet.size,
        status=503 if failed else 200,
        sheet=sheet,
        unit=next(unit for unit in frame if unit.psu == sheet.psu),
        why=why,
        failed=failed,
        simulated=desk.wave.simulated,
    )
    if not failed:
        seconds = sheet.patience(services().settings.idle_seconds, writing=False)
        made.headers["Refresh"] = f"{seconds}; url={start_of(sheet)}"
    return made


def _record(desk: Desk, sheet: Sheet, why: str) -> AnyResponse:
    visits().forget_unbegun(desk.device.id)
    record_absent(services(), visits())
    try:
        receipt = send_household(services(), desk.device, desk.questionnaire, sheet, why)
    except Exception as error:
        if storage_trouble(error) is None:
            current_app.logger.error("a household could not be recorded", exc_info=error)
        return _ask(desk, sheet, why, failed=True)
    if receipt.fate == "rejected":
        current_app.logger.error("a household was rejected: %s", ", ".join(receipt.errors))
        return _ask(desk, sheet, why, failed=True)
    visits().finish(sheet.uuid)
    return redirect(start_of(sheet, noted=why), 303)


def _known(text: str | None, words: Sequence[str]) -> str:
    return text if text is not None and text in words else ""
