/**
 * Whom the staff invite: one in `every` persons served, drawn by the tablet so that nobody picks.
 *
 * `Invitations`. In each run of `every` persons one place is drawn at random: each has the same chance, and who is next
 * cannot be foreseen. The count lies in storage, for the page is loaded anew between citizens.
 */

import { below } from "./parts.js";

export class Invitations {
  /** @param {{kept: Function, keep: Function}} storage  @param {number} every */
  constructor(storage, every, random = below) {
    Object.assign(this, { storage, every, random });
    this.before = null;
  }

  /** One more person has been served; whether this one is to be invited. */
  async served() {
    const kept = await this.storage.kept("invite");
    this.before = kept?.every === this.every ? kept : { every: this.every, place: 0, chosen: this.random(this.every) };
    const place = this.before.place + 1;
    const next = place < this.every ? { ...this.before, place } : { every: this.every, place: 0, chosen: this.random(this.every) };
    await this.storage.keep("invite", next);
    return this.before.place === this.before.chosen;
  }

  /** The last tap was a mistake: the same place comes again. */
  async takeBack() {
    if (this.before) await this.storage.keep("invite", this.before);
  }
}
