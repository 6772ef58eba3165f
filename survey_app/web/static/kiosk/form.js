/**
 * A questionnaire on the tablet: which questions are asked, where a citizen stands, what an answer lacks.
 *
 * `Form`. The same rules as the server's (survey_app/questionnaire/checking.py and survey_app/web/screens.py), which has
 * the last word; a test holds the two together. Answers are an object: item code → code, list of codes, text, or (of the
 * question on the service field) the field's own code.
 */

export const DECLINED = -3;
export const NOT_APPLICABLE = -2;

export class Form {
  /** @param bundle of GET /api/v1/kiosk  @param {Set<string>} notDrawn items of the parts not drawn for this citizen */
  constructor({ form, screens, fields }, notDrawn = new Set()) {
    this.items = form.items;
    this.byCode = new Map(form.items.map((item) => [item.code, item]));
    this.screens = screens;
    this.fields = new Set(fields.map((field) => field.code));
    this.fieldItem = form.roles.field ?? null;
    this.notDrawn = notDrawn;
  }

  item(code) {
    return this.byCode.get(code);
  }

  screen(id) {
    return this.screens.find((screen) => screen.id === id);
  }

  /** Whether routing leads to the item. Answers to items not asked themselves, left from before, count for nothing. */
  asked(code, answers) {
    return this.#routed(code, ({ item, codes }) => meets(answers[item], codes) && this.asked(item, answers));
  }

  /** Whether the item is asked, or may be once earlier ones are answered. */
  possible(code, answers) {
    return this.#routed(
      code,
      ({ item, codes }) => this.possible(item, answers) && (answers[item] === undefined || meets(answers[item], codes)),
    );
  }

  /** The items of a screen that the answers so far lead to. */
  askedOn(screen, answers) {
    return screen.items.filter((code) => this.asked(code, answers));
  }

  /** The screens still possible: so the total a citizen sees can only fall on the way. */
  route(answers) {
    return this.screens.filter((screen) => screen.items.some((code) => this.possible(code, answers)));
  }

  /** Screen `number` of `total`, as the citizen counts them. */
  place(answers, id) {
    const route = this.route(answers);
    const number = route.findIndex((screen) => screen.id === id) + 1;
    return { number, total: route.length, last: number === route.length };
  }

  /** The next (step 1) or previous (-1) screen with something to ask; undefined at either end. */
  neighbour(answers, id, step) {
    const at = this.screens.findIndex((screen) => screen.id === id);
    const rest = step > 0 ? this.screens.slice(at + 1) : this.screens.slice(0, at).reverse();
    return rest.find((screen) => this.askedOn(screen, answers).length > 0);
  }

  first() {
    return this.screens.find((screen) => this.askedOn(screen, {}).length > 0);
  }

  last(answers) {
    return this.screens.findLast((screen) => this.askedOn(screen, answers).length > 0);
  }

  /** The first screen that holds one of the items. */
  screenWith(codes) {
    return this.screens.find((screen) => screen.items.some((code) => codes.includes(code)));
  }

  /** The answers without those to questions that later changes on the way have made void. */
  askedOnly(answers) {
    const kept = {};
    for (const { code } of this.items) {
      if (answers[code] !== undefined && this.asked(code, kept)) kept[code] = answers[code];
    }
    return kept;
  }

  /** What is wrong with each answer, by item (`missing`, `bad_value`, `too_long`, …); empty when the form can be sent. */
  complaints(answers) {
    const kept = this.askedOnly(answers);
    const found = {};
    for (const item of this.items) {
      const problem = this.#problem(item, kept, answers);
      if (problem) found[item.code] = problem;
    }
    return found;
  }

  #problem(item, kept, answers) {
    if (item.options_from) return this.#fieldProblem(item, answers[item.code]);
    return this.asked(item.code, kept) ? problemOf(item, kept[item.code]) : null;
  }

  #fieldProblem(item, answer) {
    if (answer === undefined) return "missing";
    if (answer === DECLINED) return item.decline ? null : "missing";
    return this.fields.has(answer) ? null : "unknown_field";
  }

  #routed(code, holds) {
    if (this.notDrawn.has(code)) return false;
    const { ask_if: all, ask_if_any: any } = this.item(code);
    return all.every(holds) && (any.length === 0 || any.some(holds));
  }
}

function meets(answer, codes) {
  return Array.isArray(answer) ? answer.some((code) => codes.includes(code)) : codes.includes(answer);
}

/** What is wrong with the answer to an item that is asked; null when nothing is. */
function problemOf(item, answer) {
  if (answer === undefined) return item.required ? "missing" : null;
  if (answer === DECLINED) return item.decline ? null : "not_declinable";
  if (answer === NOT_APPLICABLE) return item.not_applicable ? null : "not_applicable";
  if (item.kind === "text") return textProblem(item, answer);
  if (item.kind === "choices") {
    const fits = Array.isArray(answer) && answer.length > 0 && answer.every((code) => offers(item, code));
    return fits ? null : "bad_value";
  }
  if (item.kind === "number") {
    return Number.isInteger(answer) && answer >= item.minimum && answer <= item.maximum ? null : "bad_value";
  }
  return offers(item, answer) ? null : "bad_value";
}

function offers(item, code) {
  return item.options.some((option) => option.code === code);
}

function textProblem(item, answer) {
  if (typeof answer !== "string") return "bad_value";
  if (answer.trim() === "") return "empty";
  return [...answer].length > item.max_length ? "too_long" : null;
}
