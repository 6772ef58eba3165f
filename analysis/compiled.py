"""Loops over rows as machine code, compiled when first called, so that importing this package does not load numba.

Public: compiled.
"""

from collections.abc import Callable
from functools import update_wrapper
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_building = Lock()


class Compiled(Generic[P, R]):
    """A function that becomes machine code at its first call and may be called from other compiled functions."""

    def __init__(self, function: Callable[P, R]) -> None:
        update_wrapper(self, function)
        self.function = function
        self._kernel: Any = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        kernel = self._kernel or self.kernel()
        try:
            return cast(R, kernel(*args, **kwargs))
        except OSError:  # the folder of the cache has become full or was taken away: the code itself is sound
            self._kernel = self._build(cache=False)
            return cast(R, self._kernel(*args, **kwargs))

    def kernel(self) -> Any:
        """The numba dispatcher."""
        with _building:
            if self._kernel is None:
                try:
                    self._kernel = self._build(cache=True)
                except RuntimeError as error:  # no folder for the cache is writable
                    if "cannot cache function" not in str(error):
                        raise
                    self._kernel = self._build(cache=False)
        return self._kernel

    def _build(self, cache: bool) -> Any:
        from numba import njit

        return njit(self.function, nogil=True, cache=cache, fastmath=False)

    @property
    def _numba_type_(self) -> Any:
        """What numba sees where another compiled function calls this one."""
        return self.kernel()._numba_type_


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """Decorate a function of numpy arrays and numbers: machine code, without the interpreter lock, kept on disk.

    The code is kept beside the module, or where NUMBA_CACHE_DIR says; where no such folder can be written it is
    compiled again in each process. Sums are made in the order written (no fast-math).
    """
    return Compiled(function)
