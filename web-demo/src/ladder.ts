import { create } from "./elements.js";

/** How sure a payment is; each level rests on the one before. */
const LEVELS = ["accepted", "sealed", "attested"] as const;
export type Level = (typeof LEVELS)[number];

/** One payment of the list, with the levels that it has reached and how long each took. */
export class Ladder {
  readonly item = create("li", { class: "payment" });
  readonly #sent: number;
  readonly #rungs: Readonly<Record<Level, HTMLElement>>;

  /** `sent` is when it was handed in, by `performance.now()`. */
  constructor(what: string, sent: number) {
    this.#sent = sent;
    const rung = (level: Level) => create("li", { class: "rung", "data-level": level }, level);
    this.#rungs = { accepted: rung("accepted"), sealed: rung("sealed"), attested: rung("attested") };
    const ladder = create("ol", { class: "ladder" });
    ladder.append(...LEVELS.map((level) => this.#rungs[level]));
    this.item.append(create("span", { class: "what" }, what), ladder);
  }

  /** It has reached this level, just now. Sooner or later is the same: only the first time counts. */
  reach(level: Level, where = ""): void {
    const rung = this.#rungs[level];
    if (rung.dataset["reached"] !== undefined) return;
    rung.dataset["reached"] = "";
    rung.append(create("b", {}, ` ${duration(performance.now() - this.#sent)}`));
    if (where !== "") rung.append(create("span", { class: "where" }, ` ${where}`));
  }

  /** It will get no further. */
  fail(): void {
    this.item.dataset["failed"] = "";
  }
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
