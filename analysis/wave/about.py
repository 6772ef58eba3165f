"""What tables and weights rest on, as plain data for the JSON files beside them.

Public: about (scores.about.json), weights_json (weights.json), rows_json.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from analysis.wave.extract import Extract
from analysis.wave.quality import visits_json
from analysis.wave.register import POPULATION_TEXT
from analysis.wave.rules import NOT_RAKED, SIMULATED, notice
from analysis.wave.sample import SampleWeighting
from analysis.wave.wave_result import AnyResult, SampleResult, Score, WaveResult
from analysis.wave.weights import Weighting

CONFIDENTIAL = {"vi": "Dữ liệu chi tiết, không công bố.", "en": "Microdata: not for publication."}
RESIDENTS = {"vi": "người dân từ 18 tuổi trở lên", "en": "residents aged 18 and over"}
PARTS = "each item by its own weights, over the chance of being asked it; the index is made of the items and covaries as they do"
INTERVALS = {
    "index, factors": "logit of the value with delta standard error",
    "shares": "Korn-Graubard with n_eff capped at n",
    "SE = 0": "Clopper-Pearson with n_eff = min(n, n_eff_kish)",
    "adjustment": "none: each interval stands for its own row (từng lĩnh vực); verdicts are Holm-adjusted",
}


def about(result: AnyResult) -> dict[str, Any]:
    """What scores.csv rests on, for which its columns have no room."""
    manifest = result.extract.manifest
    head: dict[str, Any] = {
        "wave": manifest.wave,
        "notice": notice(result.extract.codebook.wave.kind),
        "simulated": SIMULATED if manifest.simulated else False,
        "rules": _rules(result),
        "first_rule": rows_json(result.first_rule),
    }
    if isinstance(result, SampleResult):
        head |= {"tables": {"scores.csv": RESIDENTS}, "unit": "a resident aged 18 or over"}
        head |= {"not_raked": False if result.weighting.margins else NOT_RAKED}
        head |= {"references": [asdict(one) for one in result.extract.codebook.references]}
    else:
        head |= {
            "tables": {
                "scores.csv": POPULATION_TEXT["received"],
                "scores_filed.csv": POPULATION_TEXT["filed"],
                "scores_asked.csv": {"vi": "người đến hỏi, không gia quyền", "en": "those who asked, unweighted"},
            },
            "unit": "a dossier, never a person",
        }
    not_covered = "differences between this report and another may reveal what each hides"
    return head | {"provenance": result.weighting.provenance, "not_covered": not_covered}


def _rules(result: AnyResult) -> dict[str, Any]:
    rules, index = result.rules, result.extract.codebook.index
    one_area = len(index.areas) == 1 and rules.roll_up == "area_mean"
    parts = result.extract.codebook.parts
    common: dict[str, Any] = {
        "item_method": rules.item_method,
        "roll_up": rules.roll_up,
        "roll_up_note": "one area only: area_mean equals pooled" if one_area else "",
    }
    if parts:
        common["parts"] = asdict(parts) | {"rule": PARTS}
    design = "stratum and PSU of the frame, ultimate cluster, no fpc"
    own: dict[str, Any] = {}
    if isinstance(result, SampleResult):
        own["weighting"] = result.weighting.method
    else:
        own = {"weighting": rules.method, "minimum": rules.minimum}
        design = "stratum = centre, PSU = centre x local day"
    common |= own | {
        "reference_line": rules.reference_line,
        "level": rules.level,
        "interval": INTERVALS,
        "df": f"PSUs - strata with a row in the domain; {design}",
        "population": rules.population,
    }
    common |= {"online_included": rules.online_included} if isinstance(result, WaveResult) else {}
    return common | {"changed_since_opening": list(rules.changed)}


def weights_json(weighting: Weighting | SampleWeighting, extract: Extract) -> dict[str, Any]:
    head: dict[str, Any] = {
        "notice": notice(extract.codebook.wave.kind),
        "simulated": SIMULATED if extract.manifest.simulated else False,
        "confidential": CONFIDENTIAL,
    }
    return head | (_of_sample(weighting) if isinstance(weighting, SampleWeighting) else _of_counter(weighting))


def _of_counter(weighting: Weighting) -> dict[str, Any]:
    return {
        "population": POPULATION_TEXT[weighting.population],
        "online_included": weighting.online_included,
        "provenance": weighting.provenance,
        "diagnostics": asdict(weighting.diagnostics),
        "joinings": [asdict(joining) for joining in weighting.joinings],
        "strata_joined": [list(centres) for centres in weighting.counter.joined],
        "dossiers": weighting.dossiers,
        "unrepresented": weighting.unrepresented,
        "unregistered": weighting.unregistered,
    }


def _of_sample(weighting: SampleWeighting) -> dict[str, Any]:
    return {
        "population": RESIDENTS,
        "provenance": weighting.provenance,
        "not_raked": False if weighting.margins else NOT_RAKED,
        "diagnostics": asdict(weighting.diagnostics),
        "visits": visits_json(weighting),
        "weights_given": [{"from": one.unit.psu, "to": one.given_to} for one in weighting.given],
        "more_than_drawn": [
            {"psu": one.unit.psu, "households": one.unit.households, "completed": one.unit.completed}
            for one in weighting.beyond
        ],
        "strata_joined": [list(strata) for strata in weighting.strata_joined],
        "margins": [asdict(one) for one in weighting.met],
        "strained": [f"{one.margin} {one.code}" for one in weighting.strained],
        "margins_scaled": dict(weighting.margins.scaled) if weighting.margins else {},
    }


def rows_json(rows: Sequence[Score]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
