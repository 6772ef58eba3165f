"""A sample wave for the tests of interviewers: two strata, three villages, and tablets that visit them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from survey_app.model import PrimaryUnit, StoredResponse, Wave
from survey_app.questionnaire import Questionnaire, load, shipped
from survey_app.settings import Settings
from survey_app.store import Store
from tests.kiosk_pages import Kiosk, Page, Tablet, kiosk_at
from tests.served import CENTRES

WAVE = "ho-2026"
FRAME = (
    PrimaryUnit("V1", "Vùng cao", "Thôn Một", 400, 0.01, 4),
    PrimaryUnit("V2", "Vùng cao", "Thôn Hai", 300, 0.02, 3),
    PrimaryUnit("V3", "Vùng thấp", "Tổ 3", 900, 0.005, 4),
)


def household_form() -> Questionnaire:
    return load(shipped()["qd1001-2026", "1"])


def plan_sample(
    store: Store, id: str = WAVE, *, centres: tuple[str, ...] = CENTRES, frame: tuple[PrimaryUnit, ...] = FRAME,
    opened: bool = True, simulated: bool = False,
) -> None:  # fmt: skip
    form = household_form()
    title = {"vi": "Khảo sát hộ", "en": "Household survey"}
    months = ("2026-11",)
    wave = Wave(id, "sample", title, form.id, form.version, months, centres, simulated=simulated)
    store.create_wave(wave, form, frame)
    if opened:
        store.open_wave(id)


class Interviewer(Tablet):
    """A tablet in a village."""

    def go_to(self, psu: str) -> Page:
        return self.open(f"/?psu={psu}")

    def note(self, why: str) -> Page:
        """A household that is not interviewed: asked, and meant."""
        self.tap(f"ask.{why}")
        return self.tap(f"record.{why}")

    def tap(self, go: str, chosen: object = None) -> Page:
        sent = self.page.sends(go, chosen or {})  # type: ignore[arg-type]
        path = "/household" if go.split(".")[0] in ("ask", "record") else "/survey"
        return self._follow(self.client.post(path, data=sent))

    def interview(self, psu: str, language: str = "vi") -> Page:
        self.go_to(psu)
        self.tap(f"start.{language}")
        self.walk({})
        return self.tap("send", self.answers_here({}))


@contextmanager
def village_kiosk(path: Path) -> Iterator[Kiosk]:
    """The kiosk of the other tests, with a sample wave open beside the counter wave."""
    with kiosk_at(path) as kiosk:
        kiosk.asked_of_store(plan_sample)
        yield kiosk


def interviewer(kiosk: Kiosk, centre: str = "C01", *, simulated: bool = False) -> Interviewer:
    return Interviewer(kiosk.tablet(centre, simulated=simulated, purpose="sample").client)


def visited(settings: Settings, wave: str = WAVE) -> list[StoredResponse]:
    with Store.open(settings, write=False) as store:
        return list(store.responses(wave))
