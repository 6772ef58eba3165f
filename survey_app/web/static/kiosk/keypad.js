/**
 * The keys on which staff enter the PIN of the centre, and the keyboard beside them. What is typed is never shown.
 *
 * `Keypad`.
 */

const MOST_DIGITS = 12;

export class Keypad {
  /** @param {{pin: import("./pin.js").Pin, onEnd: (fate: "right"|"none") => void}} parts */
  constructor({ pin, onEnd }) {
    Object.assign(this, { pin, onEnd, root: null });
    this.digits = "";
    this.busy = false; // checking, or waiting after wrong tries
    addEventListener("keydown", (event) => this.#typed(event));
  }

  /** On this page, in these words. */
  show(root, words) {
    Object.assign(this, { root, words, digits: "" });
    return this.#wait();
  }

  hide() {
    this.root = null;
    this.digits = "";
  }

  tapped({ digit, do: action }) {
    if (this.busy) return;
    if (digit && this.digits.length < MOST_DIGITS) this.#mark(this.digits + digit);
    else if (action === "erase") this.#mark(this.digits.slice(0, -1));
    else if (action === "enter") this.#enter();
  }

  #typed(event) {
    if (!this.root || event.ctrlKey || event.altKey || event.metaKey) return;
    if (/^[0-9]$/.test(event.key)) this.tapped({ digit: event.key });
    else if (event.key === "Backspace") this.tapped({ do: "erase" });
    else if (event.key === "Enter" && !event.target.closest?.("button")) this.tapped({ do: "enter" });
  }

  #mark(digits) {
    this.digits = digits;
    this.root.querySelector(".typed").textContent = "•".repeat(digits.length);
    this.#say("pin_typed", { count: digits.length });
  }

  #say(key, values) {
    this.root.querySelector(".told").textContent = key ? this.words.say(key, values) : "";
  }

  async #enter() {
    const digits = this.digits;
    this.#mark("");
    this.#close(true);
    this.#say("pin_checking");
    const fate = await this.pin.check(digits).catch(() => "unknown");
    if (fate === "right" || fate === "none") return this.onEnd(fate);
    if (!this.root) return;
    this.#say(fate === "wait" ? "pin_wrong" : `pin_${fate}`);
    return this.#wait();
  }

  /** While there is a wait, the keys do nothing and say so. */
  async #wait() {
    clearTimeout(this.timer);
    const left = await this.pin.waiting();
    if (!this.root) return;
    this.#close(left > 0);
    if (left === 0) return;
    this.#say("pin_wait", { time: this.words.length(Math.ceil(left / 1000) * 1000) });
    this.timer = setTimeout(() => this.#again(), left);
  }

  async #again() {
    if (this.root) this.#say("pin_wrong");
    await this.#wait();
  }

  #close(busy) {
    this.busy = busy;
    for (const key of this.root.querySelectorAll(".key")) key.setAttribute("aria-disabled", String(busy));
  }
}
