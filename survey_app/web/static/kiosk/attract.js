/**
 * The start screen: what is asked and why, the languages, text size and patience; and what staff at the counter tap.
 *
 * `startKiosk`. It runs once for each citizen: after every visit the page is loaded anew.
 */

import { offerGreetings } from "./audio.js";
import { Form } from "./form.js";
import { Idle } from "./idle.js";
import { Invitations } from "./invite.js";
import { drawPart, notDrawn } from "./parts.js";
import { Pages, showAt } from "./screen.js";
import { Survey } from "./survey.js";
import { Visit, refusal } from "./visit.js";

const SHOWN_IN = "vi"; // languages that are only listened to are shown in Vietnamese
const PLAIN = { size: 1, slow: false, assisted: false, invited: false };

/** @param kiosk storage, sender, bundle, trouble, between: what main.js begins with. Resolves when the screen is on. */
export async function startKiosk(kiosk) {
  const device = await kiosk.storage.device();
  new Attract({ ...kiosk, device }).show();
}

class Attract {
  constructor(kiosk) {
    this.kiosk = kiosk;
    this.pages = new Pages(kiosk.bundle);
    this.invitations = new Invitations(kiosk.storage, kiosk.bundle.settings.invite_every);
    this.chosen = { ...PLAIN };
    this.root = document.getElementById("app");
    this.root.className = "";
    document.body.append(...this.pages.face(SHOWN_IN));
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.root.addEventListener("submit", (event) => this.#tapped(event), { signal });
    this.root.addEventListener("click", ({ detail, clientX: x, clientY: y }) => (this.tap = detail > 0 ? { x, y } : null), { signal });
    // A page that the browser kept to come back to is not shown again.
    addEventListener("pageshow", (event) => event.persisted && location.replace("/"));
  }

  show() {
    const page = this.pages.frame(SHOWN_IN, "attract");
    const listened = this.#listened();
    page.querySelector(".listened").hidden = listened.length === 0;
    page.querySelector(".listened").append(...listened);
    offerGreetings(page, this.pages, this.kiosk.bundle);
    if (this.kiosk.trouble) page.querySelector("main").prepend(this.pages.frame(SHOWN_IN, "trouble"));
    this.#put(page, this.kiosk.bundle.form.title.vi);
  }

  /** A button for each language that is heard but not written, where the tablet has recordings. */
  #listened() {
    const { audio, pages } = this.kiosk.bundle;
    const heard = Object.keys(audio).filter((language) => !pages[language] && Object.keys(audio[language].files).length > 0);
    return heard.map((language) => {
      const button = this.pages.frame(SHOWN_IN, "listened");
      button.value = `start.${language}`;
      const words = button.querySelector("[data-text]");
      words.textContent = words.dataset.text.replace("{name}", audio[language].called);
      return button;
    });
  }

  #put(page, title) {
    document.title = title;
    document.documentElement.lang = SHOWN_IN;
    this.root.replaceChildren(page);
    this.#mark();
    scrollTo(0, 0);
    this.idle?.stop();
    this.idle = new Idle({ seconds: this.kiosk.bundle.settings.idle_seconds, onEnd: () => this.#reset() });
  }

  /** What was set and then left alone is as it was, for the next citizen. */
  #reset() {
    this.chosen = { ...PLAIN };
    this.show();
  }

  #mark() {
    document.documentElement.className = `size-${this.chosen.size}`;
    showAt(this.root, this.chosen);
    this.root.querySelector("[value='assisted']")?.setAttribute("aria-pressed", String(this.chosen.assisted));
  }

  async #tapped(event) {
    event.preventDefault();
    const [action, value] = (event.submitter?.value ?? "").split(".");
    if (action === "start") return this.#begin(value);
    if (action === "finished") return this.#served();
    if (action === "accepted") return this.#accepted();
    if (action === "declined") return this.#declined();
    if (action === "mistaken") return this.#mistaken();
    if (action === "staff") return this.#staff();
    if (action === "size") this.chosen.size = Number(value);
    if (action === "slow") this.chosen.slow = value === "1";
    if (action === "assisted") this.chosen.assisted = !this.chosen.assisted;
    return this.#mark();
  }

  async #begin(language) {
    const { bundle } = this.kiosk;
    this.listening.abort();
    this.idle.stop();
    this.kiosk.between(false);
    const part = drawPart(bundle.form);
    const shown = bundle.pages[language] ? language : SHOWN_IN;
    const visit = new Visit({
      ...{ bundle, part, form: new Form(bundle, notDrawn(bundle.form, part)) },
      ...{ language: shown, spoken: shown === language ? null : language },
      ...{ size: this.chosen.size, slow: this.chosen.slow, mode: this.#mode },
      recruitment: this.chosen.invited ? "invited" : "walk_up",
    });
    location.replace(await new Survey(this.kiosk, visit, this.root, this.pages, this.tap).run());
  }

  get #mode() {
    return this.chosen.assisted ? "assisted" : "kiosk";
  }

  // ---- staff

  async #staff() {
    this.idle.stop();
    (await import("./staff.js")).openStaff(this.kiosk);
  }

  async #served() {
    if (!(await this.#kept(() => this.invitations.served()))) return this.#tell("counted");
    const page = this.pages.frame(SHOWN_IN, "invite");
    this.#put(page, page.querySelector("h1").textContent);
    const heading = page.querySelector("h1");
    heading.tabIndex = -1;
    return heading.focus();
  }

  #accepted() {
    this.chosen = { ...this.chosen, invited: true };
    this.show();
    this.root.querySelector(".begin").focus();
  }

  async #declined() {
    const { storage, sender, bundle } = this.kiosk;
    await this.#kept(() => storage.commit(refusal(bundle, this.#mode)));
    sender.wake();
    this.show();
    if (!this.kiosk.trouble) this.#tell("declined");
  }

  async #mistaken() {
    await this.#kept(() => this.invitations.takeBack());
    this.show();
  }

  /** Storage that fails is told to the staff, who are standing there. */
  async #kept(work) {
    try {
      return await work();
    } catch (error) {
      this.kiosk.trouble = error.where ?? "write";
      this.show();
      return false;
    }
  }

  #tell(what) {
    const told = this.root.querySelector(".told");
    told.textContent = told.dataset[what];
  }
}
