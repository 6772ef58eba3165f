/**
 * A screen that nobody touches goes back to the start, so that nobody reads what another answered.
 *
 * `Idle`. In the last seconds it counts down in sight; any touch, key or switch goes on. A tablet that slept with
 * somebody's answers on it ends the visit when it wakes.
 */

const WARN_SECONDS = 20;
const STEP_MS = 250;
const SIGNS = ["pointerdown", "keydown", "input", "wheel", "scroll", "heard"];

export class Idle {
  /**
   * @param {{seconds: number, onEnd: () => void, dialog?: HTMLDialogElement, steady?: () => number}} parts `dialog`
   *   counts down and is shown for the last seconds; without one the end comes quietly.
   */
  constructor({ seconds, onEnd, dialog = null, steady = () => performance.now() }) {
    Object.assign(this, { onEnd, dialog, steady });
    this.warn = Math.min(WARN_SECONDS, seconds / 2) * 1000;
    this.listening = new AbortController();
    const signal = this.listening.signal;
    for (const sign of SIGNS) addEventListener(sign, (event) => this.#sign(event), { signal, capture: true, passive: false });
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });
    if (dialog) this.#prepare(dialog, signal);
    this.setPatience(seconds);
    this.timer = setInterval(() => this.#step(), STEP_MS);
  }

  /** After how many seconds without a touch the visit ends, counted from now. */
  setPatience(seconds) {
    this.patience = seconds * 1000;
    this.touch();
  }

  /** Somebody is there. */
  touch() {
    this.deadline = this.steady() + this.patience;
    if (!this.dialog?.open) return;
    this.dialog.close();
    this.dialog.remove();
  }

  stop() {
    clearInterval(this.timer);
    this.listening.abort();
    this.dialog?.remove();
    this.dialog = null;
  }

  /** While the countdown is shown, a key or tap only says "still here": it does nothing else. */
  #sign(event) {
    if (!this.dialog?.open) {
      this.touch();
    } else if (event.type === "keydown") {
      event.preventDefault();
      event.stopPropagation();
      this.touch();
    }
  }

  #prepare(dialog, signal) {
    dialog.addEventListener("click", () => this.touch(), { signal }); // its backdrop is part of it
    dialog.addEventListener("cancel", () => this.touch(), { signal });
  }

  #looked() {
    if (document.visibilityState === "hidden") this.hidden = Date.now();
    else if (this.hidden && Date.now() - this.hidden > this.deadline - this.steady()) this.deadline = 0;
    this.#step();
  }

  #step() {
    const left = this.deadline - this.steady();
    if (left <= 0) {
      this.stop();
      this.onEnd();
    } else if (left <= this.warn && this.dialog) {
      const seconds = Math.ceil(left / 1000);
      this.dialog.querySelector(".seconds").textContent = seconds;
      if (!this.dialog.open) this.#show(seconds);
    }
  }

  #show(seconds) {
    const note = this.dialog.querySelector("[data-text]");
    note.textContent = note.dataset.text.replace("{seconds}", seconds);
    document.body.append(this.dialog);
    this.dialog.showModal();
  }
}
