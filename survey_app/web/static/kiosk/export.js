/**
 * What the server has not taken, as files that staff carry to the province: `sipas device import` reads them.
 *
 * `takeOverFiles`. Line 1 of a file is JSON, line 2 its HMAC under a key that only the tablet and the server can derive,
 * from the device's token. So nobody on the way can add to it or change it. It holds answers: it is confidential.
 */

import { stamp } from "./clock.js";
import { hex } from "./pin.js";

const FORMAT = "sipas-device-export-1";
const PURPOSE = "sipas device export 1";
const MOST = 5_000; // responses a file: the province's command reads it whole

/**
 * Files for each device this tablet has been, and each era of its clock.
 * @returns {Promise<{name: string, count: number, blob: Blob}[]>}
 */
export async function takeOverFiles(storage, app) {
  const files = [];
  const exported = stamp(storage.clock.wall());
  for (const device of await storage.devices()) {
    const key = await keyOf(device.token);
    const about = { format: FORMAT, device: device.id, centre: device.centre, app, exported };
    for (const { responses, offset_ms } of await portions(storage, device.id)) {
      const offset = offset_ms === null ? null : Math.round(offset_ms);
      const text = JSON.stringify({ ...about, offset_ms: offset, last_seq: device.last_seq, responses });
      const name = `sipas-${device.id}-${exported.slice(0, 19).replace(/[-:]/g, "")}-${files.length + 1}.txt`;
      files.push({ name, count: responses.length, blob: await signed(text, key) });
    }
  }
  return files;
}

async function portions(storage, id) {
  const groups = await storage.exportable(id);
  return groups.flatMap(({ responses, offset_ms }) =>
    Array.from({ length: Math.ceil(responses.length / MOST) }, (_, place) => ({
      responses: responses.slice(place * MOST, (place + 1) * MOST),
      offset_ms,
    })),
  );
}

async function signed(text, key) {
  const line = new TextEncoder().encode(text);
  return new Blob([line, `\n${hex(await crypto.subtle.sign("HMAC", key, line))}\n`], { type: "text/plain" });
}

/** HMAC of the purpose under the token's hash, which is what the server keeps of a token. */
async function keyOf(token) {
  const hash = hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  const root = await hmacKey(new TextEncoder().encode(hash));
  return hmacKey(await crypto.subtle.sign("HMAC", root, new TextEncoder().encode(PURPOSE)));
}

function hmacKey(raw) {
  return crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}
