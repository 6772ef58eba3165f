/**
 * Where the kiosk begins: storage, sender, the bundle, then the start screen. Or a plain notice that says why not.
 *
 * The page is loaded anew between two citizens, so this runs for each of them. It never pretends: where storage does not
 * work, the staff are told at once and the citizen is led to the pages that work through the server alone.
 */

import { startKiosk } from "./attract.js";
import { keepRecordings } from "./audio.js";
import { App } from "./install.js";
import { bundleOf } from "./bundle.js";
import { Sender } from "./sending.js";
import { openStorage } from "./storage.js";

const NO_WAVE_MS = 60_000;
const FULL = 0.9; // of its quota: before the browser refuses to store
const version = document.querySelector("meta[name='sipas-version']").content;
const asked = new URLSearchParams(location.search);

async function boot() {
  let storage;
  try {
    storage = await openStorage();
    await storage.keep("started", version); // a database may open and yet refuse to write
  } catch (error) {
    return withoutStorage(error.where);
  }
  const device = await storage.device();
  if (!device) return notice("no_device");
  const sender = new Sender({ storage, app: `sipas-kiosk ${version}` });
  const app = new App({ version, between: () => document.documentElement.dataset.between === "yes" });
  await sender.start();
  if (device.standing === "revoked") return notice("revoked", { storage, sender });
  const bundle = await bundleOf(storage, device, sender);
  if (!bundle) return notice("not_ready", { storage, sender }, NO_WAVE_MS);
  if (bundle.purpose !== "counter") return location.replace("/?online=1");
  between(true);
  const kiosk = { storage, sender, bundle, trouble: asked.get("trouble") ?? (await nearlyFull()), notice, between, version };
  sender.addEventListener("bundle", () => document.documentElement.dataset.between === "yes" && location.replace("/"));
  if (bundle.wave === null) notice("no_wave", { storage, sender }, NO_WAVE_MS);
  else await startKiosk(kiosk);
  await navigator.storage?.persist?.().catch(() => false);
  await app.install().then(() => app.ready()).catch((error) => console.warn("no service worker:", error.message));
  await keepRecordings(bundle.audio).catch((error) => console.warn("no recordings:", error.message));
}

/** Whether nobody is answering: only then may the app be replaced. The start screen says yes, a visit says no. */
function between(nobody) {
  document.documentElement.dataset.between = nobody ? "yes" : "no";
}

/** The server's own pages need no storage; without network there is nothing left but to say so. */
async function withoutStorage(where) {
  const there = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(8000) }).catch(() => null);
  if (there?.ok) return location.replace(`/?online=1&trouble=${where}`);
  return notice("storage", null, NO_WAVE_MS);
}

async function nearlyFull() {
  const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.().catch(() => ({}))) ?? {};
  return quota > 0 && usage / quota > FULL ? "quota" : null;
}

/** A plain page for citizens and staff. It looks again after a while. */
function notice(kind, kiosk = null, again = 0) {
  const page = document.getElementById(`notice-${kind}`).content.cloneNode(true);
  document.getElementById("app").replaceWith(Object.assign(document.createElement("div"), { id: "app" }));
  document.getElementById("app").replaceChildren(page);
  between(true);
  const staff = document.querySelector("[data-do='staff']");
  if (!kiosk) staff.remove();
  staff?.addEventListener("click", async () => (await import("./staff.js")).openStaff(kiosk));
  document.querySelector("#app h1").focus();
  if (again) setTimeout(() => document.documentElement.dataset.between === "yes" && location.replace("/"), again); // not under the staff page
}

boot();
