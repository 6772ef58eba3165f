"""A file as a real browser writes it from its own storage, taken over by the server: also of a tablet that was revoked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from survey_app.device_import import ExportError, read_export, take_over
from survey_app.store import Store
from survey_app.verification import verify
from tests.browser.conftest import Site
from tests.browser.tablet import draft, enrolled, run
from tests.served import WAVE

FILES = """
const { takeOverFiles } = await import("/static/kiosk/export.js");
const storage = await openStorage();
for (const one of given) await storage.commit(one);
const files = await takeOverFiles(storage, "kiosk test");
return Promise.all(files.map(async file => [file.name, await file.blob.text()]));
"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context()
    made.set_default_timeout(30_000)
    yield made
    made.close()


def test_what_a_revoked_tablet_exports_is_taken_over_under_its_name(
    site: Site, context: BrowserContext, tmp_path: Path
) -> None:
    page, device = enrolled(context, site.settings, site.url)
    # Letters of more bytes than one: the signature is over bytes, not over letters.
    given = [draft(), draft(answers=draft()["answers"] | {"COMMENT": "Cảm ơn, Tuyên Quang 🌾"})]
    ((name, content),) = run(page, FILES, given)
    file = tmp_path / name
    file.write_bytes(content.encode("utf-8"))
    with Store.open(site.settings) as store:
        store.revoke_device(device)
        export = read_export(store, file)
        (done,) = take_over(store, [export], datetime.now(UTC))
        assert (done.device, dict(done.fates)) == (device, {"stored": 2})
        stored = [one for one in store.responses(WAVE) if one.device == device]
        assert [(one.seq, one.mode, one.disposition) for one in stored] == [
            (1, "kiosk", "complete"),
            (2, "kiosk", "complete"),
        ]
        assert dict(take_over(store, [read_export(store, file)], datetime.now(UTC))[0].fates) == {"already_stored": 2}
        file.write_bytes(content.replace("Cảm ơn", "Tệ quá").encode("utf-8"))
        with pytest.raises(ExportError, match="it was changed"):
            read_export(store, file)
    assert verify(site.settings) == ()
