"""A tablet for the tests: it reads pages as a browser without JavaScript does, and sends forms as one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from survey_app.model import StoredResponse
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.writer import Writer
from tests import served

Answers = Mapping[str, int | str]
RECEIVED: Answers = {"VISIT": 2, "FEEDBACK": 1}
FILED: Answers = {"VISIT": 1, "FEEDBACK": 2}


class Clock:
    """The server's clock, which only the test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Page(HTMLParser):
    """What a browser makes of a page: controls, headings, words."""

    status: int
    html: str
    headers: Mapping[str, str]
    hidden: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    checked: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    words: str = ""
    headings: list[str] = field(default_factory=list)
    _inside: str = ""
    _in_heading: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self._inside = tag
        if tag == "button" and "name" in given:
            self.buttons.append(given["value"])
        elif tag == "textarea":
            self.texts[given["name"]] = ""
            self._inside = "textarea " + given["name"]
        elif tag == "h1":
            self.headings.append("")
            self._in_heading = True
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden.append((given["name"], given["value"]))
        elif tag == "input" and given.get("type") in ("radio", "checkbox"):
            self.choices.setdefault(given["name"], []).append(given["value"])
            if "checked" in given:
                self.checked.setdefault(given["name"], []).append(given["value"])
        elif tag == "input":
            self.texts[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._in_heading = self._in_heading and tag != "h1"

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._inside.startswith("textarea "):
            self.texts[self._inside.removeprefix("textarea ")] += data.removeprefix("\n")
        if self._in_heading:
            self.headings[-1] += data

    @property
    def asked(self) -> list[str]:
        """The codes of the items on the page."""
        return [name.removeprefix("a-") for name in (*self.choices, *self.texts)]

    @property
    def screen(self) -> str:
        return dict(self.hidden)["screen"]

    @property
    def carried(self) -> dict[str, str]:
        return dict(self.hidden)

    def sends(self, go: str, chosen: Answers) -> "MultiDict[str, str]":
        """What a browser sends when a button is tapped after these choices."""
        sent: MultiDict[str, str] = MultiDict(self.hidden)
        for name, values in self.checked.items():
            sent.setlist(name, values)
        for name, text in self.texts.items():
            sent[name] = text
        for code, value in chosen.items():
            sent["a-" + code] = str(value)
        sent["go"] = go
        return sent


class Tablet:
    """One enrolled tablet and the page on it."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = Page(0, "", {})

    def open(self, path: str = "/") -> Page:
        return self._follow(self.client.get(path))

    def tap(self, go: str, chosen: Answers | None = None) -> Page:
        return self.send(self.page.sends(go, chosen or {}))

    def send(self, sent: "MultiDict[str, str]") -> Page:
        return self._follow(self.client.post("/survey", data=sent))

    def begin(self, language: str = "vi") -> Page:
        self.open()
        return self.tap(f"start.{language}")

    def answers_here(self, answers: Answers) -> dict[str, int | str]:
        """The answers wanted for the items on the page; the first option where nothing is said."""
        return {
            code: answers.get(code, self.page.choices.get("a-" + code, [""])[0])
            for code in self.page.asked
            if "a-" + code in self.page.choices or code in answers
        }

    def walk(self, answers: Answers, until: str | None = None) -> Page:
        """Answer screen after screen, up to the named one or to the last."""
        while self.page.screen != until and "send" not in self.page.buttons:
            before = self.page.screen
            self.tap("next", self.answers_here(answers))
            assert self.page.screen != before, self.page.words
        return self.page

    def fill(self, answers: Answers, language: str = "vi") -> Page:
        """A whole visit, from the start page to the thanks."""
        self.begin(language)
        self.walk(answers)
        return self.tap("send", self.answers_here(answers))

    def _follow(self, answer: TestResponse) -> Page:
        while answer.status_code in (301, 302, 303):
            answer = self.client.get(answer.headers["Location"])
        self.page = Page(answer.status_code, answer.get_data(as_text=True), dict(answer.headers))
        return self.page


@dataclass
class Kiosk:
    """An instance under a test client, with its clock and its store."""

    app: Flask
    settings: Settings
    clock: Clock
    writer: Writer

    def tablet(self, centre: str = "C01", *, simulated: bool = False, purpose: str = "counter") -> Tablet:
        client = self.app.test_client()
        code = self.asked_of_store(lambda store: store.add_device(centre, simulated=simulated, purpose=purpose))[1]
        client.set_cookie("device", self.asked_of_store(lambda store: store.enrol(code)).token)
        return Tablet(client)

    def stored(self, disposition: str = "complete") -> list[StoredResponse]:
        self.writer.submit(lambda store: None).result()
        with Store.open(self.settings, write=False) as store:
            found = list(store.responses(served.WAVE))
        return [response for response in found if response.disposition == disposition]

    def asked_of_store(self, question: Any) -> Any:
        with Store.open(self.settings) as store:
            return question(store)


@contextmanager
def kiosk_at(path: Path, **options: Any) -> Iterator[Kiosk]:
    settings = served.make_field(path / "instance")
    clock = Clock()
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer, clock=clock, development_http=True, **options)
        yield Kiosk(app, settings, clock, writer)


def expected(answers: Answers, items: Sequence[str]) -> dict[str, int]:
    return {item: int(answers[item]) for item in items if item in answers}
