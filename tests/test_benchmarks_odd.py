"""The study of odd answers, short: an honest simulated wave is left alone, planted fraud is found, careful fraud is not."""

import pytest

from benchmarks.odd_answers import FRAUDS, Tally, honest, look, study
from survey_app.oddities import FLAGS, Given


@pytest.fixture(scope="module")
def wave() -> list[Given]:
    return honest(1, 6_000)


def test_an_honest_wave_is_nearly_left_alone(wave: list[Given]) -> None:
    """1,885 days of a tablet; straight lines and speeders are people, and name no day."""
    tally = Tally()
    tally.add(wave)
    assert tally.device_days > 1_500
    assert sum(tally.named.values()) <= 5
    assert tally.flags["night"] == tally.flags["burst"] == 0
    assert 0.05 < tally.flags["straight_line"] / tally.responses < 0.3
    assert tally.named["straight_line"] == tally.named["fast"] == 0


@pytest.mark.parametrize("kind", sorted(FRAUDS))
def test_fraud_is_found_where_it_can_be(wave: list[Given], kind: str) -> None:
    found = [look(wave, FRAUDS[kind], seed) for seed in range(1, 6)]
    if kind == "patient":
        assert not any(one.named for one in found)  # else the page claims too little
    else:
        assert all(one.named for one in found) and all(one.left_in == 0 for one in found)


def test_the_page_has_every_flag_and_every_fraud() -> None:
    text = "\n".join(study(1, (1_000,)))
    assert all(f"`{flag}`" in text for flag in FLAGS)
    assert all(fraud.what in text for fraud in FRAUDS.values())
