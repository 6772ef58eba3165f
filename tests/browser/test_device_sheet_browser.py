"""The set-up cards as a browser prints them: all of every card is there, six to a page, and nothing is fetched."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from survey_app.device_sheet import MAX_ADDRESS, Order, make_sheet
from survey_app.model import Centre
from survey_app.store import Store
from tests.served import make_field

LONG = "Trung tâm Phục vụ hành chính công phường Thượng Nông Mới"
CUT = """() => [...document.querySelectorAll('.card, .card *, .sheet, .sheet > header')]
    .filter(one => one.scrollHeight > one.clientHeight + 2 && getComputedStyle(one).display !== 'inline' && one.tagName !== 'IMG')
    .map(one => `${one.tagName} ${one.className} ${one.scrollHeight} > ${one.clientHeight}`)"""
FITS = "() => [...document.images].every(one => one.complete && one.naturalWidth > 0)"


@pytest.mark.parametrize(
    "address", ["https://sipas.example.vn/enrol", "https://" + "a" * (MAX_ADDRESS - 14) + "/enrol", None]
)
def test_the_cards_are_whole_on_paper(chromium: Browser, tmp_path: Path, address: str | None) -> None:
    settings = make_field(tmp_path / "instance")
    centres = tuple(f"X{number:02}" for number in range(13))
    with Store.open(settings) as store:
        store.add_centres([Centre(code, code, LONG, "commune", "G1") for code in centres])
        made = make_sheet(store, Order(centres, simulated=True), tmp_path / "sheet.html", address)
    context = chromium.new_context()
    try:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on(
            "request", lambda request: said.append(request.url) if request.url[:5] not in ("file:", "data:") else None
        )
        page.goto(made.file.as_uri())
        page.emulate_media(media="print")
        assert page.evaluate(CUT) == [] and page.evaluate(FITS) and said == []
        content = page.pdf(prefer_css_page_size=True, print_background=True)
    finally:
        context.close()
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 3
