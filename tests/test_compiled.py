"""Compiled loops: lazily, from one another, and also where nothing can be kept on disk."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.compiled import compiled


@compiled
def _add(a: np.ndarray, out: float) -> float:
    for value in a:
        out += value
    return out


@compiled
def _twice(a: np.ndarray) -> float:
    return 2 * _add(a, 0.0)


def test_a_compiled_function_gives_what_the_python_function_gives():
    values = np.random.default_rng(1).normal(size=100)
    assert _add(values, 1.5) == _add.function(values, 1.5)


def test_one_compiled_function_calls_another():
    assert _twice(np.array([1.0, 2.5])) == 7.0


def test_importing_the_package_does_not_load_numba():
    code = "import sys, analysis; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0


def _without_cache(error: Exception, where: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], float]:
    from numba.core import caching

    def refuse(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(caching.CacheImpl if where == "__init__" else caching.Cache, where, refuse)

    def total(a: np.ndarray) -> float:
        s = 0.0
        for value in a:
            s += value
        return s

    return compiled(total)


def test_without_a_writable_folder_it_is_compiled_in_memory(monkeypatch):
    total = _without_cache(RuntimeError("cannot cache function 'total': no locator"), "__init__", monkeypatch)
    assert total(np.array([1.0, 2.0])) == 3.0


def test_a_full_disk_stops_no_calculation(monkeypatch):
    total = _without_cache(OSError(errno.ENOSPC, "no space left on device"), "save_overload", monkeypatch)
    assert total(np.array([1.0, 2.0])) == 3.0


def test_another_runtime_error_is_not_hidden(monkeypatch):
    total = _without_cache(RuntimeError("something else"), "__init__", monkeypatch)
    with pytest.raises(RuntimeError, match="something else"):
        total(np.array([1.0]))
