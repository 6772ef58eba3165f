"""A counter wave's field work as the store has it: who was met, and how the responses came in.

`met`, `watched`, `Watched`, `counter_timings`, `wave_watched`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from survey_app.model import VIETNAM
from survey_app.oddities import FLAGS, Given, flagged
from survey_app.problems import Problem
from survey_app.response_rates import Met
from survey_app.store import Columns, Store, StoreError
from survey_app.store.reading import Timing


def met(timings: Sequence[Timing]) -> list[Met]:
    """Every record given before the closing; what came after it is no field work of this wave."""
    return [
        Met(one.centre, one.day, one.disposition, one.recruitment, one.mode) for one in timings if not one.after_close
    ]


@dataclass(frozen=True)
class Watched:
    """The completed responses of a wave, their flags, and the place of each among all responses of the wave."""

    given: tuple[Given, ...]
    flags: dict[str, list[bool]]
    places: tuple[int, ...]

    def columns(self, count: int) -> dict[str, list[int]]:
        """Each flag as 0/1 for all `count` responses of the wave; those not completed are never flagged."""
        found = {name: [0] * count for name in FLAGS}
        for name in FLAGS:
            for place, flag in zip(self.places, self.flags[name], strict=True):
                found[name][place] = int(flag)
        return found


def watched(timings: Sequence[Timing], columns: Columns, items: Sequence[str]) -> Watched:
    """`columns`: of the same wave at the same moment; `items`: those of the form's index."""
    codes = list(zip(*(columns.single[item].tolist() for item in items), strict=True)) or [()] * len(timings)
    places = tuple(place for place, one in enumerate(timings) if one.disposition == "complete")
    given = tuple(_given(timings[place], codes[place]) for place in places)
    return Watched(given, flagged(given), places)


def _given(one: Timing, codes: tuple[int, ...]) -> Given:
    """Time on the form is what its items took where the device measured that, else from beginning to end."""
    spent = one.measured_ms
    if spent is None:
        spent = round((one.submitted - one.started) / timedelta(milliseconds=1))
    return Given(
        device=one.device,
        centre=one.centre,
        at=(one.submitted + timedelta(milliseconds=one.offset_ms)).astimezone(VIETNAM),
        mode=one.mode,
        spent_ms=spent,
        taps=one.taps,
        codes=tuple(code for code in codes if code > 0),
    )


def counter_timings(store: Store, wave_id: str) -> tuple[Timing, ...]:
    """The timings of a counter wave; a sample wave is refused: its visits are counted by village, and keep no hours."""
    if store.wave(wave_id).kind != "counter":
        problem = Problem("it is a sample wave", f"wave {wave_id!r}", f"see its villages: sipas wave show {wave_id}")
        raise StoreError(problem)
    return store.timings(wave_id)


def wave_watched(store: Store, wave_id: str) -> Watched:
    """The flags of a counter wave as it is now."""
    with store.snapshot():
        timings = counter_timings(store, wave_id)
        wave = store.wave(wave_id)
        form = store.questionnaire(wave.questionnaire, wave.version)
        items = form.index.items if form.index else ()
        return watched(timings, store.columns(wave_id, items, ()), items)
