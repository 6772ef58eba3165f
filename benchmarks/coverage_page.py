"""The page and the pictures of the coverage study.

Public: page, draw, misses.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.coverage import NS, PS, SHARES, Case, Figures

Found = Mapping[Case, Sequence[Figures]]
BAR, LEAST_N_EFF, LEAST_DF = 93.0, 60.0, 8.0
DEFAULTS = {"share": "korn_graubard", "mean": "t", "index": "default", "median": "mean"}
_SAMPLINGS = {
    "rows": "every row a PSU",
    "clustered": "PSUs of 15 to 25 rows, design effect about 1.75",
    "ten PSUs": "ten PSUs whatever n, design effect about 1.75",
    "weighted": "as clustered, two strata, unequal weights (Kish's design effect 1.17)",
}
_MEASURES = {
    "share": "Share of one item (`proportion`)",
    "mean": "Mean of answers 1 to 5 (`mean`)",
    "index": "Index: pooled share over 16 items, some skipped (`index`, item method top2)",
    "median": "Median of a continuous variable (`quantile`)",
}
_NOTES = {
    "index": " It is logit, but Korn–Graubard (n_eff capped at n, the number of responses) where size · min(R, 1 − R) < 3,\n"
    "R the index as a share, size = min(n, R(1 − R)/SE²): less than three responses' worth of dissatisfaction. A\n"
    "respondent who answers all items alike is then the rare event that a standard error cannot see before it happens."
}
_HEAD = """# Do the intervals hold the truth?

`python -m benchmarks.coverage --write`

SIMULATED: {samples:,} samples a case, nominal 95 %, Monte-Carlo standard error of a coverage near 95 %: {error:.2f} points.
Each cell: **coverage** (truth below the interval + truth above it), mean width. The first of the two in brackets errs
*upwards*: the interval lies above the truth, and a reference line between them would be called passed when it is not.
n_eff and df are medians over the samples. An interval that cannot be given (df < 1) counts as a miss on no side.
{verdict}

![coverage of the intervals for shares](coverage.svg)

![how often the whole interval lies above the truth](coverage-above.svg)
"""


def misses(found: Found) -> list[tuple[Case, Figures]]:
    """Where a default falls below 93 % though n_eff ≥ 60 and df ≥ 8."""
    return [
        (case, figures)
        for case, all_methods in found.items()
        for figures in all_methods
        if figures.method == DEFAULTS[case.measure] and _due(figures) and figures.covered < BAR
    ]


def _due(figures: Figures) -> bool:
    return figures.n_eff >= LEAST_N_EFF and figures.df >= LEAST_DF


def page(found: Found, samples: int) -> str:
    """The page in Markdown."""
    bad = misses(found)
    due = [
        figures
        for case, all_methods in found.items()
        for figures in all_methods
        if figures.method == DEFAULTS[case.measure] and _due(figures)
    ]
    least = f"; the least is {min(figures.covered for figures in due):.1f} %" if due else ""
    if bad:
        names = "; ".join(f"{case.measure}, {case.sampling}, p = {case.p:g}, n = {case.n}" for case, _ in bad)
        verdict = f"**The defaults fall below {BAR:g} % in {len(bad)} of the {len(due)} cases with n_eff ≥ 60 and df ≥ 8:** {names}{least}."
    else:
        verdict = f"The defaults hold ≥ {BAR:g} % in all {len(due)} cases with n_eff ≥ 60 and df ≥ 8{least}."
    error = 100 * (0.95 * 0.05 / samples) ** 0.5
    lines = [_HEAD.format(samples=samples, error=error, verdict=verdict)]
    for measure, title in _MEASURES.items():
        lines += [
            "",
            f"## {title}",
            "",
            f"The default is in the column `{DEFAULTS[measure]}`.{_NOTES.get(measure, '')}",
        ]
        for sampling, straight, some in _groups(found, measure):
            alike = f"; {100 * straight:.0f} % of respondents answer all items alike" if straight else ""
            lines += ["", f"### {_SAMPLINGS[sampling]}{alike}", "", *_table(some)]
    return "\n".join(lines) + "\n"


def _groups(found: Found, measure: str) -> Iterator[tuple[str, float, Found]]:
    for sampling in _SAMPLINGS:
        for straight in sorted({case.straight for case in found if case.measure == measure}):
            some = {
                case: figures
                for case, figures in found.items()
                if (case.measure, case.sampling, case.straight) == (measure, sampling, straight)
            }
            if some:
                yield sampling, straight, dict(sorted(some.items(), key=lambda pair: (pair[0].p, pair[0].n)))


def _table(found: Found) -> list[str]:
    methods = [figures.method for figures in next(iter(found.values()))]
    names = [f"`{name}`" for name in methods]
    lines = [f"| p | n | n_eff | df | {' | '.join(names)} |", f"|--:|--:|--:|--:|{'--:|' * len(methods)}"]
    for case, all_methods in found.items():
        cells = [f"**{f.covered:.1f}** ({f.above:.1f} + {f.below:.1f}) {f.width:.3g}" for f in all_methods]
        first = all_methods[0]
        lines.append(f"| {case.p:g} | {case.n:,} | {first.n_eff:,.0f} | {first.df:,.0f} | {' | '.join(cells)} |")
    return lines


def draw(found: Found, coverage: Path, above: Path) -> None:
    """Two pictures of the shares: coverage, and the share of intervals that lie above the truth."""
    _draw(
        found,
        coverage,
        "covered",
        "intervals that hold the truth, %",
        (75, 100),
        ((95, "nominal 95 %"), (93, "to hold: 93 %")),
    )
    _draw(found, above, "above", "intervals wholly above the truth, %", (0, 20), ((2.5, "nominal 2.5 %"),))


def _draw(
    found: Found, path: Path, what: str, label: str, limits: tuple[float, float], lines: Sequence[tuple[float, str]]
) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "coverage"
    from matplotlib import pyplot as plt

    styles = {
        "korn_graubard": ("#0b5394", "o", "-"),
        "beta": ("#38761d", "s", "--"),
        "logit": ("#b45f06", "^", "-."),
        "wilson": ("#741b47", "D", ":"),
        "t": ("#990000", "x", "-"),
    }
    figure, axes = plt.subplots(
        len(_SAMPLINGS), len(PS), figsize=(11, 12), sharex=True, sharey=True, layout="constrained"
    )
    for row, sampling in enumerate(_SAMPLINGS):
        for column, p in enumerate(PS):
            axis = axes[row, column]
            for level, words in lines:
                axis.axhline(
                    level, color="#666666", linewidth=0.8, linestyle=(0, (6, 3)) if level == BAR else "-", label=words
                )
            for place, method in enumerate(SHARES):
                some = {case.n: figures[place] for case, figures in found.items() if _is(case, sampling, p)}
                ns = sorted(some)
                values = [max(limits[0], min(limits[1], getattr(some[n], what))) for n in ns]
                colour, marker, line = styles[method]
                axis.plot(ns, values, line, color=colour, marker=marker, markersize=4, linewidth=1.2, label=method)
            axis.set_xscale("log")
            axis.set_xticks(NS, [f"{n:,}" for n in NS], fontsize=8)
            axis.minorticks_off()
            axis.set_ylim(*limits)
            if row == 0:
                axis.set_title(f"p = {p:g}", fontsize=11)
            if column == 0:
                axis.set_ylabel("every row a PSU" if sampling == "rows" else sampling, fontsize=11)
            axis.grid(axis="y", color="#e5e5e5", linewidth=0.5)
    for axis in axes[-1]:
        axis.set_xlabel("n, rows of the sample")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.suptitle(f"{label} (SIMULATED; values beyond the axis are drawn at its edge)", fontsize=12)
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _is(case: Case, sampling: str, p: float) -> bool:
    return (case.measure, case.sampling, case.p) == ("share", sampling, p)
