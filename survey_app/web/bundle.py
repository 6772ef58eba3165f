"""All a tablet at a counter needs to ask without a network: form, screens, pages, settings. `bundle_of`.

The pages are inert HTML templates made of the same macros as the server's own pages, so that a citizen sees one kiosk,
whether the server or the tablet draws it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import render_template

from survey_app.audio import audio_of
from survey_app.model import Centre, Device, ServiceField, stamp
from survey_app.questionnaire import Item, Questionnaire
from survey_app.questionnaire.words import message
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web.cards import Card, blank_cards
from survey_app.web.context import Services
from survey_app.web.intake import fields_of, wave_of
from survey_app.web.messages import LANGUAGES, say
from survey_app.web.pin import pin_of
from survey_app.web.plain import plain
from survey_app.web.screens import Screen, screens

COMPLAINTS = ("missing", "bad_value", "too_long")
"""What can be wrong with an answer that was given on a screen."""


@dataclass(frozen=True)
class Question:
    """One question as it stands alone on its screen, or among others; and what is said when its answer does not do."""

    card: Card
    solo: bool
    heading: bool
    errors: Mapping[str, str]


def bundle_of(provided: Services, device: Device) -> dict[str, Any]:
    """The bundle of a device, read in one moment of the store."""
    store = provided.reader()
    with store.snapshot():
        wave = wave_of(store, device) if device.purpose == "counter" else None
        form = store.questionnaire(wave.questionnaire, wave.version) if wave else None
        centre, settings = store.centre(device.centre), provided.settings
        simulated = wave.simulated if wave else settings.simulated
        return {
            "device": device.id,
            "simulated": device.simulated,
            "purpose": device.purpose,
            "centre": {"code": centre.code, "name": centre.name, "full_name": centre.full_name},
            "province": dict(settings.province),
            "wave": wave.id if wave else None,
            "questionnaire": wave.questionnaire if wave else None,
            "version": wave.version if wave else None,
            "fields": fields_of(store),
            "form": plain(form) if form else None,
            "screens": [_screen(form, screen) for screen in screens(form)] if form else [],
            "pages": _pages(store, settings, centre, form, simulated=simulated),
            "settings": {"idle_seconds": settings.idle_seconds, "invite_every": settings.invite_every},
            "pin": pin_of(store, device),
            "audio": audio_of(settings, form, store.fields()),
            "server_time": stamp(provided.now()),
        }


def _screen(form: Questionnaire, screen: Screen) -> dict[str, Any]:
    """A screen, and what stands above its questions: the stem always, the title only over several."""
    section = form.section(screen.items[0].section)
    return {
        "id": screen.id,
        "items": [item.code for item in screen.items],
        "heading": {
            "stem": dict(section.stem) if section.stem else None,
            "title": dict(section.title),
            "prompt": f"heading.{section.code}",
        },
    }


def _pages(
    store: Store, settings: Settings, centre: Centre, form: Questionnaire | None, *, simulated: bool
) -> dict[str, str]:
    """The templates of every language."""
    return {
        language: render_template(
            "kiosk_pages.html",
            say=partial(say, language),
            say_in=say,
            language=language,
            form=form,
            centre=centre,
            minutes=max(1, round(settings.idle_seconds / 60)),
            simulated=simulated,
            invite_every=settings.invite_every,
            questions=list(_questions(form, store.fields(), language)) if form else [],
        )
        for language in LANGUAGES
    }


def _questions(form: Questionnaire, fields: Sequence[ServiceField], language: str) -> Iterator[Question]:
    for screen in screens(form):
        stem = form.section(screen.items[0].section).stem is not None
        for card in blank_cards(screen.items, fields, language):
            errors = _errors(card.item, language)
            yield Question(card, True, stem, errors)
            if len(screen.items) > 1:
                yield Question(replace(card, number="0"), False, True, errors)


def _errors(item: Item, language: str) -> dict[str, str]:
    return {code: message(code, item)[language] for code in COMPLAINTS}
