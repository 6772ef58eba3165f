/**
 * Screens as the citizen sees them, drawn from the bundle's templates; and what is ticked and written on them.
 *
 * `Pages`, `drawScreen`, `readAnswers`, `showAt`. A screen looks, letter for letter, as the server's page of the same
 * answers; a test holds the two together.
 */

import { DECLINED } from "./form.js";

const PREFIX = "a-";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const CODE = /^-?[0-9]{1,10}$/;
const MAX_TEXT = 4000;
const MAX_NUMBER = 2 ** 31 - 1;

/** The bundle's templates, by language. */
export class Pages {
  constructor({ pages }) {
    this.html = pages;
    this.parsed = {};
  }

  /** A frame's template: its `dataset` holds the words that are filled in. */
  template(language, name) {
    return this.#all(language).frames.get(name);
  }

  /** A fresh copy of a frame. */
  frame(language, name) {
    return this.template(language, name).content.cloneNode(true).firstElementChild;
  }

  question(language, code, solo) {
    return this.#all(language)[solo ? "solo" : "among"].get(code);
  }

  /** A face out of sight: as long as one stays on the page, the others do not blink from screen to screen. */
  face(language) {
    const [found] = [...this.#all(language).among.values(), ...this.#all(language).solo.values()]
      .map((each) => each.content.querySelector(".face")?.cloneNode(true))
      .filter(Boolean);
    found?.classList.replace("face", "unseen");
    return found ? [found] : [];
  }

  #all(language) {
    this.parsed[language] ??= parse(this.html[language]);
    return this.parsed[language];
  }
}

function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const found = { frames: new Map(), solo: new Map(), among: new Map() };
  for (const each of holder.content.querySelectorAll("template")) {
    const { frame, question, solo } = each.dataset;
    if (frame) found.frames.set(frame, each);
    else if (question) found[solo === undefined ? "among" : "solo"].set(question, each);
  }
  return found;
}

/** The screen a visit is at, with the answers so far. `errors`: item → problem. */
export function drawScreen(pages, visit, errors = {}) {
  const { form, answers, language } = visit;
  const screen = form.screen(visit.screen);
  const place = visit.place();
  const name = place.last ? "last" : "screen";
  const page = pages.frame(language, name);
  const { progress, errorPrefix } = pages.template(language, name).dataset;
  const where = progress.replace("{number}", place.number).replace("{total}", place.total);
  page.querySelector("#progress").textContent = where;
  Object.assign(page.querySelector("progress"), { max: place.total, value: place.number });
  showAt(page, visit);

  const codes = form.askedOn(screen, answers);
  const heading = headingOf(screen, codes, language);
  const cards = codes.map((code, at) => {
    const number = codes.length > 1 ? `${place.number}${LETTERS[at]}` : "";
    return drawCard(pages, visit, code, number, errors[code]);
  });
  const wanting = cards.filter((card) => card.error);
  const main = page.querySelector("main");
  main.prepend(
    ...(wanting.length ? [drawSummary(pages, language, wanting, place)] : []),
    ...(heading ? [headingElement(heading, screen)] : []),
    ...cards.map((card) => card.element),
  );
  const title = `${wanting.length ? errorPrefix : ""}${where} – ${heading || cards[0].legend}`;
  return { page, title, wanting: wanting.length > 0 };
}

/** What stands above the cards: the section's stem, or its title over several; else the question itself. */
function headingOf({ heading }, codes, language) {
  if (heading.stem) return heading.stem[language];
  return codes.length > 1 ? heading.title[language] : "";
}

function headingElement(text, { heading }) {
  const element = document.createElement("h1");
  element.textContent = text;
  element.dataset.prompt = heading.prompt;
  return element;
}

/** Text size and patience as they are, on any page with those buttons. */
export function showAt(page, { size, slow }) {
  for (const button of page.querySelectorAll("[value^='size.']")) {
    button.setAttribute("aria-pressed", String(button.value === `size.${size}`));
  }
  const patience = page.querySelector("[value^='slow.']");
  patience?.setAttribute("aria-pressed", String(slow));
  patience?.setAttribute("value", `slow.${slow ? 0 : 1}`);
}

function drawCard(pages, visit, code, number, problem) {
  const template = pages.question(visit.language, code, number === "");
  const element = template.content.cloneNode(true).firstElementChild;
  const numberOf = element.querySelector(".number-of");
  if (numberOf) numberOf.textContent = number;
  fill(element, visit.form.item(code), visit.answers[code]);
  const error = problem ? (template.dataset[dashless(problem)] ?? template.dataset.missing) : "";
  const first = element.querySelector("input, textarea").id;
  if (error) wanting(element, first, error);
  const legend = element.querySelector(`[data-prompt='item.${code}']`).textContent;
  return { element, error, number, first, legend };
}

/** `bad_value` → `badValue`, as a data attribute is called. */
function dashless(problem) {
  return problem === "empty" ? "missing" : problem.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

/** The answer given so far, ticked or written. */
function fill(element, item, answer) {
  const given = answer === undefined ? [] : [answer].flat().map(String);
  const writing = element.querySelector("textarea, input.number");
  if (writing) {
    if (given.length && !(answer < 0)) writing.value = given[0];
  }
  for (const input of element.querySelectorAll("input[type='radio'], input[type='checkbox']")) {
    input.checked = given.includes(input.value);
  }
}

/** Mark a card whose answer is wanting, and say why. */
function wanting(element, first, error) {
  const id = `${first.replace(/-1$/, "")}-error`;
  const note = document.createElement("p");
  Object.assign(note, { className: "error", id, textContent: error });
  element.classList.add("wanting");
  element.querySelector(".explained").append(note);
  if (element.matches("fieldset")) element.setAttribute("aria-describedby", id);
  for (const input of element.querySelectorAll("input, textarea")) {
    input.setAttribute("aria-describedby", [id, input.getAttribute("aria-describedby")].filter(Boolean).join(" "));
  }
}

function drawSummary(pages, language, cards, place) {
  const summary = pages.frame(language, "summary");
  summary.removeAttribute("autofocus"); // it is given the focus when it stands
  for (const card of cards) {
    const link = pages.frame(language, "summary-link");
    link.href = `#${card.first}`;
    link.firstChild.before(card.number || String(place.number));
    link.querySelector(".unseen").textContent = `: ${card.legend}`;
    summary.append(link);
  }
  return summary;
}

/** Note what is ticked and written on a screen among the answers; what was undone is taken out. */
export function readAnswers(page, { form, answers, screen }) {
  const data = new FormData(page);
  for (const code of form.askedOn(form.screen(screen), answers)) {
    const answer = answerOf(form.item(code), data.getAll(PREFIX + code));
    if (answer === undefined) delete answers[code];
    else answers[code] = answer;
  }
}

function answerOf(item, given) {
  if (item.kind === "text") return plain(given[0] ?? "") || undefined;
  if (item.options_from) return given[0] === String(DECLINED) ? DECLINED : given[0];
  if (item.kind !== "choices") return codeOf(given.find((value) => value.trim() !== ""));
  const codes = [...new Set(given.map(codeOf).filter((code) => code !== undefined))].sort((one, other) => one - other);
  if (codes.length === 0) return undefined;
  return codes.length === 1 && codes[0] < 0 ? codes[0] : codes;
}

/** A whole number such as the protocol carries; what is none counts as not given. */
function codeOf(text) {
  if (text === undefined || !CODE.test(text.trim())) return undefined;
  const code = Number(text);
  return Math.abs(code) <= MAX_NUMBER ? code : undefined;
}

/** What was written, without what no keyboard types: nobody is turned away for it. */
function plain(text) {
  const marks = text.replace(/\r\n/g, "\n").replace(/(\p{M}{30})\p{M}+/gu, "$1").normalize("NFC");
  const kept = marks.replace(/[^\P{Cc}\n\t]|\p{Cs}/gu, "").trim();
  return [...kept].slice(0, MAX_TEXT).join("");
}
