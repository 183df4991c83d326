/** Who has checked which task, as numbers. Knows neither the page nor a clock. */

export type Counts = {
  /** Tasks that this tab alone has checked. */
  readonly mine: number;
  readonly both: number;
  readonly others: number;
  /** Tasks that nobody is known to have checked. */
  readonly waiting: number;
};

const ME = 1;
const OTHER = 2;

export class Tally {
  /** Who has checked each task of a block, by height. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #byMark = [0, 0, 0, 0];
  readonly #most: number;

  /** Remembers the tasks of `most` blocks; what is known of older ones stays counted as it was. */
  constructor(most = 2_048) {
    this.#most = most;
  }

  get counts(): Counts {
    const [waiting = 0, mine = 0, others = 0, both = 0] = this.#byMark;
    return { mine, both, others, waiting };
  }

  /** A block with so many tasks was opened. */
  add(height: number, tasks: number): void {
    if (this.#blocks.has(height)) return;
    this.#blocks.set(height, new Uint8Array(tasks));
    this.#count(0, tasks);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#most) return;
      this.#blocks.delete(oldest);
    }
  }

  /** A task was checked. Counts once for each of the two, however often it is said. */
  check(height: number, task: number, by: "me" | "other"): void {
    const marks = this.#blocks.get(height);
    const before = marks?.[task];
    if (marks === undefined || before === undefined) return;
    const after = before | (by === "me" ? ME : OTHER);
    marks[task] = after;
    this.#count(before, -1);
    this.#count(after, 1);
  }

  /** A certificate covers all blocks up to `height`: what nobody was heard to check, somebody has. */
  certified(height: number): void {
    for (const [covered, marks] of this.#blocks) {
      if (covered > height) continue;
      marks.forEach((mark, task) => {
        if (mark === 0) this.check(covered, task, "other");
      });
    }
  }

  /** The blocks above `height` are not of the chain any more. */
  rewind(height: number): void {
    for (const [above, marks] of this.#blocks) {
      if (above <= height) continue;
      for (const mark of marks) this.#count(mark, -1);
      this.#blocks.delete(above);
    }
  }

  #count(mark: number, more: number): void {
    this.#byMark[mark] = (this.#byMark[mark] ?? 0) + more;
  }
}
