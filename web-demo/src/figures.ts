/** This tab's share of the checks, and how fast it makes them. */

import { element, say } from "./elements.js";
import { Rate } from "./rate.js";
import { Tally } from "./tally.js";

/** Checks whose times are averaged. */
const TIMES_KEPT = 200;

type Kind = "row" | "column";

export class Figures {
  readonly tally = new Tally();
  readonly #rate = new Rate();
  readonly #checked = { row: 0, column: 0 };
  readonly #times: { readonly kind: Kind; readonly ms: number }[] = [];
  #head = 0;
  #attested = 0;
  #asked = false;

  constructor() {
    // The rate falls while nothing happens.
    setInterval(() => this.#show(), 500);
  }

  /** Nothing waits to be checked. */
  get isIdle(): boolean {
    return this.tally.counts.waiting === 0;
  }

  /** A block was opened. */
  opened(height: number, tasks: number): void {
    this.tally.add(height, tasks);
    this.#head = Math.max(this.#head, height);
    this.#ask();
  }

  /** A task was checked, here in `ms` milliseconds or by somebody else. */
  checked(height: number, task: number, kind: Kind, by: "me" | "other", ms: number | undefined): void {
    this.tally.check(height, task, by);
    if (by === "me") {
      this.#checked[kind] += 1;
      this.#rate.add(performance.now());
      this.#times.push({ kind, ms: ms ?? 0 });
      if (this.#times.length > TIMES_KEPT) this.#times.shift();
    }
    this.#ask();
  }

  /** A certificate covers everything up to `height`. */
  attested(height: number): void {
    this.#attested = Math.max(this.#attested, height);
    this.tally.certified(height);
    this.#ask();
  }

  /** The blocks above `height` are not of the chain any more. */
  rewind(height: number): void {
    this.tally.rewind(height);
    this.#head = Math.min(this.#head, height);
    this.#ask();
  }

  /** Once a frame, however much happens in it; not at all while nobody looks. */
  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#show();
    });
  }

  #show(): void {
    this.#showShare();
    const { row, column } = this.#checked;
    say(element("checked"), (row + column).toLocaleString());
    say(element("checked-of"), `${row.toLocaleString()} rows, ${column.toLocaleString()} columns`);
    say(element("takes"), this.#times.length === 0 ? "–" : `${this.#mean(() => true)} ms`);
    if (this.#times.length > 0) {
      say(element("takes-of"), `row ${this.#mean((kind) => kind === "row")}, column ${this.#mean((kind) => kind === "column")}`);
    }
    const rate = this.#rate.perSecond(performance.now());
    say(element("rate"), rate >= 10 ? rate.toFixed(0) : rate.toFixed(1));
    say(element("rate-of"), `tasks a second, at most ${this.#rate.highest.toFixed(0)}`);
    if (this.#head > 0) {
      say(element("attested"), this.#attested === 0 ? "–" : `#${this.#attested.toLocaleString()}`);
      say(element("attested-of"), `newest block #${this.#head.toLocaleString()}`);
    }
  }

  #showShare(): void {
    const { mine, both, others, waiting } = this.tally.counts;
    const all = mine + both + others + waiting;
    const percent = (part: number) => (all === 0 ? 0 : (100 * part) / all);
    say(element("share-number"), `${Math.floor(percent(mine + both))} %`);
    for (const [id, part] of [["mine", mine], ["both", both], ["others", others]] as const) {
      element(`bar-${id}`).style.inlineSize = `${percent(part)}%`;
      say(element(`count-${id}`), part.toLocaleString());
    }
    say(element("count-waiting"), waiting.toLocaleString());
  }

  #mean(counts: (kind: Kind) => boolean): string {
    const times = this.#times.filter(({ kind }) => counts(kind));
    return (times.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, times.length)).toFixed(1);
  }
}
