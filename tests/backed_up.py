"""An instance with a backup and a story since, for the tests of the way back."""

import dataclasses
import shutil
from pathlib import Path

from survey_app.backup import Made, make_backup
from survey_app.extract import write_extract
from survey_app.model import Device
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from tests.ground import FORM, enrolled, make_store, record, response, wave


@dataclasses.dataclass
class Ground:
    """A backup after five responses; since then three more, an extract, a backup, a wave and a device."""

    settings: Settings
    made: Made
    device: Device
    new_token: str
    old: list[str]
    since: list[str]

    @property
    def instance(self) -> Path:
        return self.settings.instance

    def stored(self) -> list[str]:
        with Store.open(Settings.load(self.instance), write=False) as store:
            return [one.uuid for one in store.responses("q4")]

    def again(self) -> tuple[object, ...]:
        return verify(Settings.load(self.instance))


def make_ground(tmp_path: Path) -> Ground:
    settings, store = make_store(tmp_path)
    with store:
        device = enrolled(store)
        first = [response(seq, answers={"COMMENT": f"lời thứ {seq}"}) for seq in range(1, 6)]
        record(store, device, *first)
        made = make_backup(settings)
        later = [response(6), response(7), response(None, mode="page")]
        record(store, device, *later)
        write_extract(store, settings, "q4")
        make_backup(settings)
        store.create_wave(wave("q5"), FORM)
        token = store.enrol(store.add_device("TINH", simulated=True)[1]).token
    return Ground(settings, made, device, token, [one.uuid for one in first], [one.uuid for one in later])


def copied(ground: Ground, name: str) -> Path:
    """The backup alone, away from its instance."""
    return Path(shutil.copytree(ground.made.path, ground.instance.parent / name))
