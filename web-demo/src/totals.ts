import { describe, element } from "./elements.js";

/** What this tab has done, as the boxes at the top say it. */
export class Totals {
  #rows = 0;
  #columns = 0;
  #ms = 0;
  #attested = 0;
  #head = 0;
  #others = 0;

  /** This tab checked a task in `ms` milliseconds. */
  checked(kind: "row" | "column", ms: number): void {
    if (kind === "row") this.#rows += 1;
    else this.#columns += 1;
    this.#ms += ms;
    this.#show();
  }

  /** Others checked this many tasks. */
  checkedByOthers(tasks: number): void {
    this.#others += tasks;
    this.#show();
  }

  /** A block was sealed. */
  sealed(height: number): void {
    this.#head = Math.max(this.#head, height);
    this.#show();
  }

  /** A certificate covers everything up to `height`. */
  attested(height: number): void {
    this.#attested = Math.max(this.#attested, height);
    this.#show();
  }

  #show(): void {
    const tasks = this.#rows + this.#columns;
    describe(element("totals"), [
      ["rows checked here", this.#rows.toLocaleString()],
      ["columns checked here", this.#columns.toLocaleString()],
      ["a task takes", tasks === 0 ? "…" : `${(this.#ms / tasks).toFixed(1)} ms`],
      ["checked by others", this.#others.toLocaleString()],
      ["newest block", this.#head === 0 ? "…" : `#${this.#head}`],
      ["attested up to", this.#attested === 0 ? "…" : `#${this.#attested}`],
    ]);
    if (tasks > 0) element("headline").textContent = "This tab checks the chain.";
  }
}
