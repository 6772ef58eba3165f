"""The command `sipas compare`: which questions of two waves may be compared."""

from typing import TYPE_CHECKING, Any

import click

from analysis.cli import find_extract
from analysis.cli_show import print_json

if TYPE_CHECKING:
    from analysis.comparable import Comparison


@click.command()
@click.argument("first", metavar="WAVE|EXTRACT")
@click.argument("second", metavar="WAVE|EXTRACT")
@click.option("--item", "items", multiple=True, metavar="CODE", help="Ask for this item; refused where it may not be.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def compare(first: str, second: str, items: tuple[str, ...], as_json: bool) -> None:
    """Say which items of two waves' forms are comparable, which are not and why, and whether the index is.

    Example: sipas compare 2026-q3 2026-q4 --item II.A1
    """
    from analysis.comparable import comparable, require

    found = comparable(find_extract(first).codebook, find_extract(second).codebook)
    require(found, items)
    if as_json:
        print_json(_plain(found))
        return
    for line in _lines(found, items):
        click.echo(line)


def _plain(found: "Comparison") -> dict[str, Any]:
    from analysis.comparable import OTHER_PEOPLE, WHY

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
    from analysis.comparable import OTHER_PEOPLE, WHY

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
