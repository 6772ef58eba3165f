/**
 * One citizen at the tablet, from the first question to the thanks. `Survey`.
 *
 * Only "Continue" moves on. The response is on disk before anybody is thanked. The browser's back button is one screen
 * back; whatever ends the visit wipes it from memory, page and history.
 */

import { ReadAloud } from "./audio.js";
import { sendDirect, withoutNumber } from "./direct.js";
import { Idle } from "./idle.js";
import { Pages, drawScreen, readAnswers, showAt } from "./screen.js";

const WRITING_TIME = 3;
const MORE_TIME = 10; // who asks for more time gets ten times as much (WCAG 2.2.1)
const THANKS_SECONDS = 20;
const TWICE_MS = 1000;
const TWICE_PX = 60;

export class Survey {
  /** @param kiosk what main.js begins with  @param {import("./visit.js").Visit} visit */
  constructor(kiosk, visit, root, pages = new Pages(kiosk.bundle), tap = null) {
    Object.assign(this, { kiosk, visit, root, pages, tap });
    this.changed = { at: 0, by: null };
    this.twice = false;
    this.aloud = new ReadAloud(pages, visit);
    this.errors = {};
    this.busy = false;
    this.trouble = null;
    this.listening = new AbortController();
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  /** Show the first screen; resolves with the address to go to when the visit is over and forgotten. */
  run() {
    const { signal } = this.listening;
    this.root.addEventListener("click", (event) => this.#tapped(event), { signal, capture: true });
    this.root.addEventListener("submit", (event) => this.#submitted(event), { signal });
    this.root.addEventListener("click", (event) => this.#clicked(event), { signal });
    history.pushState({ visit: true }, "");
    addEventListener("popstate", () => this.#back(), { signal });
    this.#show();
    return this.ended;
  }

  // ---- what is shown

  #show({ focus = null } = {}) {
    const { page, title, wanting } = drawScreen(this.pages, this.visit, this.errors);
    this.#put(page, title, "screen");
    const heading = page.querySelector("h1");
    heading.setAttribute("aria-describedby", "progress");
    (wanting ? page.querySelector("#errors") : (focus && page.querySelector(focus)) || heading).focus({ preventScroll: true });
    this.#attend();
  }

  /** A page in place of the one before; the focus goes to its heading. */
  #put(page, title, at) {
    this.at = at;
    this.changed = { at: performance.now(), by: this.tap };
    document.title = title;
    document.documentElement.lang = this.visit.language;
    document.documentElement.className = `size-${this.visit.size}`;
    this.root.replaceChildren(page);
    this.aloud.offer(page);
    const heading = page.querySelector("h1");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  #frame(name) {
    const page = this.pages.frame(this.visit.language, name);
    showAt(page, this.visit);
    this.#put(page, page.querySelector("h1").textContent, name);
    this.#attend();
  }

  /** Wait for as long as this page calls for; the countdown is in the citizen's language. */
  #attend() {
    this.idle?.stop();
    const writing = this.root.querySelector("textarea, input.number") !== null;
    const times = this.visit.slow || this.at === "not-sent" ? MORE_TIME : writing ? WRITING_TIME : 1;
    this.idle = new Idle({
      seconds: this.kiosk.bundle.settings.idle_seconds * times,
      dialog: this.pages.frame(this.visit.language, "still-there"),
      onEnd: () => this.#giveUp(),
    });
  }

  // ---- what is tapped

  /** Many tap twice. The second tap falls on what the first one brought: it chooses no answer there, and ends nothing. */
  #tapped(event) {
    const { at, by } = this.changed;
    const near = by && Math.hypot(event.clientX - by.x, event.clientY - by.y) < TWICE_PX;
    this.twice = event.detail > 0 && near && performance.now() - at < TWICE_MS;
    if (event.detail > 0) this.tap = { x: event.clientX, y: event.clientY };
    if (this.twice && event.target.closest(".answer, a.forward")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #submitted(event) {
    event.preventDefault();
    if (this.busy) return;
    const [action, value] = (event.submitter?.value ?? "enter").split(".");
    if (this.at === "screen") {
      readAnswers(event.target, this.visit);
      this.visit.timed();
    }
    this.#do(action, value);
  }

  #do(action, value) {
    const last = this.at === "screen" && this.visit.place().last;
    if (action === "send" || (action === "enter" && last)) return this.#send();
    if (action === "next" || action === "enter") return this.#next();
    if (action === "back") return this.#backOne();
    if (action === "leave") return this.#giveUp();
    if (action === "stop") return this.#frame("stop");
    if (action === "stay") return this.#stay();
    return this.#adjust(action, value);
  }

  #clicked(event) {
    const link = event.target.closest("a.forward, .summary a");
    if (!link) return;
    event.preventDefault();
    if (link.matches(".summary a")) document.getElementById(link.hash.slice(1))?.focus();
    else this.#over();
  }

  /** The browser's back button: one screen back, as if "Back" had been tapped. */
  #back() {
    this.twice = false;
    if (this.at === "thanks") return this.#over(false);
    history.pushState({ visit: true }, "");
    if (this.busy) return undefined;
    if (this.at !== "screen") return this.#stay();
    readAnswers(this.root.querySelector("form"), this.visit);
    this.visit.timed();
    return this.#backOne();
  }

  #next() {
    const { form, answers, screen } = this.visit;
    const complaints = form.complaints(answers);
    const here = form.askedOn(form.screen(screen), answers).filter((code) => code in complaints);
    if (here.length && this.twice) return undefined;
    if (here.length) return this.#complain(Object.fromEntries(here.map((code) => [code, complaints[code]])), screen);
    return this.#goTo(form.neighbour(answers, screen, 1)?.id ?? screen);
  }

  #backOne() {
    const { form, answers, screen } = this.visit;
    const before = form.neighbour(answers, screen, -1);
    if (!before && this.twice) return undefined;
    if (!before && Object.keys(answers).length > 0) return this.#frame("stop"); // asked first: something would be lost
    if (!before) return this.#over(); // nothing was begun: no record
    this.visit.count("backs");
    return this.#goTo(before.id);
  }

  #goTo(id) {
    this.errors = {};
    this.visit.show(id);
    this.#show();
  }

  #complain(errors, screen) {
    this.visit.count("unanswered");
    this.errors = errors;
    this.visit.show(screen);
    this.#show();
  }

  #stay() {
    this.visit.direct = null; // answers may change now
    this.#goTo(this.visit.screen);
  }

  /** Another language, text size or patience: the same screen, and the focus where it was. */
  #adjust(action, value) {
    if (action === "language") {
      this.visit.count("language_changes");
      this.visit.language = value;
    }
    if (action === "size") this.visit.size = Number(value);
    if (action === "slow") this.visit.slow = value === "1";
    this.#show({ focus: action === "size" ? `[value='size.${value}']` : `[value^='${action}.']` });
  }

  // ---- how it ends

  async #send() {
    const { form, answers } = this.visit;
    const complaints = form.complaints(answers);
    const lacking = form.screenWith(Object.keys(complaints));
    if (lacking) return this.#complain(complaints, lacking.id);
    this.#saving();
    const stored = await this.#commit(this.visit.complete());
    this.busy = false;
    return stored ? this.#thank() : this.#frame("not-sent");
  }

  /** Shown at once, so that nobody taps twice; a screen reader hears it. */
  #saving() {
    this.busy = true;
    this.idle.stop();
    const button = this.root.querySelector("button.forward");
    const frame = this.at === "screen" ? "last" : "not-sent";
    button.textContent = this.pages.template(this.visit.language, frame).dataset.saving;
    button.setAttribute("aria-live", "polite");
    this.root.querySelector("form").setAttribute("aria-busy", "true");
    for (const other of this.root.querySelectorAll("button")) other.setAttribute("aria-disabled", "true");
  }

  /** Whether it is safe now: on this tablet's disk, or else at the server. */
  async #commit(draft) {
    const { storage, sender } = this.kiosk;
    if (!this.trouble) {
      try {
        await storage.commit(draft);
        sender.wake();
        return true;
      } catch (error) {
        this.trouble = error.where ?? "write";
      }
    }
    try {
      this.visit.uuid ??= crypto.randomUUID();
      this.visit.direct ??= withoutNumber(draft, this.visit.uuid, storage.clock);
      await sendDirect(this.kiosk, this.visit.direct);
      return true;
    } catch (error) {
      console.warn("the response could not be stored:", error.message);
      return false;
    }
  }

  #thank() {
    this.visit.wipe();
    this.idle?.stop();
    const page = this.pages.frame(this.visit.language, "thanks");
    this.#put(page, page.querySelector("h1").textContent, "thanks");
    this.idle = new Idle({ seconds: THANKS_SECONDS, onEnd: () => this.#over() });
  }

  /** The citizen stopped or walked away: noted how far, without the answers. */
  async #giveUp() {
    const draft = this.visit.brokenOff();
    this.busy = true;
    this.#forget();
    await this.#commit(draft);
    this.#leave();
  }

  #over(onGuard = true) {
    this.#forget();
    this.#leave(onGuard);
  }

  /** Nothing of the citizen stays in memory or on the page, even if the browser keeps the page to come back to. */
  #forget() {
    this.listening.abort();
    this.idle?.stop();
    this.aloud.stop();
    this.visit.wipe();
    this.root.replaceChildren();
    document.title = "SIPAS";
  }

  /** Back over the entry that caught the back button, so that history never grows. */
  #leave(onGuard = true) {
    const address = this.trouble ? `/?trouble=${this.trouble}` : "/";
    if (!onGuard || !history.state?.visit) return this.end(address);
    addEventListener("popstate", () => this.end(address), { once: true });
    return history.back();
  }
}
