/* global VERSION, FILES */
/**
 * The service worker: the kiosk from a cold start without network. The server puts VERSION and FILES (path → address and sha256)
 * before this text, so that a changed file is a changed worker.
 *
 * A version is installed whole or not at all. It takes over when the page asks it to, between two citizens. Until a page
 * has said "ready" under it, the version before is kept; if the new one has not come up by its second start, the old one serves again.
 */

const PREFIX = "sipas-app-";
const STATE = "sipas-state";
const SHELL = "/kiosk";
const PRIVACY = "/privacy";
const AUDIO = "sipas-audio";
const TRIALS = 2;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  if (event.data === "take-over") event.waitUntil(self.skipWaiting());
  if (event.data === "which") event.waitUntil(tell(event.ports[0]));
  if (event.data?.ready === VERSION) event.waitUntil(settle());
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin || request.method !== "GET") return;
  if (request.mode === "navigate") {
    const own = url.pathname === "/" || url.pathname === SHELL;
    if (own && !url.searchParams.has("online")) event.respondWith(start());
    if (url.pathname === PRIVACY) event.respondWith(file(PRIVACY, request));
  } else if (url.pathname in FILES) {
    event.respondWith(file(url.pathname, request));
  } else if (url.pathname.startsWith("/audio/") && request.destination === "audio") {
    // Only what is played. The fetching of recordings stays out of here: an update would wait for it to end.
    event.respondWith(spoken(request));
  }
});

async function install() {
  const cache = await caches.open(PREFIX + VERSION);
  try {
    await Promise.all(Object.entries(FILES).map(([path, [url, sha256]]) => fetchInto(cache, path, url, sha256)));
  } catch (error) {
    await caches.delete(PREFIX + VERSION);
    throw error;
  }
}

/** What the browser has already will do, if it is what the server named; else it is fetched anew. */
async function fetchInto(cache, path, url, sha256) {
  let [answer, body] = await fetched(url, "force-cache");
  if (!answer.ok || (await hash(body)) !== sha256) [answer, body] = await fetched(url, "reload");
  if (!answer.ok || (await hash(body)) !== sha256) throw new Error(`${path} did not come as it should`);
  const headers = new Headers(answer.headers);
  for (const name of ["Content-Encoding", "Content-Length", "Vary", "Set-Cookie"]) headers.delete(name);
  await cache.put(path, new Response(body, { status: 200, headers }));
}

async function fetched(url, cache) {
  const answer = await fetch(url, { cache, credentials: "omit", redirect: "error" });
  return [answer, await answer.arrayBuffer()];
}

async function hash(body) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function activate() {
  const { good } = await state();
  await keep({ good, starts: 0 });
  await self.clients.claim();
}

/** This version works: forget those before it, but not one that is being fetched or waits. */
async function settle() {
  await keep({ good: VERSION, starts: 0 });
  if (registration.installing || registration.waiting) return;
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + VERSION) await caches.delete(name);
  }
}

async function start() {
  const { good, starts } = await state();
  if (good !== VERSION) await keep({ good, starts: starts + 1 });
  return file(SHELL, SHELL);
}

/** From this version, or from the last good one when this one does not come up; from the server when a cache was emptied. */
async function file(path, request) {
  const version = await serving();
  const found = await (await caches.open(PREFIX + version)).match(path);
  return found ?? fetch(request);
}

async function serving() {
  const { good, starts } = await state();
  const fallen = good && good !== VERSION && starts > TRIALS && (await caches.has(PREFIX + good));
  return fallen ? good : VERSION;
}

/** Which version is served; nothing where its files were taken away, for then the server's page is shown, of whatever version. */
async function tell(port) {
  const version = await serving();
  if (await (await caches.open(PREFIX + version)).match(SHELL)) port.postMessage(version);
}

async function spoken(request) {
  const kept = await (await caches.open(AUDIO)).match(request, { ignoreVary: true });
  return kept ?? fetch(request);
}

async function state() {
  const kept = await (await caches.open(STATE)).match("/state");
  return kept ? kept.json() : { good: null, starts: 0 };
}

async function keep(value) {
  await (await caches.open(STATE)).put("/state", new Response(JSON.stringify(value)));
}
