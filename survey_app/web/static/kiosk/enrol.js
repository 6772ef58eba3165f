/**
 * The page that sets a tablet up: the same form, but the token goes into the tablet's own storage, and the camera may
 * read the code. The code may also come with the address, after #, where neither server nor log sees it.
 */

import { fetchBundle } from "./bundle.js";
import { openStorage } from "./storage.js";

const form = document.querySelector("form");
const field = document.getElementById("code");
const told = document.getElementById("enrol-told");
const camera = document.getElementById("camera");

if (location.hash.length > 1) {
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await enrol(field.value);
  } catch {
    form.submit(); // without storage the server's own pages still work: it says what is wrong with the code, if anything
  }
});

if (navigator.mediaDevices?.getUserMedia) {
  camera.hidden = false;
  camera.querySelector("button").addEventListener("click", async () => {
    const { readCode } = await import("./camera.js");
    const code = await readCode(camera, told);
    if (!code) return;
    field.value = code;
    form.requestSubmit();
  });
}

/** Throws where the browser cannot keep anything: then nothing was used up. */
async function enrol(code) {
  const storage = await openStorage();
  await storage.keep("started", "enrolment");
  say("waiting");
  const answer = await fetch("/api/v1/enrol", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
    cache: "no-store",
  }).catch(() => null);
  if (!answer) return say("offline");
  const reply = await answer.json();
  if (!answer.ok) return answer.status === 400 ? form.submit() : say("offline");
  try {
    await storage.enrol(reply);
  } catch (error) {
    return location.replace(`/?online=1&trouble=${error.where}`); // set up as far as the server's pages go: it gave a cookie
  }
  const bundle = await fetchBundle(storage, reply);
  if (bundle && bundle.purpose !== "counter") await storage.leave(reply.device); // interviews stay with the server's pages
  await navigator.storage?.persist?.().catch(() => false);
  location.replace(bundle && bundle.purpose !== "counter" ? "/" : "/kiosk");
}

function say(what) {
  told.textContent = told.dataset[what];
}
