/**
 * The staff page: behind the PIN of the centre it tells how the tablet stands, sends, looks for an update, exports.
 *
 * `openStaff`. It is opened between two citizens and ends in the start screen, by itself after two minutes without a touch.
 */

import { takeOverFiles } from "./export.js";
import { fetchBundle } from "./bundle.js";
import { Words, facts, gather, rows } from "./facts.js";
import { Keypad } from "./keypad.js";
import { Pin } from "./pin.js";
import { stamp } from "./clock.js";

const QUIET_MS = 120_000;
const ANSWER_MS = 4_000;
const SIGNS = ["pointerdown", "keydown", "input", "scroll"];

/** Instead of what is on the screen. @param kiosk storage and sender; the bundle where there is one */
export async function openStaff(kiosk) {
  await new StaffPage(kiosk).open();
}

class StaffPage {
  constructor({ storage, sender, bundle = null, version = document.querySelector("meta[name='sipas-version']").content }) {
    Object.assign(this, { storage, sender, bundle, version });
    this.language = "vi";
    this.files = [];
    this.why = null; // the sentence that says why there is nothing but to look
    this.trusted = false;
  }

  async open() {
    document.documentElement.dataset.between = "no"; // nobody answers, but nothing shall reload under their hands either
    const app = Object.assign(document.createElement("div"), { id: "app" });
    document.getElementById("app").replaceWith(app); // with all that listened there
    app.addEventListener("click", (event) => this.#tapped(event.target.closest("button")));
    SIGNS.forEach((sign) => addEventListener(sign, () => this.#touched(), { capture: true, passive: true }));
    this.sender.addEventListener("contact", () => this.view === "state" && this.#tell());
    this.#touched();
    this.bundle ??= (await this.storage.kept("bundle").catch(() => null)) ?? null;
    if (!this.bundle?.pin) await this.#askForPin(app);
    const known = this.bundle?.pin ?? null;
    this.why = this.bundle ? "no_pin" : "pin_not_known";
    if (!known) return this.#show("state");
    this.why = null;
    this.keypad = new Keypad({ pin: new Pin({ storage: this.storage, known }), onEnd: (fate) => this.#entered(fate) });
    return this.#show("pin");
  }

  /** The PIN may have been set since the bundle was fetched; without an answer soon the page opens as it can. */
  async #askForPin(app) {
    const words = new Words(this.language, this.#template("words"));
    app.append(Object.assign(document.createElement("p"), { className: "screen", role: "status", textContent: words.say("pin_checking") }));
    const device = await this.storage.device().catch(() => null);
    const late = new Promise((resolve) => setTimeout(() => resolve(null), ANSWER_MS));
    const fresh = device && (await Promise.race([fetchBundle(this.storage, device), late]));
    if (fresh) this.bundle = fresh;
  }

  // ---- what is shown

  #show(view) {
    this.view = view;
    this.words = new Words(this.language, this.#template("words"));
    this.root = document.getElementById("app");
    this.root.lang = document.documentElement.lang = this.language;
    document.documentElement.className = "size-1";
    document.title = this.words.say("title");
    this.root.replaceChildren(this.#template(view).content.cloneNode(true));
    this.#fact("here", this.bundle?.centre.full_name ?? "");
    if (view === "state") this.#state();
    else this.keypad.show(this.root, this.words);
    scrollTo(0, 0);
    this.root.querySelector("h1").focus();
  }

  #template(name) {
    return document.querySelector(`template[data-staff="${name}"][lang="${this.language}"]`);
  }

  #state() {
    this.#fact("pin", this.why && this.words.say(this.why, { centre: this.bundle?.centre.code }));
    for (const action of ["send", "export"]) this.root.querySelector(`[data-do="${action}"]`).hidden = !this.trusted;
    this.#list();
    return this.#tell();
  }

  /** The facts as they are now. */
  async #tell() {
    const { root, words } = this;
    const state = await gather(this);
    if (words !== this.words || this.view !== "state") return; // shown anew meanwhile
    for (const [name, text] of Object.entries(facts(words, state, this.version))) this.#fact(name, text);
    const lines = rows(words, state.counts).map(([name, ...numbers]) => {
      const line = document.createElement("tr");
      line.append(Object.assign(document.createElement("th"), { scope: "row", textContent: name }));
      line.append(...numbers.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
      return line;
    });
    root.querySelector("tbody").replaceChildren(...lines);
  }

  #fact(name, text) {
    const place = this.root.querySelector(`[data-fact="${name}"]`);
    if (!place) return;
    place.hidden = text === null;
    place.textContent = text ?? "";
  }

  #say(key, values) {
    this.root.querySelector(".told").textContent = key ? this.words.say(key, values) : "";
  }

  // ---- what staff do

  #tapped(button) {
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    const { digit, do: action } = button.dataset;
    if (digit || action === "erase" || action === "enter") this.keypad.tapped(button.dataset);
    else if (action === "back") location.replace("/");
    else if (action === "language") this.#speak(button.value);
    else if (action === "update") this.#busy(button, () => this.#update());
    else if (action === "send" && this.trusted) this.#busy(button, () => this.#send());
    else if (action === "export" && this.trusted) this.#busy(button, () => this.#export());
  }

  #touched() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => location.replace("/"), QUIET_MS);
  }

  #speak(language) {
    this.language = language;
    this.#show(this.view);
    this.root.querySelector("[data-do='language']").focus();
  }

  /** One at a time; the button says that it works. */
  async #busy(button, work) {
    button.setAttribute("aria-disabled", "true");
    try {
      await work();
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  /** The PIN was right; or the server says that the centre has none, and then there is nothing but to look. */
  #entered(fate) {
    this.keypad.hide();
    if (fate === "none") this.why = "no_pin";
    this.trusted = fate === "right";
    this.#show("state");
  }

  // ---- sending, updates, files

  async #send() {
    this.#say("sending");
    const before = this.sender.contact;
    await this.sender.wake();
    while (this.sender.running) await this.sender.running;
    const { contact } = this.sender;
    const counts = await this.storage.counts().catch(() => null);
    if (contact === before) this.#say("sent_elsewhere");
    else if (contact.ok && counts) this.#say("sent", { count: this.words.number(counts.unsent) });
    else this.#say("not_sent", { problem: this.words.problem(contact.problem ?? "storage") });
    await this.#tell();
  }

  async #update() {
    const registration = await navigator.serviceWorker?.getRegistration("/");
    if (!registration) return this.#say("update_not_installed");
    this.#say("update_looking");
    try {
      await registration.update();
      const worker = registration.installing;
      if (worker) await installed(worker);
    } catch {
      return this.#say("update_failed");
    }
    return this.#say(registration.waiting ? "update_found" : "update_none");
  }

  async #export() {
    this.#say("exporting");
    try {
      this.files = await takeOverFiles(this.storage, this.sender.app);
      const count = this.files.reduce((sum, file) => sum + file.count, 0);
      if (count) await this.#remember(count);
      this.#say(count ? null : "export_none");
    } catch {
      this.#say("export_failed");
    }
    this.#list();
    if (this.files.length) this.root.querySelector(".files a").focus();
    await this.#tell();
  }

  async #remember(count) {
    const exported = { at: stamp(this.storage.clock.wall()), count };
    await this.storage.keep("staff", { ...(await this.storage.kept("staff")), exported }).catch(() => undefined);
  }

  #list() {
    this.root.querySelector(".files").hidden = this.files.length === 0;
    const links = this.files.map((file) => {
      const link = Object.assign(document.createElement("a"), { className: "step", download: file.name });
      link.href = file.address ??= URL.createObjectURL(file.blob);
      link.textContent = this.words.say("export_file", { file: file.name, count: this.words.number(file.count) });
      const item = document.createElement("li");
      item.append(link);
      return item;
    });
    this.root.querySelector(".files ul").replaceChildren(...links);
  }
}

/** Resolves once a new version lies there whole; rejects when it does not come. */
function installed(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "redundant") reject(new Error("not whole"));
      else if (worker.state !== "installing") resolve();
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
