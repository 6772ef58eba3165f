"""The study of parts, short: what it simulates is what the form says, and its verdicts hold on a few waves."""

import numpy as np
import pytest

from benchmarks import matrix_sampling
from benchmarks.matrix_sampling import ASKED, DOMAINS, NUMBERS, Floats, drawn, items, measures, study, waves

SAMPLES = 12


@pytest.fixture(scope="module")
def found() -> Floats:
    """One world, a dozen waves."""
    return waves((1, tuple(range(1, SAMPLES + 1))))[None]


def test_items_are_asked_with_the_chance_stated() -> None:
    rng = np.random.default_rng(1)
    whole = rng.random(20_000) < 0.3
    asked, chance = drawn(rng, 20_000, whole)
    assert asked[whole].all() and (chance[whole] == 1).all() and (chance[~whole] == 0.4).all()
    share = asked[~whole].mean(axis=0)
    assert np.abs(share - 0.4).max() < 5 * (0.4 * 0.6 / (~whole).sum()) ** 0.5
    assert (np.add.reduceat(asked[~whole], [0, 3, 7, 10, 13], axis=1) > 0).sum(axis=1).tolist() == [2] * (~whole).sum()
    assert [code[3] for code in items()] == list("AAABBBBCCCDDDEEE")


def test_estimates_in_parts_are_near_those_with_everything_asked(found: Floats) -> None:
    """The province, every measure and roll-up: the mean difference over the waves, in its own Monte-Carlo SE."""
    value = found[0, :, :, NUMBERS.index("value"), 0]
    for variant in (1, 2):
        apart = value[:, variant] - value[:, 0]
        z = apart.mean(axis=0) / (apart.std(axis=0, ddof=1) / SAMPLES**0.5)
        assert z.shape == (len(measures()),) and np.abs(z).max() < 6


def test_fewer_answers_have_larger_errors_and_the_index_less_so_than_an_item(found: Floats) -> None:
    se = found[0, :, :, NUMBERS.index("se"), 0].mean(axis=0) ** 2
    ratio = dict(zip(measures(), se[1] / se[0], strict=True))
    for measure, cost in ratio.items():
        assert 1.0 < cost < 3.2, measure
    assert ratio["index, pooled"] < np.mean([ratio[f"item:{code}"] for code in items()])
    assert (se[2] < se[1]).all(), "who is asked everything adds information"


def test_the_page_has_a_row_for_every_measure(found: Floats) -> None:
    lines = list(study(found))
    for measure in measures():
        assert any(line.startswith(f"| {measure} |") for line in lines)
    for asked in ASKED:
        assert 6 <= sum(line.startswith(f"| {asked} |") for line in lines) <= 8
    assert found.shape == (1, SAMPLES, 4, len(NUMBERS), len(DOMAINS), len(measures()))
    assert matrix_sampling.PAGE.name == "matrix_sampling.md"
