"""The tablet is switched off at the wall while somebody answers."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import chromium_path
from tests.browser.conftest import Site
from tests.browser.power_cuts import cut_power


def test_whoever_was_thanked_before_the_power_went_is_counted_once(
    site: Site, chromium: Browser, tmp_path: Path
) -> None:
    browsers = chromium.browser_type
    seen = cut_power(browsers, chromium_path(whole=True), site.settings, site.url, tmp_path / "tablet", cuts=3)
    assert seen.cuts == 3 and len(seen.thanked) >= 3
    assert not seen.lost and not seen.doubled
