"""The loops over respondents, as machine code. Nothing outside analysis.moments.sums calls them.

Rows are first packed: copied in the order of their sampling units, so that the sums a stretch of rows adds to stay in the
processor's cache, with answers as codes 0 to 254 (255: missing) or as numbers (NaN: missing). Then every sum is a walk
over packed rows first:last. Sampling units do not cross the bounds between walks, so each may have a thread of its own;
sums by domain or calibration cell go to arrays of the walk's own. Nothing depends on the number of processors.

Longer than other modules, and alike in places: a loop that asks in every row what kind of answers it has is not turned into
vector instructions, so codes, numbers and pairs have loops of their own.
"""

from typing import Any

import numpy as np

from analysis.compiled import compiled

Array = Any


@compiled
def add_runs(values: Array, start: Array, result: Array) -> None:
    """Sums of the rows of each run, start[i]:start[i + 1], the last to the end."""
    for i in range(start.shape[0]):
        end = start[i + 1] if i + 1 < start.shape[0] else values.shape[0]
        row = result[i]
        for j in range(start[i], end):
            more = values[j]
            for c in range(row.shape[0]):
                row[c] += more[c]


@compiled
def count_runs(values: Array, start: Array, result: Array) -> None:
    """In how many rows of each run a value is above 0."""
    for i in range(start.shape[0]):
        end = start[i + 1] if i + 1 < start.shape[0] else values.shape[0]
        row = result[i]
        for j in range(start[i], end):
            more = values[j]
            for c in range(row.shape[0]):
                row[c] += np.int32(more[c] > 0)


@compiled
def linear_scores(top: Array, bottom: Array, domain: Array, ratio: Array, factor: Array, result: Array) -> None:
    """(top − ratio·bottom)·factor, ratio and factor those of the row's domain."""
    for i in range(top.shape[0]):
        d = domain[i]
        a = top[i]
        b = bottom[i]
        r = ratio[d]
        f = factor[d]
        u = result[i]
        for c in range(u.shape[0]):
            u[c] = (a[c] - r[c] * b[c]) * f[c]


@compiled
def centred_squares(total: Array, start: Array, group: Array, count: Array, scale: Array, result: Array) -> None:
    """scale · Σ (z − z̄)² of each run added to the result of its group; z̄ = Σ z / count, units without a row being 0."""
    mean = np.zeros(total.shape[1])
    for i in range(start.shape[0]):
        end = start[i + 1] if i + 1 < start.shape[0] else total.shape[0]
        mean[:] = 0.0
        for j in range(start[i], end):
            z = total[j]
            for c in range(mean.shape[0]):
                mean[c] += z[c]
        row = result[group[i]]
        absent = count[i] - (end - start[i])
        for c in range(mean.shape[0]):
            mean[c] /= count[i]
            row[c] += scale[i] * absent * mean[c] * mean[c]
        for j in range(start[i], end):
            z = total[j]
            for c in range(mean.shape[0]):
                e = z[c] - mean[c]
                row[c] += scale[i] * (e * e)


@compiled
def count(bucket: Array, unit: Array, first: int, last: int, result: Array) -> None:
    """Rows first:last in each bucket, bucket[unit]; a negative unit is left out."""
    for i in range(first, last):
        if unit[i] >= 0:
            result[bucket[unit[i]]] += 1


@compiled
def place(
    bucket: Array,
    unit: Array,
    weight: Array,
    slot: Array,
    first: int,
    last: int,
    position: Array,
    order: Array,
    weights: Array,
    slots: Array,
) -> None:
    """Row numbers, weights and slots to the place their bucket has reached; `position` is used up."""
    for i in range(first, last):
        if unit[i] >= 0:
            b = bucket[unit[i]]
            p = position[b]
            position[b] = p + 1
            order[p] = i
            weights[p] = weight[i]
            slots[p] = slot[i]


@compiled
def pack_codes(
    values: Array,
    lookup: Array,
    low: int,
    bucket: Array,
    unit: Array,
    first: int,
    last: int,
    position: Array,
    out: Array,
) -> None:
    """lookup[value − low] of rows first:last, each row to the place its bucket has reached; `position` is used up."""
    for i in range(first, last):
        if unit[i] >= 0:
            b = bucket[unit[i]]
            p = position[b]
            position[b] = p + 1
            for c in range(values.shape[1]):
                out[p, c] = lookup[np.uint64(values[i, c] - low)]


@compiled
def pack_numbers(values: Array, bucket: Array, unit: Array, first: int, last: int, position: Array, out: Array) -> None:
    """The same for numbers as they are."""
    for i in range(first, last):
        if unit[i] >= 0:
            b = bucket[unit[i]]
            p = position[b]
            position[b] = p + 1
            for c in range(values.shape[1]):
                out[p, c] = values[i, c]


@compiled
def describe_codes(
    codes: Array,
    weight: Array,
    slot: Array,
    domain: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
    answered: Array,
    shift: Array,
    squares: Array,
) -> None:
    """Σ w q, Σ w and number of valid codes q by slot; Σ w (q − shift)² by domain where `squares` has rows.

    Several short loops, each over few arrays, are what a compiler turns into vector instructions.
    """
    for i in range(first, last):
        s = slot[i]
        w = weight[i]
        row = codes[i]
        high = top[s]
        low = bottom[s]
        for c in range(row.shape[0]):
            v = w if row[c] != 255 else 0.0
            high[c] += v * float(row[c])
            low[c] += v
        known = answered[s]
        for c in range(row.shape[0]):
            known[c] += np.int32(row[c] != 255)
        if squares.shape[0] > 0:
            square = squares[domain[s]]
            for c in range(row.shape[0]):
                v = w if row[c] != 255 else 0.0
                e = float(row[c]) - shift[c]
                square[c] += v * (e * e)


@compiled
def describe_numbers(
    numbers: Array,
    weight: Array,
    slot: Array,
    domain: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
    answered: Array,
    shift: Array,
    squares: Array,
) -> None:
    """The same for numbers."""
    for i in range(first, last):
        s = slot[i]
        w = weight[i]
        row = numbers[i]
        high = top[s]
        low = bottom[s]
        for c in range(row.shape[0]):
            known = not np.isnan(row[c])
            v = w if known else 0.0
            high[c] += v * (row[c] if known else 0.0)
            low[c] += v
        count = answered[s]
        for c in range(row.shape[0]):
            count[c] += np.int32(not np.isnan(row[c]))
        if squares.shape[0] > 0:
            square = squares[domain[s]]
            for c in range(row.shape[0]):
                known = not np.isnan(row[c])
                e = (row[c] if known else shift[c]) - shift[c]
                square[c] += w * (e * e)


@compiled
def describe_pairs(
    high: Array,
    low: Array,
    weight: Array,
    slot: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
    answered: Array,
) -> None:
    """Σ w·high, Σ w·low and number of valid pairs by slot; `low` has the columns of `high`, or one for all."""
    for i in range(first, last):
        s = slot[i]
        w = weight[i]
        for c in range(high.shape[1]):
            x = high[i, c]
            y = low[i, c if low.shape[1] > 1 else 0]
            if not (np.isnan(x) or np.isnan(y)):
                top[s, c] += w * x
                bottom[s, c] += w * y
                answered[s, c] += 1


@compiled
def cross_codes(
    codes: Array,
    weight: Array,
    target: Array,
    cell: Array,
    begin: Array,
    column: Array,
    x: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
) -> None:
    """Σ w x q and Σ w x of valid codes by domain and calibrated total; target: where the row's domain begins.

    The row's cell adds x[e] to column[e], e in begin[cell]:begin[cell + 1].
    """
    for i in range(first, last):
        for e in range(begin[cell[i]], begin[cell[i] + 1]):
            t = target[i] + column[e]
            w = weight[i] * x[e]
            for c in range(codes.shape[1]):
                q = codes[i, c]
                v = w if q != 255 else 0.0
                top[t, c] += v * float(q)
                bottom[t, c] += v


@compiled
def cross_numbers(
    numbers: Array,
    weight: Array,
    target: Array,
    cell: Array,
    begin: Array,
    column: Array,
    x: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
) -> None:
    """The same for numbers."""
    for i in range(first, last):
        for e in range(begin[cell[i]], begin[cell[i] + 1]):
            t = target[i] + column[e]
            w = weight[i] * x[e]
            for c in range(numbers.shape[1]):
                y = numbers[i, c]
                known = not np.isnan(y)
                v = w if known else 0.0
                top[t, c] += v * (y if known else 0.0)
                bottom[t, c] += v


@compiled
def cross_pairs(
    high: Array,
    low: Array,
    weight: Array,
    target: Array,
    cell: Array,
    begin: Array,
    column: Array,
    x: Array,
    first: int,
    last: int,
    top: Array,
    bottom: Array,
) -> None:
    """The same for pairs of numbers."""
    for i in range(first, last):
        for e in range(begin[cell[i]], begin[cell[i] + 1]):
            t = target[i] + column[e]
            w = weight[i] * x[e]
            for c in range(high.shape[1]):
                a = high[i, c]
                b = low[i, c if low.shape[1] > 1 else 0]
                if not (np.isnan(a) or np.isnan(b)):
                    top[t, c] += w * a
                    bottom[t, c] += w * b


@compiled
def present(
    valid: Array,
    weight: Array,
    slot: Array,
    begin: Array,
    column: Array,
    first: int,
    last: int,
    population: Array,
    answered: Array,
) -> None:
    """Σ w and number of the rows that answered any column of each variable, column[begin[v]:begin[v + 1]], by slot."""
    for i in range(first, last):
        s = slot[i]
        for v in range(begin.shape[0] - 1):
            for e in range(begin[v], begin[v + 1]):
                if valid[i, column[e]]:
                    population[s, v] += weight[i]
                    answered[s, v] += 1
                    break


@compiled
def spread_codes(
    codes: Array,
    weight: Array,
    slot: Array,
    domain: Array,
    begin: Array,
    column: Array,
    a: Array,
    b: Array,
    first: int,
    last: int,
    squares: Array,
) -> None:
    """Σ w u² by domain and variable, u = Σ_e a[d, e] q + b[d, e] over the variable's valid codes."""
    for i in range(first, last):
        d = domain[slot[i]]
        for v in range(begin.shape[0] - 1):
            u = 0.0
            for e in range(begin[v], begin[v + 1]):
                q = codes[i, column[e]]
                if q != 255:
                    u += a[d, e] * float(q) + b[d, e]
            squares[d, v] += weight[i] * u * u


@compiled
def spread_pairs(
    high: Array,
    low: Array,
    weight: Array,
    slot: Array,
    domain: Array,
    begin: Array,
    column: Array,
    a: Array,
    b: Array,
    first: int,
    last: int,
    squares: Array,
) -> None:
    """The same for pairs of numbers, u = Σ_e a[d, e]·high + b[d, e]·low."""
    for i in range(first, last):
        d = domain[slot[i]]
        for v in range(begin.shape[0] - 1):
            u = 0.0
            for e in range(begin[v], begin[v + 1]):
                x = high[i, column[e]]
                y = low[i, column[e] if low.shape[1] > 1 else 0]
                if not (np.isnan(x) or np.isnan(y)):
                    u += a[d, e] * x + b[d, e] * y
            squares[d, v] += weight[i] * u * u
