"""What must hold for a form that asks each citizen a part: `check_parts`.

An item's chance of being asked must be known and the same for everybody whom its routing leads there. So whole factors
are drawn, and nothing outside a factor may hang on an answer inside it.
"""

from survey_app.questionnaire.model import Parts, Questionnaire
from survey_app.questionnaire.table import Problems
from survey_app.response import MAX_CHOICES


def check_parts(form: Questionnaire, parts: Parts, problems: Problems) -> None:
    """Note every broken rule of `[parts]`."""
    if form.index is None:
        problems.add("parts of a form without an index", "parts", "add [index] with factors, or remove [parts]")
        return
    known = {factor.code: factor.items for factor in form.index.factors}
    for code in dict.fromkeys(parts.factors):
        if code not in known:
            problems.add(f"parts name the unknown factor {code!r}", "parts.factors", "name one of: " + ", ".join(known))
    if len(set(parts.factors)) < len(parts.factors):
        problems.add("parts name a factor twice", "parts.factors", "name each factor once")
    elif not 1 <= parts.draw < len(parts.factors):
        most = len(parts.factors) - 1
        remedy = f"write a number from 1 to {most}" if most > 0 else "name two factors or more, and draw fewer than all"
        problems.add(f"{parts.draw} of {len(parts.factors)} factors cannot be drawn", "parts.draw", remedy)
    elif parts.of > MAX_CHOICES:
        what = f"{parts.draw} of {len(parts.factors)} factors make more than {MAX_CHOICES} parts"
        problems.add(what, "parts.draw", "draw fewer, or name fewer factors")
    drawn = {code: factor for factor in parts.factors for code in known.get(factor, ())}
    for role, code in form.roles.items():
        if code in drawn:
            what = f"the item {code!r} has the role {role}, and is not asked of everybody"
            problems.add(what, "parts.factors", f"leave out the factor {drawn[code]!r}: who has a role is always asked")
    for item in form.items:
        for condition in item.conditions:
            factor = drawn.get(condition.item)
            if factor is not None and drawn.get(item.code) != factor:
                what = f"the routing of {item.code!r} hangs on {condition.item!r}, which is not asked of everybody"
                problems.add(what, "parts.factors", f"leave out the factor {factor!r}, or change the routing")
