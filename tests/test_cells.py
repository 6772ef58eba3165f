"""Cells of rows by arithmetic on labels: the same as looking every row up."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import SurveyDesign, rake
from analysis.calibration.cells import cells_of, read_classes


@given(st.integers(0, 10**6), st.sampled_from(["int8", "uint16", "int32", "int64", ">i4", "str"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_cells_are_the_distinct_rows(seed: int, kind: str, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    n, parts = 300, 3
    columns = [rng.integers(0 if "u" in kind else -4, 5, n) for _ in range(parts)]
    if wide and kind == "int64":  # labels so far apart that no table of all of them is made
        columns = [column * 10**12 + 17 for column in columns]
    labels = [column.astype(kind) for column in columns]
    expected = [range(-9, 3), range(3), ()] if wide else [(), (), ()]  # a guess that is too narrow does no harm
    classes = [read_classes(a, "x", n, e) for a, e in zip(labels, expected, strict=True)]
    w = rng.uniform(0.5, 2, n)
    found = cells_of(classes, w)
    rows = np.column_stack([label.astype(str) for label in labels])
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    assert found.count == len(distinct)
    cell, doubled = found.rescaled(w, np.full(found.count, 2.0))
    assert len(set(zip(cell, inverse.ravel(), strict=True))) == len(distinct)  # one to one
    np.testing.assert_allclose(found.weight, np.bincount(cell, weights=w))
    np.testing.assert_array_equal(doubled, 2 * w)
    for one, code, label in zip(found.classes, found.codes, labels, strict=True):
        assert [str(name) for name in one.named(code[cell])] == label.astype(str).tolist()


def test_more_combinations_than_a_table_may_have_are_numbered_step_by_step() -> None:
    rng = np.random.default_rng(5)
    columns = [rng.integers(0, 400, 500) for _ in range(4)]
    found = cells_of([read_classes(column, "x", 500) for column in columns], np.ones(500))
    assert found.count == len(np.unique(np.column_stack(columns), axis=0))
    cell, _ = found.rescaled(np.ones(500), np.ones(found.count))
    for column, code, one in zip(columns, found.codes, found.classes, strict=True):
        assert list(one.named(code[cell])) == column.tolist()


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 3, 2] * 5),
        np.array([3, 1, 3, 2] * 5, dtype=">i8"),
        np.array([3, 1, 3, 2] * 5, dtype=np.uint64),
        np.array([[3, 0], [1, 0], [3, 0], [2, 0]] * 5)[:, 0],
        [3, 1, 3, 2] * 5,
        np.array([3, 1, 3, 2] * 5, dtype=object),
        np.array([3.0, 1.0, 3.0, 2.0] * 5),
    ],
)
def test_raking_takes_integer_labels_of_every_kind(labels: Any) -> None:
    design = SurveyDesign(np.arange(1.0, 21.0))
    found = rake(design, {"m": (labels, {1: 10.0, 2: 20.0, 3: 30.0})})
    np.testing.assert_allclose(np.bincount(np.asarray(labels, dtype=int), weights=found.weight)[1:], [10, 20, 30])
