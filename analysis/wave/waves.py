"""One door for both kinds of wave: what the options of a command mean for a counter wave and for a sample wave.

Public: Given, weigh, score, say_weights, left_aside.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError, Problem
from analysis.wave.extract import Extract
from analysis.wave.margins import Margins, read_margins
from analysis.wave.register import Register, read_register_file
from analysis.wave.rules import NOT_RAKED, ScoreOptions
from analysis.wave.sample import SampleWeighting, weight_sample
from analysis.wave.sample_scores import score_sample
from analysis.wave.scores import score_wave, used_rules
from analysis.wave.wave_result import AnyResult
from analysis.wave.weights import Weighting, weight_to_register


@dataclass(frozen=True)
class Given:
    """Options as they stand on the command line; None or False: not given."""

    cells: bool = False
    register: str | None = None
    minimum: int | None = None
    margins: str | None = None
    item_method: Any = None
    roll_up: Any = None

    @property
    def scoring(self) -> ScoreOptions:
        return ScoreOptions(self.item_method, self.roll_up, "cells" if self.cells else None, self.minimum)


def weigh(extract: Extract, given: Given) -> Weighting | SampleWeighting:
    """Weights of a wave of either kind."""
    if _is_sample(extract, given):
        return weight_sample(extract, _margins(extract, given))
    rules = used_rules(extract, given.scoring)
    return weight_to_register(extract, rules.method, given.minimum, register=_register(extract, given))


def score(extract: Extract, given: Given) -> AnyResult:
    """Every published row of a wave of either kind."""
    if _is_sample(extract, given):
        return score_sample(extract, given.scoring, margins=_margins(extract, given))
    return score_wave(extract, given.scoring, register=_register(extract, given))


def _is_sample(extract: Extract, given: Given) -> bool:
    """The kind of the wave; an option of the other kind is an error, never passed over."""
    sample = extract.codebook.wave.kind == "sample"
    if sample:
        options = {"--cells": given.cells, "--register": given.register, "--minimum": given.minimum}
        what = "is for counter waves; a sample wave is weighted by its frame and raked to margins of residents"
        remedy = "leave it out; give --margins FILE"
    else:
        options = {"--margins": given.margins}
        what = (
            "is for sample waves: a counter wave stands for dossiers, and population margins of residents are refused"
        )
        remedy = "leave it out; a counter wave is weighted to its register (--register FILE)"
    if wrong := [option for option, value in options.items() if value]:
        where = f"wave {extract.wave}"
        raise AnalysisError(Problem(f"{option} {what}", where, remedy) for option in wrong)
    return sample


def _margins(extract: Extract, given: Given) -> Margins | None:
    return read_margins(Path(given.margins), extract.codebook) if given.margins else None


def _register(extract: Extract, given: Given) -> Register | None:
    return read_register_file(Path(given.register), extract.codebook) if given.register else None


def say_weights(weighting: Weighting | SampleWeighting) -> list[str]:
    """Weights in a few lines, for a terminal."""
    found = weighting.diagnostics
    kish = f"deff_kish {found.deff_kish:.3f}, n_eff_kish {found.n_eff_kish:.0f}"
    spread = f"{kish}, weights {found.smallest:.3f} to {found.largest:.3f}"
    if isinstance(weighting, SampleWeighting):
        sample = weighting.diagnostics
        rate = f"{sample.response_rate:.1%} of {sample.drawn} households drawn"
        lines = [] if weighting.margins else [NOT_RAKED["vi"], f"{NOT_RAKED['en']} Give --margins FILE."]
        lines += [f"{found.responses} interviews ({rate}; {weighting.method}); {spread}"]
        lines += left_aside(weighting)
        lines += [f"one unit only, joined for the variance: {' + '.join(strata)}" for strata in weighting.strata_joined]
        scaled = weighting.margins.scaled if weighting.margins else {}
        lines += [
            f"raking changed weights of {one.margin} {one.code} by {one.lowest:.3g} to {one.highest:.3g} times the mean "
            "change: look at its total and at who did not answer"
            for one in weighting.strained
        ]
        return lines + [f"margin {name} was scaled by {factor:.6f} to the first" for name, factor in scaled.items()]
    joinings = len(weighting.joinings)
    classes = f"{weighting.diagnostics.classes} classes"
    how = f"{weighting.method}, {joinings} joining{'' if joinings == 1 else 's'}"
    stand_for = f"{weighting.diagnostics.dossiers} dossiers"
    return [f"{found.responses} responses stand for {stand_for} in {classes} ({how}); {spread}", *left_aside(weighting)]


def left_aside(weighting: Weighting | SampleWeighting) -> list[str]:
    """What of the register or the frame nobody stands for as it was meant, and who stands for nothing of it."""
    if isinstance(weighting, SampleWeighting):
        return _beside_the_frame(weighting)
    lines = (
        (weighting.unrepresented, "dossiers of fields without a response, not represented"),
        (weighting.unregistered, "responses of fields without dossiers in the register, left out"),
    )
    return [
        f"{words}: {', '.join(f'{code} {count}' for code, count in fields.items())}"
        for fields, words in lines
        if fields
    ]


def _beside_the_frame(weighting: SampleWeighting) -> list[str]:
    missed = weighting.diagnostics.not_visited
    lines = [f"{missed} households drawn without a visit; counted as non-response"] if missed else []
    lines += [
        f"more interviews than households drawn in {one.unit.psu}: {one.unit.completed} for {one.unit.households}; "
        "substitutes, or a household recorded twice"
        for one in weighting.beyond
    ]
    return lines + [
        f"no completed interview in {one.unit.psu}: {one.given_to} stands for it" for one in weighting.given
    ]
