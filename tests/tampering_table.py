"""What `sipas verify` says to each attack, as a table: python -m tests.tampering_table"""

import tempfile
from pathlib import Path

from survey_app.verification import held_heads, verify
from tests.attacks import ALL_WITNESSES, ATTACKS
from tests.insider import build, copied


def main() -> None:
    found = 0
    rows = [(*row, False) for row in ATTACKS] + [(*row, True) for row in ALL_WITNESSES]
    print("| attack | what verify says first | where | problems |\n|---|---|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        original = build(Path(folder) / "original")
        paper = original.paper["q4"]
        for number, (name, deed, _, with_head) in enumerate(rows):
            insider = copied(original, Path(folder) / str(number))
            deed(insider)
            without = verify(insider.settings)
            held = held_heads([f"q4:{paper.count}:{paper.head}"] if with_head else [], None)
            problems = verify(insider.settings, held=held) if with_head else without
            found += bool(problems)
            label = f"{name}; without --head: {'clean' if not without else 'found'}" if with_head else name
            first = problems[0] if problems else None
            what, where = (first.what, first.where) if first else ("NOTHING", "")
            print(f"| {label} | {what} | {where.replace(str(insider.settings.instance), '.')} | {len(problems)} |")
    print(f"\n{found} of {len(rows)} attacks found and named")


if __name__ == "__main__":
    main()
