/**
 * One citizen's visit, in memory only: what they answered, how long it took, which part they got. `Visit`.
 *
 * Nothing of it is written anywhere before it is complete; `wipe` forgets it.
 */

const MAX_COUNT = 999;

export class Visit {
  /**
   * @param {{bundle: object, form: import("./form.js").Form, part: object|null, language: string, spoken?: string|null,
   *   size: number, slow: boolean, mode: string, recruitment: string}} parts `spoken`: a language that is listened to
   */
  constructor({ bundle, form, part, language, spoken = null, size, slow, mode, recruitment, steady = () => performance.now() }) {
    Object.assign(this, { bundle, form, part, language, spoken, size, slow, mode, recruitment, steady });
    this.answers = {};
    this.durations = {};
    this.counts = { backs: 0, language_changes: 0, unanswered: 0 };
    this.plays = 0;
    this.uuid = null; // only of a response that goes past the tablet's storage
    this.started = steady();
    this.screen = form.first().id;
    this.shown = this.started;
  }

  count(name) {
    this.counts[name] = Math.min(MAX_COUNT, this.counts[name] + 1);
  }

  /** A screen is on: the time on it counts from here. */
  show(id) {
    this.screen = id;
    this.shown = this.steady();
  }

  /** The screen goes: its time is added up. */
  timed() {
    const now = this.steady();
    this.durations[this.screen] = (this.durations[this.screen] ?? 0) + Math.round(now - this.shown);
    this.shown = now;
  }

  place() {
    return this.form.place(this.answers, this.screen);
  }

  /** As storage takes it, once every question is answered. */
  complete() {
    const kept = this.form.askedOnly(this.answers);
    const { [this.form.fieldItem]: field, ...answers } = kept;
    return {
      ...this.#envelope("complete"),
      field: typeof field === "string" ? field : null,
      answers,
      durations: this.#durations(kept),
      paradata: {
        ...this.counts,
        text_size: this.size,
        more_time: Number(this.slow),
        ...(this.plays ? { read_aloud: Math.min(MAX_COUNT, this.plays) } : {}),
        ...(this.spoken ? { [`listened_${this.spoken}`]: 1 } : {}),
        ...this.#invitation(),
      },
    };
  }

  /** The record of one who walked away: how far, and no answers. */
  brokenOff() {
    const { number, total } = this.place();
    return {
      ...this.#envelope("broken_off"),
      field: null,
      answers: {},
      durations: {},
      paradata: { screens_done: number - 1, screens_total: total, ...this.#invitation() },
    };
  }

  /** Forget everything the citizen said. */
  wipe() {
    this.answers = {};
    this.durations = {};
    this.counts = {};
    this.uuid = null;
  }

  #envelope(disposition) {
    const { wave, questionnaire, version } = this.bundle;
    const { language, mode, recruitment, part } = this;
    const elapsed_ms = Math.round(this.steady() - this.started);
    return { wave, questionnaire, version, language, psu: null, mode, recruitment, disposition, part, elapsed_ms };
  }

  #invitation() {
    return invitation(this.recruitment, this.bundle.settings.invite_every);
  }

  /** Each screen's time, shared equally by the items answered on it. */
  #durations(answers) {
    const found = {};
    for (const { id, items } of this.form.screens) {
      const answered = items.filter((code) => answers[code] !== undefined && code !== this.form.fieldItem);
      const each = Math.floor((this.durations[id] ?? 0) / answered.length);
      for (const code of answered) if (each) found[code] = each;
    }
    return found;
  }
}

/** The record of one who was invited and did not want to answer. */
export function refusal({ wave, questionnaire, version, settings }, mode) {
  return {
    ...{ wave, questionnaire, version, language: "vi", field: null, psu: null, mode, recruitment: "invited" },
    ...{ disposition: "refused", part: null, answers: {}, elapsed_ms: 0, durations: {} },
    paradata: invitation("invited", settings.invite_every),
  };
}

function invitation(recruitment, every) {
  return recruitment === "invited" ? { invite_every: every } : {};
}
