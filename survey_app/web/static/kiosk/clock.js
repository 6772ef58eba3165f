/**
 * The tablet's clock, which may be wrong, be set back, or jump in the middle of an interview.
 *
 * The server corrects the time of a response by how far the clock is off when it is sent. That is right only if the
 * clock has not been changed since. So the clock's life is told in eras: a new one begins with every jump, every
 * response remembers the era it was given in, and a sending says what time it is *in the era of its responses*.
 *
 * `Clock`. Its state is plain data, which storage keeps.
 */

const JUMP_MS = 2000; // what a clock is off by after this much is no drift
const SAME_MS = 5000; // two eras that are off by the same are one clock: the tablet only slept
const PUT_RIGHT_MS = 30_000; // a known clock that is suddenly off by something else was set while nobody looked
const ERAS_KEPT = 50;

/** @typedef {{id: number, offset: number|null, link: number|null}} Era offset: server − clock; link: jump to the next */

export class Clock {
  /** @param {{eras: Era[], last: number}|undefined} state as kept, of an earlier page */
  constructor(state, { wall = () => Date.now(), steady = () => performance.now() } = {}) {
    this.wall = wall;
    this.steady = steady;
    this.eras = state?.eras?.length ? state.eras : [{ id: 1, offset: null, link: null }];
    this.base = wall() - steady();
    this.last = wall();
    if (state && this.last < state.last - JUMP_MS) this.#begin(null); // set back while the page was closed
  }

  get state() {
    return { eras: this.eras, last: this.last };
  }

  get #current() {
    return this.eras[this.eras.length - 1];
  }

  /** Notices a jump since the last look; returns the era of now. */
  tick() {
    const wall = this.wall();
    const drift = wall - this.steady() - this.base;
    if (Math.abs(drift) > JUMP_MS) {
      // Back by so much: the clock was set. Forward may as well be sleep, in which the steady clock stands still.
      this.#begin(drift < 0 ? drift : null);
      this.base += drift;
    }
    this.last = wall;
    return this.#current.id;
  }

  /** What the server's clock said, between these two moments of ours. */
  contact(server, before, after) {
    this.tick();
    const offset = Math.round(server - (before + after) / 2);
    const known = this.#current.offset;
    if (known !== null && Math.abs(known - offset) > PUT_RIGHT_MS) this.#begin(null);
    this.#current.offset = offset;
    const earlier = this.eras[this.eras.length - 2];
    if (earlier?.offset !== undefined && earlier.offset === null && earlier.link === null) {
      earlier.offset = this.#current.offset; // nothing else is known of it: it slept
    }
  }

  /** How far the clock of an era is behind the server's, in ms; null when nobody knows. */
  offset(id = this.#current.id) {
    const place = this.eras.findIndex((era) => era.id === id);
    if (place < 0) return this.#current.offset;
    const era = this.eras[place];
    if (era.offset !== null || place === this.eras.length - 1) return era.offset;
    const later = this.offset(this.eras[place + 1].id);
    return later === null ? null : later + (era.link ?? 0);
  }

  /** Whether a response of that era can only be dated once the server has been heard. */
  needsContact(id) {
    return id !== this.#current.id && this.#current.offset === null && this.eras.some((era) => era.id === id);
  }

  /** The present moment as the clock of that era would show it, in ms. */
  now(id = this.#current.id) {
    const [then, present] = [this.offset(id), this.#current.offset];
    const change = then === null || present === null ? 0 : present - then;
    return this.wall() + (Math.abs(change) > SAME_MS ? change : 0);
  }

  #begin(link) {
    this.#current.link = link;
    this.eras = [...this.eras, { id: this.#current.id + 1, offset: null, link: null }].slice(-ERAS_KEPT);
  }
}

/** RFC 3339 in UTC, as devices send it. */
export function stamp(ms) {
  return new Date(ms).toISOString();
}
