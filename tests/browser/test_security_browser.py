"""Rows 8 and 28 of the security requirements in a real browser: nothing of a citizen or a household stays behind."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from survey_app.store import Store
from tests.browser.conftest import LANDSCAPE, Site, begin, forward, walk
from tests.served import enrol, make_field, serving
from tests.villages import WAVE as SAMPLE
from tests.villages import plan_sample

SECRET = "chỉ mình tôi biết"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A counter wave and a sample wave beside it, both open."""
    settings = make_field(tmp_path_factory.mktemp("site") / "instance")
    with Store.open(settings) as store:
        plan_sample(store)
    with serving(settings) as running:
        yield Site(settings, running)


ROWS = """async () => {
  const found = {};
  for (const { name } of await indexedDB.databases()) {
    const request = indexedDB.open(name);
    const database = await new Promise((done, fail) => { request.onsuccess = () => done(request.result); request.onerror = fail; });
    for (const store of database.objectStoreNames) {
      const all = database.transaction(store).objectStore(store).getAll();
      const rows = await new Promise((done, fail) => { all.onsuccess = () => done(all.result); all.onerror = fail; });
      if (rows.length) found[store] = rows;
    }
    database.close();
  }
  return found;
}"""
"""Every row of every database of the browser, by store."""


class Tablet:
    """A tablet with JavaScript, which listens to everything its browser says."""

    def __init__(self, browser: object, site: Site, purpose: str) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})  # type: ignore[attr-defined]
        token = enrol(site.settings, purpose=purpose)[1]  # type: ignore[arg-type]
        cookie = {"name": "device", "value": token, "url": site.url, "httpOnly": True, "sameSite": "Strict"}
        self.context.add_cookies([cookie])  # type: ignore[list-item]
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.addresses: set[str] = set()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self._note(site, request.url))
        self.page.on("response", lambda answer: self._check(answer))

    def _note(self, site: Site, address: str) -> None:
        self.addresses.add(address)
        if not address.startswith(site.url):
            self.said.append(address)

    def _check(self, answer: object) -> None:
        headers, address = answer.headers, answer.url  # type: ignore[attr-defined]
        if "/static/" not in address and headers.get("cache-control") != "no-store":
            self.said.append(f"{address} may be kept")

    def assert_clean(self) -> None:
        """Cookies, storages, caches, addresses and what the browser itself would remember of them."""
        assert self.said == []
        assert [cookie["name"] for cookie in self.context.cookies()] == ["device"]
        assert self.page.evaluate("document.cookie") == ""
        assert self.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
        assert self.page.evaluate("caches.keys().then(keys => keys.length)") == 0
        assert self.page.evaluate(ROWS) == {}, (
            "the start page looks whether the tablet has storage, and leaves it empty"
        )
        assert self.page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
        assert self.page.evaluate("history.state") is None
        assert not [address for address in self.addresses if "a-" in address or "uuid" in address]

    def go_through_history(self) -> None:
        """Back and forward and again; no page shows an answer, be it on the page or in a field of it."""
        for move in [self.page.go_back] * 5 + [self.page.go_forward] * 3 + [self.page.reload]:
            try:
                move()
            except Error as error:
                if "ERR_CACHE_MISS" not in str(error):
                    raise
            self.page.wait_for_timeout(300)
            self.page.wait_for_load_state()
            self.assert_nothing_shown()

    def assert_nothing_shown(self) -> None:
        assert SECRET not in self.page.content()
        assert self.page.locator("input:checked").count() == 0
        assert self.page.locator("input[type=hidden][name^='a-']").count() == 0


@pytest.fixture
def tablet(request: pytest.FixtureRequest, chromium: object, site: Site) -> Iterator[Tablet]:
    made = Tablet(chromium, site, request.param)
    yield made
    made.context.close()


@pytest.mark.parametrize("tablet", ["counter"], indirect=True)
def test_row_28_nothing_of_a_citizen_stays_in_the_browser(site: Site, tablet: Tablet) -> None:
    begin(tablet.page, site)
    walk(tablet.page)
    tablet.page.locator("textarea").fill(SECRET)
    forward(tablet.page)
    assert "/thanks" in tablet.page.url
    tablet.assert_clean()
    tablet.go_through_history()


@pytest.mark.parametrize("tablet", ["sample"], indirect=True)
def test_row_28_nothing_of_a_household_stays_in_the_browser(site: Site, tablet: Tablet) -> None:
    page = tablet.page
    page.goto(f"{site.url}/?psu=V1")
    page.locator("button[value='start.vi']").click()
    while not page.locator("button[value='send']").count():
        _answer(page)
        page.locator("button[value='next']").click()
    _answer(page)
    page.locator("button[value='send']").click()
    page.wait_for_url("**/thanks**")
    tablet.assert_clean()
    tablet.go_through_history()
    with Store.open(site.settings, write=False) as store:
        assert store.response_count(SAMPLE) == 1


def _answer(page: Page) -> None:
    """The first answer of every card that has any, and the same words wherever there is room for them."""
    for group in page.locator("fieldset").all():
        box = group.locator("input").first
        if not group.locator("input:checked").count():
            box.check(force=True)
    for field in page.locator("input.number").all():
        field.fill("1")
    for field in page.locator("textarea").all():
        field.fill(SECRET)
