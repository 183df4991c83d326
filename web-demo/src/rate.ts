/** How many a second, over the last seconds. Is told the time. */

const SLOT_MS = 250;
const SLOTS = 12;

export class Rate {
  readonly #slots: number[] = new Array<number>(SLOTS).fill(0);
  #newest = 0;
  #highest = 0;

  /** The most there ever were, in one second on average. */
  get highest(): number {
    return this.#highest;
  }

  /** One more, at `nowMs` of a clock that only goes forward. */
  add(nowMs: number): void {
    const slot = this.#advance(nowMs);
    this.#slots[slot] = (this.#slots[slot] ?? 0) + 1;
    this.#highest = Math.max(this.#highest, this.perSecond(nowMs));
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    return this.#slots.reduce((sum, count) => sum + count, 0) / ((SLOTS * SLOT_MS) / 1_000);
  }

  /** Empties the slots whose time has come again, and says which one it is now. */
  #advance(nowMs: number): number {
    const now = Math.floor(nowMs / SLOT_MS);
    for (let passed = Math.max(this.#newest + 1, now - SLOTS + 1); passed <= now; passed += 1) this.#slots[passed % SLOTS] = 0;
    this.#newest = Math.max(this.#newest, now);
    return this.#newest % SLOTS;
  }
}
