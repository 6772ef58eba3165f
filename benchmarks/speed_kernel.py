"""The bare kernel: what the sums of a speed task cost when nothing is read, checked, labelled or returned but numbers.

Public: estimate, raking, bootstrap, sums. A lower bound for any program, on the same arrays; one thread per processor.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_POOL = ThreadPoolExecutor(os.cpu_count())


def _threads(task: Callable[..., None], n: int, *arguments: Any) -> None:
    """task(first, last, part, *arguments) on one stretch of the n rows per processor."""
    parts = os.cpu_count() or 1
    bounds = [part * n // parts for part in range(parts + 1)]
    jobs = [_POOL.submit(task, bounds[part], bounds[part + 1], part, *arguments) for part in range(parts)]
    for job in jobs:
        job.result()


@njit(nogil=True, cache=True)
def _keys(first: int, last: int, part: int, domain: Any, psu: Any, psus: int, key: Any, seen: Any) -> None:
    for row in range(first, last):
        key[row] = domain[row] * psus + psu[row]
        seen[key[row]] = True


@njit(nogil=True, fastmath=True, cache=True)
def _add(
    first: int, last: int, part: int, codes: Any, weight: Any, key: Any, place: Any, valid: Any, top: Any, high: Any
) -> None:
    """Σw, Σwy and Σw[y ≥ 4] over valid answers by pair and item; each thread has sums of its own."""
    b, s, t = valid[part], top[part], high[part]
    for row in range(first, last):
        to, w = place[key[row]], weight[row]
        for item in range(codes.shape[1]):
            code = codes[row, item]
            known = w if code >= 0 else 0.0
            b[to, item] += known
            s[to, item] += known * np.float64(code)
            t[to, item] += w if code >= 4 else 0.0


def sums(codes: Any, weight: Floats, domain: Any, domains: int, psu: Any, psus: int) -> tuple[Floats, Any, Any]:
    """Σw, Σwy, Σw[y ≥ 4], shape (3, pairs, items), of the pairs of domain and PSU that have a row.

    Also where the pairs of each domain begin, and the PSU of each.
    """
    n, items = codes.shape
    key, seen = np.empty(n, dtype=np.int32), np.zeros(domains * psus, dtype=np.bool_)
    _threads(_keys, n, domain, psu, psus, key, seen)
    pairs = np.flatnonzero(seen)
    place = np.empty(domains * psus, dtype=np.int32)
    place[pairs] = np.arange(len(pairs), dtype=np.int32)
    found = np.zeros((3, os.cpu_count() or 1, len(pairs), items))
    _threads(_add, n, codes, weight, key, place, *found)
    return found.sum(axis=1), np.searchsorted(pairs, np.arange(domains + 1) * psus), pairs % psus


@njit(cache=True)
def _linearised(sums: Any, begin: Any, of_psu: Any, stratum_of_psu: Any, size: Any) -> Any:
    """Value and SE by domain; PSUs are sorted by stratum, size[h] of them in stratum h."""
    domains, items = len(begin) - 1, sums.shape[2]
    found = np.zeros((2, 2, domains, items))
    for domain in range(domains):
        first, last = begin[domain], begin[domain + 1]
        whole = sums[:, first:last].sum(axis=1)
        for measure in range(2):
            value, variance = whole[1 + measure] / whole[0], np.zeros(items)
            pair = first
            while pair < last:
                stratum = stratum_of_psu[of_psu[pair]]
                n, total, squares = size[stratum], np.zeros(items), np.zeros(items)
                while pair < last and stratum_of_psu[of_psu[pair]] == stratum:
                    score = (sums[1 + measure, pair] - value * sums[0, pair]) / whole[0]
                    total += score
                    squares += score * score
                    pair += 1
                variance += n / (n - 1) * (squares - total * total / n)
            found[measure, 0, domain] = value
            found[measure, 1, domain] = np.sqrt(variance)
    return found


def estimate(codes: Any, weight: Floats, domain: Any, domains: int, psu: Any, stratum_of_psu: Any) -> Floats:
    """Value and SE of mean and top-2 share, shape (measure, value or SE, domains, items); PSUs sorted by stratum."""
    found, begin, of_psu = sums(codes, weight, domain, domains, psu, len(stratum_of_psu))
    return np.asarray(_linearised(found, begin, of_psu, stratum_of_psu, np.bincount(stratum_of_psu)))


@njit(nogil=True, cache=True)
def _cells(first: int, last: int, part: int, margins: Any, sizes: Any, weight: Any, cell: Any, found: Any) -> None:
    for row in range(first, last):
        code = 0
        for margin in range(len(sizes)):
            code = code * sizes[margin] + margins[row, margin]
        cell[row] = code
        found[part, code] += weight[row]


@njit(nogil=True, cache=True)
def _multiply(first: int, last: int, part: int, weight: Any, factor: Any, cell: Any, after: Any) -> None:
    for row in range(first, last):
        after[row] = weight[row] * factor[cell[row]]


def raking(margins: Any, weight: Floats, totals: list[list[float]], tolerance: float) -> Floats:
    """Weights raked to the margins: fitted on the full table of cells."""
    sizes = np.array([len(total) for total in totals])
    cell, found = np.empty(len(weight), dtype=np.int32), np.zeros((os.cpu_count() or 1, sizes.prod()))
    _threads(_cells, len(weight), margins, sizes, weight, cell, found)
    before = found.sum(axis=0).reshape(sizes)
    table, worst = before.copy(), np.inf
    while worst > tolerance:
        worst = 0.0
        for axis, total in enumerate(totals):
            others = tuple(other for other in range(len(totals)) if other != axis)
            factor = np.asarray(total) / table.sum(axis=others)
            worst = max(worst, float(np.abs(1 / factor - 1).max()))
            table *= np.expand_dims(factor, others)
    with np.errstate(invalid="ignore"):
        factor = (table / before).ravel()
    after = np.empty_like(weight)
    _threads(_multiply, len(weight), weight, factor, cell, after)
    return after


def bootstrap(codes: Any, weight: Floats, domain: Any, domains: int, psu: Any, multiplier: Floats) -> Floats:
    """Value and SE as `estimate`, the SE from replicates: multiplier, shape (replicates, psus), drawn beforehand."""
    found, begin, of_psu = sums(codes, weight, domain, domains, psu, multiplier.shape[1])
    result = np.empty((2, 2, domains, codes.shape[1]))
    for place in range(domains):
        own = np.s_[begin[place] : begin[place + 1]]
        whole = found[:, own].sum(axis=1)
        drawn = multiplier[:, of_psu[own]] @ found[:, own]
        result[:, 0, place] = whole[1:] / whole[0]
        result[:, 1, place] = (drawn[1:] / drawn[0]).std(axis=1)
    return result
