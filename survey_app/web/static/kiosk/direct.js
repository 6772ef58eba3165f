/**
 * Past a storage that does not work: one response straight to the server, as the pages without JavaScript send it.
 *
 * `withoutNumber`, `sendDirect`. It has no number, for nothing counts here; it counts as sent only once the server says
 * so by its uuid. The same response sent again is stored once.
 */

import { stamp } from "./clock.js";
import { completed } from "./storage.js";

const TIMEOUT_MS = 30_000;
const THERE = ["stored", "already_stored", "conflict"]; // conflict: sent before, and changed since

/** A draft as the server takes it from a page. */
export function withoutNumber({ elapsed_ms, ...draft }, uuid, clock) {
  const mode = draft.mode === "kiosk" ? "page" : draft.mode;
  return completed({ ...draft, mode, uuid, seq: null }, elapsed_ms, clock);
}

/** Resolves once the server has it; rejects otherwise. */
export async function sendDirect({ storage, sender, device }, response) {
  const answer = await fetch("/api/v1/responses", {
    method: "POST",
    headers: { Authorization: `Bearer ${device.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({
      sent_at: stamp(storage.clock.wall()),
      last_seq: device.last_seq,
      app: sender.app,
      responses: [response],
    }),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const [result] = (await answer.json()).results ?? [];
  if (result?.uuid !== response.uuid || !THERE.includes(result.fate)) {
    throw new Error(`not stored: ${result?.fate ?? answer.status} ${result?.errors ?? ""}`);
  }
}
