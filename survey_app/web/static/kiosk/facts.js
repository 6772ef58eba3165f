/**
 * How the tablet stands, in words: its queue, its contact with the server, its clock, its storage, what it is.
 *
 * `Words` (the sentences of one language), `gather`, `facts`. Numbers and names only: no answer is read to be shown.
 */

const RIGHT_MS = 60_000; // a clock that is off by less is right
const FULL = 0.9;
const ZONE = "Asia/Ho_Chi_Minh";
const PROBLEMS = ["network", "unknown-token", "revoked-token", "too-many-requests", "unavailable", "storage-full", "storage"];
const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];

/** The sentences of one language, numbers and times as it writes them. */
export class Words {
  constructor(language, template) {
    this.language = language;
    this.texts = new Map([...template.content.querySelectorAll("[data-word]")].map((one) => [one.dataset.word, one.textContent]));
  }

  say(key, values = {}) {
    return this.texts.get(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  number(value, options) {
    return new Intl.NumberFormat(this.language, options).format(value);
  }

  time(moment) {
    const shown = { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: ZONE };
    return new Intl.DateTimeFormat(this.language === "en" ? "en-GB" : this.language, shown).format(new Date(moment));
  }

  /** A length of time in its largest unit, or how long ago it was. */
  length(ms) {
    const [unit, count] = inUnits(ms);
    return this.number(count, { style: "unit", unit, unitDisplay: "long" });
  }

  ago(ms) {
    const [unit, count] = inUnits(Math.max(0, ms));
    return new Intl.RelativeTimeFormat(this.language).format(-count, unit);
  }

  bytes(count) {
    const [unit, size] = count < 1e9 ? ["megabyte", 1e6] : ["gigabyte", 1e9];
    return this.number(count / size, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 });
  }

  /** What came between the tablet and the server. */
  problem(kind) {
    return this.say(PROBLEMS.includes(kind) ? `problem_${kind.replaceAll("-", "_")}` : "problem_other", { kind });
  }
}

function inUnits(ms) {
  const [unit, size] = UNITS.find(([, least]) => Math.abs(ms) >= least) ?? UNITS.at(-1);
  return [unit, Math.round(ms / size)];
}

/** Everything to be told, as it is now. What cannot be read is null. */
export async function gather({ storage, sender }) {
  const none = () => null;
  const [counts, device, bundle, kept] = await Promise.all([
    storage.counts().catch(none), storage.device().catch(none), storage.kept("bundle").catch(none), storage.kept("staff").catch(none),
  ]); // prettier-ignore
  const contact = sender.contact;
  const now = storage.clock.wall() + (storage.clock.offset() ?? 0);
  return {
    counts, device, bundle, contact, now,
    lost: await lost(storage, device, contact?.missing ?? []).catch(() => []),
    offset: storage.clock.offset(),
    exported: kept?.exported ?? null,
    persisted: (await navigator.storage?.persisted?.().catch(none)) ?? null,
    space: (await navigator.storage?.estimate?.().catch(none)) ?? null,
  }; // prettier-ignore
}

/** Ranges of numbers that the server lacks and the tablet does not have either. */
async function lost(storage, device, missing) {
  if (!device || missing.length === 0) return [];
  const here = new Set(await storage.numbers(device.id, missing));
  const gone = [];
  for (const [first, last] of missing) {
    for (let number = first; number <= last; number += 1) {
      if (here.has(number)) continue;
      if (gone.at(-1)?.[1] === number - 1) gone.at(-1)[1] = number;
      else gone.push([number, number]);
    }
  }
  return gone;
}

/** The facts of the page by name; null hides one. */
export function facts(words, state, version) {
  const { counts, device, bundle, contact, offset } = state;
  const none = words.say("fact_none");
  const failed = contact && !contact.ok;
  return {
    queue: queue(words, counts),
    refused: counts?.staff ? words.say("queue_refused", { count: words.number(counts.staff) }) : null,
    missing: state.lost.length ? words.say("missing", { ranges: state.lost.map(([a, b]) => (a === b ? a : `${a}–${b}`)).join(", ") }) : null,
    contact: contact?.last ? words.say("contact_last", when(words, contact.last, state.now)) : words.say("contact_never"),
    problem: failed ? `${words.say("contact_failed", { time: words.time(contact.at) })} ${words.problem(contact.problem)}` : null,
    clock: clock(words, offset),
    persisted: words.say(state.persisted === null ? "persist_unknown" : state.persisted ? "persisted" : "not_persisted"),
    space: space(words, state.space),
    exported: state.exported ? words.say("export_before", { time: words.time(state.exported.at), count: words.number(state.exported.count) }) : null,
    here: bundle?.centre.full_name ?? "",
    centre: device?.centre ?? none,
    device: device?.id ?? none,
    wave: bundle?.wave ?? none,
    form: bundle?.wave ? `${bundle.questionnaire} ${bundle.version}` : none,
    fetched: bundle?.fetched ? words.time(bundle.fetched) : none,
    version,
  };
}

function queue(words, counts) {
  if (!counts) return words.say("queue_unreadable");
  if (counts.unsent) return words.say("queue_waiting", { count: words.number(counts.unsent) });
  if (counts.staff) return null; // the sentence about them says it all
  return words.say(counts.sent ? "queue_sent" : "queue_empty");
}

function when(words, moment, now) {
  return { time: words.time(moment), ago: words.ago(now - Date.parse(moment)) };
}

function clock(words, offset) {
  if (offset === null) return words.say("clock_unknown");
  if (Math.abs(offset) < RIGHT_MS) return words.say("clock_right");
  return words.say(offset > 0 ? "clock_slow" : "clock_fast", { time: words.length(Math.abs(offset)) });
}

function space(words, estimate) {
  if (!estimate?.quota) return null;
  const { usage = 0, quota } = estimate;
  return words.say(usage / quota > FULL ? "space_short" : "space", { used: words.bytes(usage), quota: words.bytes(quota) });
}

/** The rows of the table: a name, and how many wait, were sent, need the province. */
export function rows(words, counts) {
  return (counts?.devices ?? []).map(({ id, current, standing, unsent, sent, staff }) => {
    const known = standing === "ok" ? (current ? "device_now" : "device_earlier") : `device_${standing}`;
    return [words.say(known, { id }), ...[unsent, sent, staff].map((count) => words.number(count))];
  });
}
