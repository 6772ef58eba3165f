"""docs/from-other-software.md: our Python runs, in order, on the reference data, and gives R's numbers."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.golden_designs import GOLDEN, load

PAGE = (Path(__file__).parents[1] / "docs" / "from-other-software.md").read_text(encoding="utf-8")
TASKS = ("Design", "Mean by group", "Proportion", "Ratio", "Quantile", "Post-stratify", "Rake", "Calibrate (GREG)", "Replicate weights", "Contrast", "Chi-squared", "Regression", "Subpopulation")  # fmt: skip


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks of the page leave, run one after another."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(GOLDEN / "counter.csv", folder / "answers.csv")
    found: dict[str, Any] = {}
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, "from-other-software.md", "exec"), found)  # noqa: S102 the page's own code
    return found


def golden(file: str, entry: str) -> dict[str, Any]:
    return next(one["result"] for one in load(file)["entries"] if one["id"] == entry)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_chapter_with_code_of_ours_and_of_the_others(task: str) -> None:
    chapter = PAGE.partition(f"\n## {task}\n")[2].partition("\n## ")[0]
    assert "```python" in chapter
    for program in ("R", "Stata", "svy"):
        assert re.search(rf"(^|\W){program}(\W|$)", re.sub(r"```python.*?```", "", chapter, flags=re.DOTALL)), program


@pytest.mark.parametrize(
    "name, file, entry",
    [
        ("difference", "comparisons", "counter|differences|time_min|field"),
        ("ratio_of_means", "comparisons", "counter|ratio of means|time_min|f01/f02"),
    ],
)
def test_contrasts_are_those_of_r(names: dict[str, Any], name: str, file: str, entry: str) -> None:
    theirs = golden(file, entry)
    assert names[name].single.value == pytest.approx(theirs["value"][0], rel=1e-10)
    assert names[name].single.se == pytest.approx(theirs["se"][0], rel=1e-8)


@pytest.mark.parametrize("name, test", [("independence", "F"), ("wald", "adjWald")])
def test_tests_are_those_of_r(names: dict[str, Any], name: str, test: str) -> None:
    theirs = golden("comparisons", f"counter|chisq|{test}|sex x came_back|TRUE")
    assert names[name].p_value == pytest.approx(theirs["p_value"], rel=1e-8)


def test_all_blocks_leave_estimates(names: dict[str, Any]) -> None:
    for name in ("means", "share", "as_r", "per_visit", "times", "calibrated_mean", "same_mean", "everyone", "logistic", "ordinal", "urban"):  # fmt: skip
        assert (names[name].se > 0).any(), name
    assert names["post"].weight.sum() == pytest.approx(86889)
    assert names["greg"].weight.sum() == pytest.approx(86889)
    assert names["urban"].domains == ("urban",)
