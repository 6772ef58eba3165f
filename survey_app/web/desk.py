"""What a page that was sent belongs to: a device, an open or closed wave, its form, and for interviewers a village.

`at_desk`, `Desk`, `draw`, `start_of`, `restart`. Whatever does not belong together leads to the start, in plain words.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from survey_app.model import Device, ServiceField, Wave
from survey_app.questionnaire import Part, Questionnaire
from survey_app.store import DeviceRevoked, StoreError
from survey_app.web.context import services
from survey_app.web.device import current_device
from survey_app.web.errors import WebProblem
from survey_app.web.pages import notice
from survey_app.web.sheet import Sheet, SheetError, read_sheet


@dataclass(frozen=True)
class Desk:
    """What a page of the survey works with: the device, the wave, its whole form, the fields on offer, the part drawn."""

    device: Device
    wave: Wave
    form: Questionnaire
    fields: Sequence[ServiceField]
    part: Part | None

    @cached_property
    def questionnaire(self) -> Questionnaire:
        """The form as this citizen meets it."""
        return self.form.as_drawn(self.part)


def draw(form: Questionnaire) -> int:
    """The number of a part, each equally likely; 0 where everybody is asked everything."""
    return 1 + secrets.randbelow(form.parts.of) if form.parts else 0


def at_desk(work: Callable[[Desk, Sheet], AnyResponse]) -> AnyResponse:
    """Do `work` for the page that was sent; pages of nobody, and those not made by us, lead elsewhere."""
    try:
        device = current_device()
        if device is None:
            return notice("no_device", status=403)
        if wait := services().limit.spend(f"pages of {device.id}", 1):
            raise WebProblem("too-many-requests", retry_after=wait)
        sheet = read_sheet(request.form)
        desk = _desk(device, sheet)
    except DeviceRevoked:
        return notice("revoked", status=403)
    except (SheetError, StoreError):
        return restart()
    return work(desk, sheet)


def _desk(device: Device, sheet: Sheet) -> Desk:
    """By the wave the page began with, though it may have closed since; `SheetError` when it is not theirs."""
    store = services().reader()
    wave = store.wave(sheet.wave)
    if device.centre not in wave.centres or device.simulated != wave.simulated or wave.opened is None:
        raise SheetError("a wave of another centre")
    if wave.kind != device.purpose:
        raise SheetError("a wave of another kind")
    villages = {unit.psu for unit in store.frame(wave.id)} if wave.kind == "sample" else {""}
    if sheet.psu not in villages:
        raise SheetError("a village of another wave")
    form = store.questionnaire(wave.questionnaire, wave.version)
    try:
        return Desk(device, wave, form, store.fields(), form.part(sheet.part))
    except KeyError:
        raise SheetError("a part of another form") from None


def start_of(sheet: Sheet, **more: Any) -> str:
    """The address of the first page; an interviewer stays in the village."""
    return url_for("kiosk.start", psu=sheet.psu or None, **more)


def restart(sheet: Sheet | None = None) -> AnyResponse:
    address = start_of(sheet, again=1) if sheet else url_for("kiosk.start", again=1)
    return redirect(address, 303)
