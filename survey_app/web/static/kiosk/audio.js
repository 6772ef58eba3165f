/**
 * Reading aloud: recorded sentences, played one after the other when somebody asks for it, and never by themselves.
 *
 * `Reader` plays what the bundle has recordings of. `offerReading` puts a button on each card of a page that has
 * something to say; `ReadAloud` does so for the pages of a visit, `offerGreetings` for the start screen.
 * `keepRecordings` fetches what is not on the tablet yet, so that all of it plays without network.
 * What stands on a page names its recordings itself: `data-prompt="item.II.A1"`, several with a space between.
 */

const CACHE = "sipas-audio"; // apart from the app's own: a new version of the app leaves the recordings
const CARDS = ".card, main.plain";
const HEADINGS = "h1[data-prompt^='heading.']";

export class Reader {
  static #speaking = null; // one voice at a time
  #files;
  #sound = null;
  #turn = 0;

  /** @param audio the bundle's `audio`  @param {string} language that is heard  @param make an audio element */
  constructor(audio, language, make = () => new Audio()) {
    this.#files = audio?.[language]?.files ?? {};
    this.make = make;
    this.plays = 0;
  }

  has(prompt) {
    return Object.hasOwn(this.#files, prompt);
  }

  get playing() {
    return this.#sound !== null && !this.#sound.paused;
  }

  /**
   * Play the recordings there are, in this order, after stopping what plays. What cannot be played is passed over.
   * @param {string[]} prompts
   * @param {(prompt: string) => void} before called as each begins
   * @returns {Promise<boolean>} whether it came to its end, and was not stopped
   */
  async play(prompts, before = () => undefined) {
    Reader.silence();
    Reader.#speaking = this;
    const turn = this.#turn;
    this.#sound ??= this.make();
    this.plays += 1;
    for (const prompt of prompts.filter((each) => this.has(each))) {
      before(prompt);
      await this.#one(this.#files[prompt]);
      if (turn !== this.#turn) return false;
    }
    return true;
  }

  /** Whoever speaks on this page stops. */
  static silence() {
    Reader.#speaking?.stop();
  }

  /** Silence, at once. */
  stop() {
    this.#turn += 1;
    if (!this.#sound) return;
    this.#sound.pause();
    this.#sound.dispatchEvent(new Event("stopped"));
  }

  #one(url) {
    const sound = this.#sound;
    return new Promise((over) => {
      const done = new AbortController();
      const end = () => {
        done.abort();
        over();
      };
      for (const sign of ["ended", "error", "stopped"]) sound.addEventListener(sign, end, { signal: done.signal });
      sound.src = url;
      sound.play().catch(end);
    });
  }
}

/** Reading aloud on the pages of a visit, in the language that is heard there. */
export class ReadAloud {
  constructor(pages, visit) {
    Object.assign(this, { pages, visit });
  }

  /** A page has come in place of another: that one is silent, this one has its buttons. */
  offer(page) {
    const { bundle, language, spoken } = this.visit;
    const heard = spoken && bundle.audio[spoken]?.shows === language ? spoken : language;
    offerReading(page, new Reader(bundle.audio, heard), this.pages.frame(language, "listen"), () => (this.visit.plays += 1));
  }

  stop() {
    Reader.silence();
  }
}

/** On the start screen each language greets in its own voice, so that who cannot read hears which one to take. */
export function offerGreetings(page, pages, { audio, pages: written }) {
  const first = page.querySelector(".invitation");
  for (const begin of page.querySelectorAll("button[value^='start.']")) {
    const language = begin.value.slice("start.".length);
    const shown = written[language] ? language : Object.keys(written)[0];
    const invitation = begin.closest(".invitation") ?? first;
    const spoken = [...invitation.querySelectorAll("[data-prompt]")];
    const reader = new Reader(audio, language);
    if (!canSay(reader, spoken)) continue;
    const both = document.createElement("div");
    both.className = "greeting";
    begin.replaceWith(both);
    both.append(begin, listening(pages.frame(shown, "listen"), both, { spoken, reader, about: begin.textContent.trim() }));
  }
}

/**
 * A button on each card of the page for which there is a recording; whatever was playing stops.
 * @param {HTMLElement} page  @param {Reader} reader  @param {HTMLButtonElement} button the one to copy
 * @param {() => void} began called each time somebody listens
 */
export function offerReading(page, reader, button, began = () => undefined) {
  Reader.silence();
  const heading = page.querySelector(HEADINGS);
  for (const [number, card] of [...page.querySelectorAll(CARDS)].entries()) {
    const spoken = [...(number === 0 && heading ? [heading] : []), ...card.querySelectorAll("[data-prompt]")];
    if (!canSay(reader, spoken)) continue;
    const about = card.querySelector("h1, h2, label")?.textContent.trim() ?? "";
    place(card, listening(button.cloneNode(true), card, { spoken, reader, about, began }));
  }
}

function canSay(reader, elements) {
  return elements.some((element) => promptsOf(element).some((prompt) => reader.has(prompt)));
}

/** One card's button: tapped once it reads, marking what it says; tapped again, or another answer taken, it is silent. */
function listening(button, card, { spoken, reader, about, began = () => undefined }) {
  button.querySelector(".unseen").textContent = `: ${about}`;
  const mark = (prompt) => {
    for (const element of spoken) element.classList.toggle("spoken", prompt !== null && promptsOf(element).includes(prompt));
    button.dispatchEvent(new Event("heard", { bubbles: true })); // somebody listens: nobody has walked away
  };
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-pressed") === "true") return reader.stop();
    button.setAttribute("aria-pressed", "true");
    began();
    await reader.play(spoken.flatMap(promptsOf), mark);
    button.setAttribute("aria-pressed", "false");
    return mark(null);
  });
  card.addEventListener("change", (event) => event.target.type === "radio" && reader.stop());
  return button;
}

/** Behind what it is about, before the answers: so keys and screen readers meet it there too. */
function place(card, button) {
  card.classList.add("heard");
  const about = [...card.querySelectorAll(":scope > :is(legend, h1, h2, .explained)")].at(-1);
  if (about) about.after(button);
  else card.prepend(button);
}

function promptsOf(element) {
  return element.dataset.prompt.split(" ").filter(Boolean);
}

/**
 * Fetch the recordings that are not on the tablet yet, one at a time, and drop those no longer offered.
 * @returns {Promise<{kept: number, missing: number}>}
 */
export async function keepRecordings(audio, caches = globalThis.caches) {
  const wanted = new Set(Object.values(audio ?? {}).flatMap(({ files }) => Object.values(files)));
  if (!caches) return { kept: 0, missing: wanted.size };
  const cache = await caches.open(CACHE);
  const there = new Set();
  for (const { url } of await cache.keys()) {
    const { pathname, search } = new URL(url);
    if (wanted.has(pathname + search)) there.add(pathname + search);
    else await cache.delete(url);
  }
  for (const url of wanted) {
    if (!there.has(url) && (await fetched(cache, url))) there.add(url);
  }
  return { kept: there.size, missing: wanted.size - there.size };
}

async function fetched(cache, url) {
  try {
    const answer = await fetch(url, { credentials: "omit" });
    if (!answer.ok) return false;
    await cache.put(url, answer);
    return true;
  } catch {
    return false; // no network, or no room: it stays text until the next time
  }
}
