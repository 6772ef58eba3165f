"""What a screen reader is told: the whole form through Chromium's accessibility tree, roles, names and states in their order.

Nothing is read from the page and no pointer is used: a person who hears the screen and presses keys has no more.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from survey_app.model import StoredResponse
from survey_app.questionnaire import Questionnaire
from survey_app.store import Store
from tests.browser.conftest import Site
from tests.browser.kiosk_app import arrived, set_up
from tests.served import WAVE, counter

TOLD = (
    "heading",
    "group",
    "radiogroup",
    "radio",
    "checkbox",
    "textbox",
    "button",
    "link",
    "progressbar",
    "status",
    "alert",
)
STEPS = {"vi": ("Quay lại", "Tiếp tục", "Gửi câu trả lời"), "en": ("Back", "Continue", "Send my answers")}


class Listener:
    """Hears a page and presses keys."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("Accessibility.enable")

    def tree(self) -> list[dict[str, Any]]:
        """What is told, in its order: role, name, states."""
        nodes = self.session.send("Accessibility.getFullAXTree")["nodes"]
        known = {node["nodeId"]: node for node in nodes}
        told: list[dict[str, Any]] = []

        def walk(node: dict[str, Any]) -> None:
            role = node.get("role", {}).get("value", "")
            if not node.get("ignored") and role in TOLD:
                told.append(_said(node))
            for child in node.get("childIds", []):
                if child in known:
                    walk(known[child])

        walk(nodes[0])
        return told

    def of(self, *roles: str) -> list[dict[str, Any]]:
        return [node for node in self.tree() if node["role"] in roles]

    def focused(self) -> dict[str, Any]:
        """What is told of the thing that has the focus; no more of the tree is asked for."""
        here = self.session.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]["objectId"]
        found = self.session.send("Accessibility.getPartialAXTree", {"objectId": here, "fetchRelatives": False})[
            "nodes"
        ]
        return _said(found[0])

    def reach(self, role: str, name: str) -> None:
        """Press Tab until the thing of this name is told."""
        for _ in range(80):
            now = self.focused()
            if now["role"] == role and now["name"] == name:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach the {role} {name!r}; told: {self.tree()}")


def _said(node: dict[str, Any]) -> dict[str, Any]:
    states = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
    words = {name: node.get(name, {}).get("value", "") for name in ("role", "name", "description")}
    return words | states


@pytest.fixture
def listener(site: Site, chromium: Browser) -> Iterator[Listener]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    yield Listener(set_up(context, site))
    context.close()


def _stored(site: Site) -> list[StoredResponse]:
    with Store.open(site.settings, write=False) as store:
        return [one for one in store.responses(WAVE) if one.disposition == "complete" and one.mode == "kiosk"]


def _labels(form: Questionnaire, language: str) -> dict[str, str]:
    return {item.text[language]: item.code for item in form.items}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_whole_form_can_be_heard_and_answered_by_key(site: Site, listener: Listener, language: str) -> None:
    back, onward, send = STEPS[language]
    form, page, before = counter(), listener.page, len(_stored(site))
    labels = _labels(form, language)
    start = next(
        node for node in listener.of("button") if node["name"].startswith({"vi": "Bắt đầu", "en": "Start"}[language])
    )
    listener.reach("button", start["name"])
    page.keyboard.press("Enter")
    page.locator("#progress").wait_for()
    heard: list[str] = []
    while True:
        here = listener.focused()
        assert here["role"] == "heading" and here["name"], "a new screen begins with its heading"
        assert "/" in here["description"], "and says how far along it is"
        told = listener.tree()
        questions = [node["name"] for node in told if node["role"] in ("group", "radiogroup", "textbox")]
        questions = [name for name in questions if any(text in name for text in labels)]
        assert questions, told
        heard += [labels[text] for name in questions for text in labels if name.endswith(text) or name == text]
        roles = [node["role"] for node in told]
        first = min(roles.index(role) for role in ("radio", "checkbox", "textbox") if role in roles)
        assert roles.index("heading") < first, "the question comes before its answers"
        names = [node["name"] for node in told if node["role"] == "button"]
        assert all(names) and names.index(back) < len(names) - 1
        for name in [node["name"] for node in told if node["role"] in ("radio", "checkbox")]:
            assert name, "every answer has its words"
        last = send in names
        _answer_by_key(listener, labels)
        listener.reach("button", send if last else onward)
        page.keyboard.press("Enter")
        if last:
            break
        page.wait_for_function("text => document.querySelector('#progress').innerText !== text", arg=_progress(told))
    page.locator(".thanks").wait_for()
    assert listener.focused()["role"] == "heading"
    assert heard == [code for code in _order(form) if code in heard] and len(heard) == len(set(heard)) >= 20
    arrived(page)
    assert len(_stored(site)) == before + 1 and _stored(site)[-1].language == language


def _progress(told: list[dict[str, Any]]) -> str:
    return next(node["name"] for node in told if node["role"] == "progressbar")


def _order(form: Questionnaire) -> list[str]:
    return [item.code for item in form.items]


def _answer_by_key(listener: Listener, labels: dict[str, str]) -> None:
    """Choose with the space bar in every group on the screen; its state is told as chosen."""
    groups = len(
        {node["name"] for node in listener.of("group", "radiogroup") if any(text in node["name"] for text in labels)}
    )
    chosen = 0
    for _ in range(60):
        if chosen == groups:
            return
        listener.page.keyboard.press("Tab")
        now = listener.focused()
        if now["role"] in ("radio", "checkbox") and now.get("checked") in (False, "false", None):
            listener.page.keyboard.press("Space")
            assert str(listener.focused().get("checked")).lower() == "true", listener.focused()
            chosen += 1
            if now["role"] == "checkbox":
                _leave_group(listener)
    raise AssertionError(f"{chosen} of {groups} questions could be answered by key: {listener.tree()}")


def _leave_group(listener: Listener) -> None:
    """Past the other boxes of a question with several answers."""
    while True:
        listener.page.keyboard.press("Tab")
        if listener.focused()["role"] != "checkbox":
            return


def test_what_is_missing_is_told_at_once(listener: Listener) -> None:
    page = listener.page
    start = next(node for node in listener.of("button") if node["name"].startswith("Bắt đầu"))
    listener.reach("button", start["name"])
    page.keyboard.press("Enter")
    page.locator("#progress").wait_for()
    listener.reach("button", "Tiếp tục")
    page.keyboard.press("Enter")
    page.locator("#errors").wait_for()
    assert page.evaluate("document.activeElement.id") == "errors"
    assert any("Xin" in node["description"] for node in listener.of("group", "radiogroup", "radio", "textbox"))
