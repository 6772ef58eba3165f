"""The command `sipas compare`: which questions of two waves may be compared, and differences in data files."""

from typing import TYPE_CHECKING, Any

import click

from analysis.commands.cli import find_extract
from analysis.commands.options import (
    CALIBRATION,
    DESIGN,
    FILE,
    JSON,
    OF_A_DESIGN,
    READING,
    REPLICATES,
    RULES,
    STATISTIC,
    is_data,
    options,
    refuse,
)
from analysis.commands.show import print_json
from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from analysis.wave.comparable import Comparison

ADJUST, SIMULTANEOUS = ("holm", "bh", "none"), ("none", "bonferroni", "scheffe", "max_t")
OF_A_FILE = (
    *OF_A_DESIGN,
    *(
        "statistic",
        "variables",
        "denominator",
        "by",
        "missing",
        "level",
        "df",
        "interval",
        "of",
        "q",
        "rule",
        "factors",
    ),
    *("value_words", "item_method", "roll_up", "against", "adjust", "simultaneous", "overlap", "output"),
)
DIFFERENCES = (
    click.option("--against", multiple=True, metavar="LABEL", help="Domain that all others are compared with."),
    click.option("--adjust", type=click.Choice(ADJUST), default="holm", show_default=True, help="Of the p-values."),
    click.option(
        "--simultaneous",
        type=click.Choice(SIMULTANEOUS),
        default="none",
        show_default=True,
        help="Intervals that hold all together, or each by itself.",
    ),
    click.option(
        "--overlap",
        type=click.Choice(("labels", "none")),
        default="labels",
        show_default=True,
        help="Units of two files are the same where their labels are, or never.",
    ),
)


@click.command()
@click.argument("first", metavar="WAVE|EXTRACT|DATA")
@click.argument("second", metavar="[WAVE|EXTRACT|DATA]", required=False)
@click.option("--item", "items", multiple=True, metavar="CODE", help="Ask for this item; refused where it may not be.")
@options(STATISTIC, DIFFERENCES, RULES, DESIGN, REPLICATES, CALIBRATION, READING, JSON)
@click.option("--output", type=FILE, help="Write the table to this .csv, .parquet or .xlsx file.")
def compare(
    first: str, second: str | None, items: tuple[str, ...], as_json: bool, output: str | None, **given: Any
) -> None:
    """Say which items of two waves are comparable and why, or give differences with tests from one data file or two.

    \b
    Example: sipas compare 2026-q3 2026-q4 --item II.A1
    Example: sipas compare answers.csv --variable satisfied --by field --weight w --psu centre_day
    """
    if is_data(first):
        refuse(("items",), "is for two waves, not for data files", "leave it out")
        from analysis.commands.differences import compare_files

        return compare_files(first, second, given, as_json, output)
    refuse(OF_A_FILE, "is for data files of your own", "leave it out, or name a data file")
    if second is None or is_data(second):
        what = "a wave is compared with a second wave"
        raise AnalysisError(Problem(what, second or first, "name two waves or extracts: sipas compare 2026-q3 2026-q4"))
    from analysis.wave.comparable import comparable, require

    found = comparable(find_extract(first).codebook, find_extract(second).codebook)
    require(found, items)
    if as_json:
        print_json(_plain(found))
        return
    for line in _lines(found, items):
        click.echo(line)


def _plain(found: "Comparison") -> dict[str, Any]:
    from analysis.wave.comparable import OTHER_PEOPLE, WHY

    return {
        "waves": list(found.waves),
        "forms": list(found.forms),
        "kinds": list(found.kinds),
        "other_people": OTHER_PEOPLE if found.other_people else False,
        "index": found.index,
        "index_items_apart": list(found.index_items),
        "rules_apart": list(found.rules),
        "items": [
            {
                "code": pair.code,
                "comparable": pair.comparable,
                "same_question": pair.same_question,
                "why": pair.why,
                "words": WHY[pair.why],
                "texts": list(pair.texts),
            }
            for pair in found.pairs
        ],
    }


def _lines(found: "Comparison", items: tuple[str, ...]) -> list[str]:
    from analysis.wave.comparable import OTHER_PEOPLE, WHY

    heads = [f"{wave} ({form}, {kind})" for wave, form, kind in zip(found.waves, found.forms, found.kinds, strict=True)]
    lines = [OTHER_PEOPLE["vi"], OTHER_PEOPLE["en"]] if found.other_people else []
    lines += [" against ".join(heads), f"{len(found.same)} of {len(found.pairs)} items are comparable"]
    if found.other_people:
        alike = sum(pair.same_question for pair in found.pairs)
        lines.append(f"{alike} of {len(found.pairs)} items are the same question, asked of other people")
        lines.append("the index is not comparable: it speaks of other people")
    elif found.index:
        lines.append("the index is comparable: the same items in both waves")
    else:
        lines.append(
            f"the index is not comparable: {len(found.index_items)} of its items are not the same in both waves"
        )
    if found.rules:
        lines.append(f"rules that differ: {', '.join(found.rules)}; compute both waves by one rule")
    chosen = [pair for pair in found.pairs if not items or pair.code in items]
    width = max((len(pair.code) for pair in chosen), default=0)
    for pair in chosen:
        sign = "=" if pair.comparable else "x"
        lines.append(f"{sign} {pair.code.ljust(width)}  {WHY[pair.why]['vi']} / {WHY[pair.why]['en']}")
    return lines
