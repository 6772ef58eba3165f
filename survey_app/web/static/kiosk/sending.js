/**
 * Bringing responses to the server: one sender at a time on this tablet, in batches, for as long as it takes.
 *
 * `Sender`: events `contact` (after each try; `sender.contact` says how it went) and `standing` (the server asks for
 * another wave, form or list of fields than the bundle has). Whatever interrupts a sending, the same responses go out
 * again under the same uuids, and the server stores none twice. Devices this tablet was before send under their own token.
 */

import { stamp } from "./clock.js";

const BATCH = 50;
const HEARTBEAT_MS = 5 * 60_000;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 5 * 60_000;
const TIMEOUT_MS = 60_000;
const ROUNDS = 500; // more the server never asks for in one go
const LOCK = "sipas-sending";

/** What came between us and an acknowledgement. `kind`: the problem's type, or "network". */
class NotTaken extends Error {
  constructor(kind, status, retryAfter) {
    super(kind);
    Object.assign(this, { kind, status, retryAfter });
  }
}

export class Sender extends EventTarget {
  /** @param {{storage: import("./storage.js").Storage, app: string, locks?: LockManager, request?: typeof fetch}} parts */
  constructor({ storage, app, request = (...all) => fetch(...all), locks = navigator.locks, wait = {} }) {
    super();
    Object.assign(this, { storage, app, request, locks });
    this.wait = { first: FIRST_WAIT_MS, longest: LONGEST_WAIT_MS, heartbeat: HEARTBEAT_MS, ...wait };
    this.contact = null;
    this.failures = 0;
    this.timer = undefined;
    this.again = false;
    this.running = null;
  }

  /** Begin, and go on until the page closes. */
  async start() {
    this.contact = (await this.storage.kept("contact")) ?? null;
    addEventListener("online", () => this.wake());
    addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.wake());
    this.wake();
  }

  /** Send now. While a sending is under way, once more after it. */
  wake() {
    this.again = true;
    this.running ??= this.#run().finally(() => {
      this.running = null;
      if (this.again) this.wake();
    });
    return this.running;
  }

  async #run() {
    clearTimeout(this.timer);
    this.again = false;
    let wait = this.wait.heartbeat * (0.8 + 0.4 * Math.random());
    try {
      await this.#alone(() => this.#everything());
      this.failures = 0;
    } catch (error) {
      this.failures += 1;
      wait = this.#backoff(error);
      await this.#note({ ok: false, problem: error.kind ?? "storage", detail: String(error.message) });
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wake(), wait);
  }

  /** Exponential, with jitter over its upper half, so that tablets of one outage do not come back all at once. */
  #backoff(error) {
    const step = Math.min(this.wait.longest, this.wait.first * 2 ** Math.min(this.failures - 1, 20));
    return Math.max((error.retryAfter ?? 0) * 1000, step * (0.5 + 0.5 * Math.random()));
  }

  /** Other pages of this tablet may be open: whoever has the lock sends for all of them. */
  #alone(work) {
    if (!this.locks) return work();
    return this.locks.request(LOCK, { ifAvailable: true }, (lock) => (lock ? work() : undefined));
  }

  async #everything() {
    const devices = await this.storage.devices();
    let trouble;
    for (const device of devices) {
      const waiting = (await this.storage.unsent(device.id, 1)).length > 0;
      if (!device.current && (!waiting || device.standing === "revoked")) continue; // withdrawn for ever: by hand only
      try {
        await this.#device(device);
      } catch (error) {
        if (device.current) trouble = error; // an earlier device that is revoked must not silence this one
      }
    }
    if (trouble) throw trouble;
  }

  /** All that one device has to say, and then whatever the server asks for again. */
  async #device(device) {
    let reply = await this.#send(device, []);
    let most = BATCH;
    for (let batch; (batch = await this.storage.unsent(device.id, most)).length > 0; ) {
      try {
        reply = await this.#send(device, batch);
      } catch (error) {
        if (error.status !== 400 && error.status !== 413) throw error;
        if (batch.length > 1) {
          most = Math.ceil(batch.length / 2);
          continue;
        }
        // The server reads everything but this one: staff must look at it, and the others shall not wait behind it.
        const result = { uuid: batch[0].uuid, fate: "rejected", errors: [error.kind] };
        await this.storage.settle(batch, [result], reply.server_time);
      }
    }
    reply = await this.#resend(device, reply);
    await this.storage.forget(reply.server_time);
    if (device.current) await this.#heard(device, reply);
  }

  async #resend(device, first) {
    let reply = first;
    for (let round = 0; round < ROUNDS; round += 1) {
      if (reply.missing.length === 0 && reply.resend.length === 0) break;
      const batch = await this.storage.sentBefore(device.id, reply.missing, reply.resend, BATCH);
      if (batch.length === 0) break;
      reply = await this.#send(device, batch);
    }
    return reply;
  }

  /** One request. `NotTaken` unless the server acknowledged every response by name. */
  async #send(device, records) {
    const { clock } = this.storage;
    const era = records[0]?.era ?? clock.tick();
    if (records.length > 0 && clock.needsContact(era)) await this.#send(device, []);
    const before = clock.wall();
    const { last_seq } = (await this.storage.devices()).find((one) => one.id === device.id);
    const reply = await this.#post(device, {
      sent_at: stamp(clock.now(era)),
      last_seq,
      app: this.app,
      responses: records.map((record) => record.response),
    });
    clock.contact(Date.parse(reply.server_time), before, clock.wall());
    await this.storage.keep("clock", clock.state);
    const named = reply.results.map((result) => result.uuid).join();
    if (named !== records.map((record) => record.uuid).join()) throw new NotTaken("not-a-sipas-server");
    if (records.length > 0) await this.storage.settle(records, reply.results, reply.server_time);
    return reply;
  }

  async #post(device, body) {
    let answer;
    try {
      answer = await this.request("/api/v1/responses", {
        method: "POST",
        headers: { Authorization: `Bearer ${device.token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const told = await answer.json();
      if (answer.ok && Array.isArray(told.results)) {
        await this.storage.setStanding(device.id, "ok");
        return told;
      }
      const kind = String(told.type ?? "").replace("urn:sipas:problem:", "") || `http-${answer.status}`;
      if (kind === "unknown-token") await this.storage.setStanding(device.id, "unknown");
      if (kind === "revoked-token") await this.storage.setStanding(device.id, "revoked");
      throw new NotTaken(kind, answer.status, Number(answer.headers.get("Retry-After")) || undefined);
    } catch (error) {
      if (error instanceof NotTaken || error.where) throw error;
      throw new NotTaken(answer ? `http-${answer.status}` : "network", answer?.status);
    }
  }

  async #heard(device, reply) {
    const { wave, questionnaire, version, fields, ledger, server_time, missing } = reply;
    await this.storage.keep("standing", { wave, questionnaire, version, fields, ledger });
    await this.#note({ ok: true, problem: null, detail: "", server_time, missing });
    this.dispatchEvent(new Event("standing"));
  }

  async #note(contact) {
    const last = contact.ok ? contact.server_time : (this.contact?.last ?? null);
    this.contact = { ...contact, at: stamp(this.storage.clock.wall()), last, offset_ms: this.storage.clock.offset() };
    try {
      await this.storage.keep("contact", this.contact);
    } catch {
      // whoever stores the next response will say that storage does not work
    }
    this.dispatchEvent(new Event("contact"));
  }
}
