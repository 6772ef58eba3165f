"""A tablet with JavaScript and storage of its own, driven from its modules: no screen, just what lies under it."""

from typing import Any

from playwright.sync_api import BrowserContext, Page

from survey_app.settings import Settings
from survey_app.store import Store
from tests.browser.conftest import CENTRE
from tests.served import WAVE, answers_to, counter


def new_code(settings: Settings, centre: str = CENTRE) -> str:
    with Store.open(settings) as store:
        return store.add_device(centre)[1]


def draft(**changes: Any) -> dict[str, Any]:
    """What a visit hands to storage."""
    form = counter()
    answers = {code: list(value) if isinstance(value, tuple) else value for code, value in answers_to(form).items()}
    return {
        "wave": WAVE, "questionnaire": form.id, "version": form.version, "language": "vi", "field": "ho-tich",
        "psu": None, "mode": "kiosk", "recruitment": "walk_up", "disposition": "complete", "part": None,
        "answers": answers, "elapsed_ms": 90_000, "durations": {}, "paradata": {},
    } | changes  # fmt: skip


def open_modules(context: BrowserContext, url: str) -> Page:
    """A page of the server that stays, from which the kiosk's modules can be loaded; it does nothing by itself."""
    page = context.new_page()
    page.goto(f"{url}/enrol")
    return page


def run(page: Page, body: str, argument: Any = None) -> Any:
    """`body` as an async function with the kiosk's modules at hand, and `given`."""
    return page.evaluate(f"async given => {{ {_MODULES} return (async () => {{ {body} }})(); }}", argument)


_MODULES = """
  const load = name => import(`/static/kiosk/${name}.js`);
  const [{ openStorage, StorageTrouble }, { Sender }, { Clock, stamp }] = await Promise.all(
    ["storage", "sending", "clock"].map(load));
  const until = async look => {
    for (let turn = 0; turn < 1500; turn += 1) {
      if (await look()) return true;
      await new Promise(next => setTimeout(next, 20));
    }
    throw new Error("it did not come");
  };
"""

ENROL = """
const storage = await openStorage();
const answer = await fetch("/api/v1/enrol", {method: "POST", headers: {"Content-Type": "application/json"},
  body: JSON.stringify({code: given})});
const reply = await answer.json();
await storage.enrol(reply);
return reply.device;
"""


def enrolled(context: BrowserContext, settings: Settings, url: str) -> tuple[Page, str]:
    """A page whose storage belongs to a new device; and the device's id."""
    page = open_modules(context, url)
    return page, run(page, ENROL, new_code(settings))
