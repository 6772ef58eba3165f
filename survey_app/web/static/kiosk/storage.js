/**
 * What the tablet keeps: who it is, what citizens answered, and what it was told. IndexedDB, and nothing else.
 *
 * `openStorage`, `Storage`, `StorageTrouble`. A response gets its uuid and number in the one strict transaction that
 * stores it; when `commit` resolves, it survives a power cut. Completed responses lie in the store `outbox` alone, which
 * no page displays: unsent for as long as it takes, sent ones for 30 days, those the server refused for the staff.
 */

import { openDB } from "../vendor/idb/index.js";
import { Clock, stamp } from "./clock.js";

const NAME = "sipas";
const VERSION = 1;
const OPENING_MS = 10_000; // some browsers never answer when a database is broken
const WRITING_MS = 20_000;
const KEPT_MS = 30 * 86_400_000;
const STRICT = { durability: "strict" };

/** The device's storage does not do what it must. `where`: open, write or quota. */
export class StorageTrouble extends Error {
  constructor(where, cause) {
    super(`storage: ${where}: ${cause?.name ?? ""} ${cause?.message ?? cause ?? ""}`);
    this.where = cause?.name === "QuotaExceededError" ? "quota" : where;
  }
}

/** Opens the database; `StorageTrouble` when the browser cannot. */
export async function openStorage(clocks = {}) {
  let database;
  try {
    database = await within(OPENING_MS, openDB(NAME, VERSION, { upgrade }));
    const state = await database.get("kept", "clock");
    return new Storage(database, new Clock(state, clocks));
  } catch (error) {
    throw new StorageTrouble("open", error);
  }
}

function upgrade(database) {
  database.createObjectStore("device", { keyPath: "id" });
  const outbox = database.createObjectStore("outbox", { keyPath: ["device", "seq"] });
  outbox.createIndex("state", ["device", "state", "seq"]);
  outbox.createIndex("uuid", "uuid", { unique: true });
  database.createObjectStore("kept");
}

export class Storage {
  constructor(database, clock) {
    this.database = database;
    this.clock = clock;
  }

  /** The device this tablet is now; null before it is enrolled. */
  async device() {
    return (await this.devices()).find((device) => device.current) ?? null;
  }

  /** Every device this tablet has been: answers not yet sent stay under the token they were given under. */
  async devices() {
    return this.#do("read", () => this.database.getAll("device"));
  }

  /** Become this device; it counts from 1. */
  async enrol({ token, device, centre }) {
    await this.#write(["device", "kept"], async (transaction) => {
      const devices = transaction.objectStore("device");
      for (const other of await devices.getAll()) await devices.put({ ...other, current: false });
      await devices.put({ id: device, token, centre, last_seq: 0, standing: "ok", current: true });
      for (const key of ["bundle", "standing", "invite"]) await transaction.objectStore("kept").delete(key);
    });
  }

  /** No longer be this device, which has answered nothing here. */
  async leave(id) {
    await this.#write(["device"], (transaction) => transaction.store.delete(id));
  }

  async setStanding(id, standing) {
    await this.#write(["device"], async (transaction) => {
      const device = await transaction.store.get(id);
      if (device && device.standing !== standing) await transaction.store.put({ ...device, standing });
    });
  }

  kept(key) {
    return this.#do("read", () => this.database.get("kept", key));
  }

  keep(key, value) {
    return this.#write(["kept"], (transaction) => transaction.store.put(value, key));
  }

  /** Store what a citizen answered, under a new uuid and the next number; both are returned once it is durable. */
  async commit({ elapsed_ms, ...draft }) {
    return this.#write(["device", "outbox", "kept"], async (transaction) => {
      const devices = transaction.objectStore("device");
      const device = (await devices.getAll()).find((one) => one.current);
      if (!device) throw new Error("not enrolled");
      const seq = device.last_seq + 1;
      const era = this.clock.tick();
      const response = completed({ ...draft, uuid: crypto.randomUUID(), seq }, elapsed_ms, this.clock);
      await devices.put({ ...device, last_seq: seq });
      await transaction
        .objectStore("outbox")
        .add({ device: device.id, seq, uuid: response.uuid, state: "unsent", era, response });
      await transaction.objectStore("kept").put(this.clock.state, "clock");
      return { uuid: response.uuid, seq };
    });
  }

  /** The first unsent records of a device, all given in one era of the clock. */
  async unsent(id, most) {
    const records = await this.#records(id, "unsent", most);
    return records.filter((record) => record.era === records[0].era);
  }

  /** What the server says it lacks, or wants again, of what was sent to it before. */
  async sentBefore(id, ranges, uuids, most) {
    const wanted = new Set(uuids);
    const found = [];
    for (const record of await this.#records(id, "sent")) {
      const lacking = ranges.some(([first, last]) => first <= record.seq && record.seq <= last);
      if (lacking || wanted.has(record.uuid)) found.push(record);
      if (found.length === most) break;
    }
    return found.filter((record) => record.era === found[0].era);
  }

  /** Note what became of records; `results` as the server gave them, in the order of `records`. */
  async settle(records, results, serverTime) {
    await this.#write(["outbox"], async (transaction) => {
      for (const [place, { uuid, fate, errors }] of results.entries()) {
        const record = await transaction.store.get([records[place].device, records[place].seq]);
        if (!record || record.uuid !== uuid) continue;
        const state = fate === "rejected" ? "staff" : "sent";
        await transaction.store.put({ ...record, state, fate, errors, settled: Date.parse(serverTime) });
      }
    });
  }

  /** Let go of what was sent more than 30 days ago, by the server's clock. What was not sent never goes. */
  async forget(serverTime) {
    const until = Date.parse(serverTime) - KEPT_MS;
    await this.#write(["device", "outbox"], async (transaction) => {
      const outbox = transaction.objectStore("outbox");
      for (const device of await transaction.objectStore("device").getAll()) {
        let cursor = await outbox.index("state").openCursor(span(device.id, "sent"));
        for (; cursor && cursor.value.settled < until; cursor = await cursor.continue()) await cursor.delete();
      }
    });
  }

  /** How many responses wait, were sent, or need the staff; in all, and by device. */
  async counts() {
    const devices = [];
    const all = { unsent: 0, sent: 0, staff: 0 };
    for (const device of await this.devices()) {
      const own = { id: device.id, current: device.current, standing: device.standing };
      for (const state of Object.keys(all)) {
        own[state] = await this.#do("read", () => this.database.countFromIndex("outbox", "state", span(device.id, state)));
        all[state] += own[state];
      }
      devices.push(own);
    }
    return { ...all, devices };
  }

  /**
   * What staff may carry to the province by hand: all of a device that the server has not taken, one group for each era
   * of the clock with how far it was off.
   * @returns {Promise<{responses: object[], offset_ms: number|null}[]>}
   */
  async exportable(id) {
    const records = [...(await this.#records(id, "unsent")), ...(await this.#records(id, "staff"))];
    const eras = [...new Set(records.map((record) => record.era))];
    return eras.map((era) => ({
      responses: records.filter((record) => record.era === era).map((record) => record.response),
      offset_ms: this.clock.offset(era),
    }));
  }

  /** Which of these ranges of numbers lie here, in whatever state. */
  numbers(id, ranges) {
    return this.#do("read", async () => {
      const keys = ranges.map((range) => this.database.getAllKeys("outbox", IDBKeyRange.bound(...range.map((seq) => [id, seq]))));
      return (await Promise.all(keys)).flat().map(([, seq]) => seq);
    });
  }

  #records(id, state, most) {
    return this.#do("read", () => this.database.getAllFromIndex("outbox", "state", span(id, state), most));
  }

  async #do(where, work) {
    try {
      return await work();
    } catch (error) {
      throw error instanceof StorageTrouble ? error : new StorageTrouble(where, error);
    }
  }

  /** One transaction: all of `work` is on disk when this resolves, or none of it. */
  #write(stores, work) {
    return this.#do("write", async () => {
      const transaction = this.database.transaction(stores, "readwrite", STRICT);
      const timer = setTimeout(() => giveUp(transaction), WRITING_MS);
      let result;
      try {
        result = await work(transaction);
      } catch (error) {
        giveUp(transaction);
        await transaction.done.catch(() => undefined);
        throw transaction.error ?? error;
      } finally {
        clearTimeout(timer);
      }
      await transaction.done;
      return result;
    });
  }
}

/** A draft as it is sent. Its length is measured by the steady clock: the other may have been set back meanwhile. */
export function completed(draft, elapsed, clock) {
  const submitted = clock.wall();
  return { ...draft, started: stamp(submitted - Math.max(0, Math.round(elapsed))), submitted: stamp(submitted) };
}

function span(device, state) {
  return IDBKeyRange.bound([device, state, 0], [device, state, Number.MAX_SAFE_INTEGER]);
}

/** Nothing of it shall be stored. One that is on its way to the disk already cannot be called back, and is waited for. */
function giveUp(transaction) {
  try {
    transaction.abort();
  } catch {
    // it has ended by itself
  }
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
