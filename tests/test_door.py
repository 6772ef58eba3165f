"""The door of the statistics: these names and these signatures are what analysts' scripts rest on."""

import inspect
import pkgutil
from typing import Any

import pytest

import analysis

DOOR = {
    "SurveyDesign": "(weight, stratum=None, psu=None, fpc=None, lone_psu='fail')",
    "mean": "(design, y, by=None, level=0.95)",
    "total": "(design, y, by=None)",
    "ratio": "(design, y, x, by=None)",
    "proportion": "(design, y, by=None, level=0.95, interval='korn_graubard')",
    "quantile": "(design, y, q, by=None, interval='mean', rule='math')",
    "composite": "(design, numerators, denominators, coefficients, by=None)",
    "post_stratify": "(design, cells, totals)",
    "rake": "(design, margins, tolerance=1e-10)",
    "calibrate": "(design, x, totals, method='linear', bounds=None)",
    "trim": "(design, lower, upper)",
    "replicate": "(design, method, replicates=500, rho=0.0, seed=None)",
    "contrast": "(estimates, matrix_or_function)",
    "compare": "(a, b)",
    "test_independence": "(design, row, column)",
    "regress": "(design, formula, data, family='gaussian')",
}


def _plain(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    return f"({', '.join(p.name if p.default is p.empty else f'{p.name}={p.default!r}' for p in parameters)})"


@pytest.mark.parametrize("name", DOOR)
def test_the_door_has_the_name_and_its_parameters_come_first(name: str) -> None:
    assert name in analysis.__all__
    assert _plain(getattr(analysis, name)).startswith(DOOR[name].removesuffix(")"))


@pytest.mark.parametrize("name", DOOR)
def test_what_comes_after_them_has_a_default(name: str) -> None:
    parameters = list(inspect.signature(getattr(analysis, name)).parameters.values())
    more = parameters[DOOR[name].count(",") + 1 :]
    assert all(p.default is not p.empty for p in more if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.KEYWORD_ONLY)


@pytest.mark.parametrize("name", analysis.__all__)
def test_everything_at_the_door_says_what_it_is(name: str) -> None:
    text = inspect.getdoc(getattr(analysis, name)) or ""
    assert len(text.split()) > 4, name


@pytest.mark.parametrize("name", sorted(set(DOOR) - {"contrast"}))
def test_the_docstring_gives_shapes_and_errors_or_what_is_returned(name: str) -> None:
    text = inspect.getdoc(getattr(analysis, name)) or ""
    assert "Parameters\n---" in text
    assert "shape (" in text or name in ("compare", "post_stratify", "trim", "replicate", "regress")
    assert any(f"{part}\n---" in text for part in ("Raises", "Returns", "Notes"))


def test_every_name_of_the_door_leads_somewhere() -> None:
    assert set(analysis.__all__) == set(analysis._HOME)
    assert set(analysis.__all__) <= set(dir(analysis))
    with pytest.raises(AttributeError, match="no attribute 'means'"):
        analysis.means  # noqa: B018


def test_submodules_do_not_hide_names_of_the_door() -> None:
    assert not {module.name for module in pkgutil.iter_modules(analysis.__path__)} & set(analysis.__all__)
