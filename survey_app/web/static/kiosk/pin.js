/**
 * The PIN of the staff page: by the server while it answers, by the salted hash in the bundle while it does not.
 *
 * `Pin`. Each wrong try in a row makes the next one wait longer, a minute at most; the count lies in storage, so that a
 * reload is no way round, and nobody is ever locked out. What was typed is passed on and kept nowhere.
 */

const FORM = /^[0-9]{6,12}$/;
const SHORT_TRIES = 3; // cost a second each
const MOST_WAIT_MS = 60_000;
const ANSWER_MS = 4_000;

export class Pin {
  /**
   * @param {{storage: import("./storage.js").Storage, known: {salt: string, iterations: number, hash: string}|null}} parts
   *   `known`: what the bundle says
   */
  constructor({ storage, known, request = (...all) => fetch(...all) }) {
    Object.assign(this, { storage, known, request });
    this.tries = null; // of this page, should storage not take the count
  }

  /** How long to wait before the next try, in ms. */
  async waiting() {
    const { wrong, until } = await this.#tries();
    const left = until - this.storage.clock.wall();
    if (left <= MOST_WAIT_MS) return Math.max(0, left);
    await this.#count(wrong, waitAfter(wrong)); // the clock was set back meanwhile
    return waitAfter(wrong);
  }

  /** @returns {Promise<"right"|"wrong"|"none"|"short"|"wait"|"unknown">} none: the centre has no PIN any more */
  async check(digits) {
    if (!FORM.test(digits)) return "short";
    if ((await this.waiting()) > 0) return "wait";
    const before = await this.#tries();
    await this.#count(before.wrong + 1, waitAfter(before.wrong + 1)); // counted first: whoever reloads has tried
    const fate = (await this.#asked(digits)) ?? (await this.#compared(digits));
    if (fate === "right" || fate === "none") await this.#count(0, 0);
    else if (fate === "wrong") await this.#count(before.wrong + 1, waitAfter(before.wrong + 1));
    else await this.#count(before.wrong, typeof fate === "number" ? fate : 0);
    return typeof fate === "number" ? "wait" : fate;
  }

  /** The server's word; how long it wants us to wait, in ms; null when it does not know us or does not answer soon. */
  async #asked(digits) {
    try {
      const { token } = await this.storage.device();
      const answer = await this.request("/api/v1/pin", {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify({ pin: digits }),
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (answer.status === 429) return Math.min(MOST_WAIT_MS, 1000 * (Number(answer.headers.get("Retry-After")) || 1));
      const { fate } = answer.ok ? await answer.json() : {};
      return ["right", "wrong", "none"].includes(fate) ? fate : null;
    } catch {
      return null;
    }
  }

  async #compared(digits) {
    if (!this.known) return "unknown";
    const { salt, iterations, hash } = this.known;
    const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(digits), "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations };
    return hex(await crypto.subtle.deriveBits(how, key, 256)) === hash ? "right" : "wrong";
  }

  async #tries() {
    const kept = this.tries ?? (await this.storage.kept("staff").catch(() => null));
    return { wrong: kept?.wrong ?? 0, until: kept?.until ?? 0 };
  }

  async #count(wrong, wait) {
    const tries = { wrong, until: wait ? this.storage.clock.wall() + wait : 0 };
    try {
      await this.storage.keep("staff", { ...(await this.storage.kept("staff")), ...tries });
      this.tries = null;
    } catch {
      this.tries = tries;
    }
  }
}

/** As the server has it. */
function waitAfter(wrong) {
  return wrong === 0 ? 0 : Math.min(MOST_WAIT_MS, 1000 * 2 ** Math.max(0, wrong - SHORT_TRIES));
}

function bytes(hexadecimal) {
  return new Uint8Array(hexadecimal.match(/../g).map((pair) => parseInt(pair, 16)));
}

/** Lower-case hexadecimal of a buffer. */
export function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
