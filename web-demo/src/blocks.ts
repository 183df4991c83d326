/**
 * The recent blocks: a fixed number of places, filled one after the other and then over again, so that nothing moves when
 * a block comes. In each, rows lie across and columns stand over them, and take the colour of whoever checked them.
 */

import type { BlockInfo, TaskInfo } from "ocelli";
import { create, element, say } from "./elements.js";

const PLACES = { narrow: 12, wide: 20 } as const;

type Mark = { readonly by: "me" | "other"; readonly verdict: "valid" | "fault"; readonly ms: number | undefined };
type Level = "sealed" | "attested" | "fault";

const LEVEL_WORDS: Readonly<Record<Level, string>> = { sealed: "sealed", attested: "attested", fault: "faulty" };

type Shown = {
  readonly place: HTMLElement;
  readonly info: BlockInfo;
  readonly tasks: readonly HTMLElement[];
  readonly took: HTMLElement;
  readonly level: HTMLElement;
  ms: number;
};

export class Blocks {
  readonly #places: readonly HTMLElement[];
  readonly #shown = new Map<number, Shown>();
  readonly #faulty = new Set<string>();
  #next = 0;

  constructor() {
    const count = matchMedia("(max-width: 40rem)").matches ? PLACES.narrow : PLACES.wide;
    this.#places = Array.from({ length: count }, () => create("li", { class: "place" }));
    element("blocks").append(...this.#places);
  }

  get isEmpty(): boolean {
    return this.#shown.size === 0;
  }

  /** Shows a block whose tasks nobody has checked yet, in place of the oldest. */
  add(info: BlockInfo, tasks: readonly TaskInfo[]): void {
    const place = this.#places[this.#next % this.#places.length];
    if (place === undefined || this.#shown.has(info.height)) return;
    this.#next += 1;
    for (const [height, shown] of this.#shown) if (shown.place === place) this.#shown.delete(height);
    const marks = tasks.map(mark);
    const parts = { level: create("span", { class: "level" }), took: create("span", { class: "took" }) };
    const block = { place, info, tasks: marks, ms: 0, ...parts };
    this.#shown.set(info.height, block);
    place.replaceChildren(head(info), weave(info, tasks, marks), foot(parts));
    place.className = "place block";
    for (const other of this.#places) delete other.dataset["newest"];
    place.dataset["newest"] = "";
    this.#reach(block, this.#faulty.has(info.hash) ? "fault" : "sealed");
  }

  /** Marks one task as checked. */
  mark(height: number, task: number, { by, verdict, ms = 0 }: Mark): void {
    const block = this.#shown.get(height);
    const shown = block?.tasks[task];
    if (block === undefined || shown === undefined) return;
    const before = shown.dataset["by"];
    shown.dataset["by"] = before === undefined || before === by ? by : "both";
    if (verdict === "fault") shown.dataset["verdict"] = "fault";
    block.ms += ms;
    if (block.ms > 0) say(block.took, `${block.ms < 10 ? block.ms.toFixed(1) : Math.round(block.ms)} ms`);
    shown.title = `${shown.title.split(":")[0]}: checked ${shown.dataset["by"] === "other" ? "by others" : "here"}`;
    this.#describe(block);
  }

  /** Says of every shown block up to `height` that a certificate covers it. */
  attested(height: number): void {
    for (const [shown, block] of this.#shown) {
      if (shown > height || block.place.dataset["level"] !== "sealed") continue;
      // What nobody was heard to check, somebody has.
      for (const task of block.tasks) task.dataset["by"] ??= "other";
      this.#reach(block, "attested");
    }
  }

  /** Says of a block that it is wrong, also if it is shown only later: evidence may come first. */
  faulty(hash: string): void {
    this.#faulty.add(hash);
    for (const block of this.#shown.values()) if (block.info.hash === hash) this.#reach(block, "fault");
  }

  /** Takes away the blocks above `height`, which are not of the chain any more. */
  rewind(height: number): void {
    for (const [above, { place }] of this.#shown) {
      if (above <= height) continue;
      this.#shown.delete(above);
      place.className = "place";
      place.replaceChildren();
      for (const name of ["aria-label", "data-level", "data-newest"]) place.removeAttribute(name);
    }
  }

  #reach(block: Shown, level: Level): void {
    block.place.dataset["level"] = level;
    say(block.level, LEVEL_WORDS[level]);
    this.#describe(block);
  }

  /** The picture in words. */
  #describe({ place, info, tasks, level }: Shown): void {
    const here = tasks.filter(({ dataset }) => dataset["by"] === "me" || dataset["by"] === "both").length;
    const others = tasks.filter(({ dataset }) => dataset["by"] === "other").length;
    place.setAttribute(
      "aria-label",
      `Block ${info.height}, ${level.textContent}: ${info.rows} rows, ${info.columns} columns, ` +
        `${here} checked here, ${others} by others, ${tasks.length - here - others} waiting`,
    );
  }
}

function mark({ kind, role, index, transactions }: TaskInfo): HTMLElement {
  const what = kind === "column" ? `Column ${index}` : `Row ${index}, ${role === "user" ? `${transactions} transactions` : role}`;
  return create("i", { class: "task", "data-kind": kind, ...(role ? { "data-role": role } : {}), title: `${what}: waiting` });
}

function head(info: BlockInfo): HTMLElement {
  const line = create("span", { class: "line" });
  line.append(create("b", {}, `#${info.height}`), create("span", { class: "size" }, `${info.transactions} tx`));
  return line;
}

function foot({ level, took }: Pick<Shown, "level" | "took">): HTMLElement {
  const line = create("span", { class: "line" });
  line.append(level, took);
  return line;
}

/** Rows and columns over one another, in as much room for a large block as for a small one. */
function weave({ rows, columns }: BlockInfo, tasks: readonly TaskInfo[], marks: readonly HTMLElement[]): HTMLElement {
  const made = create("span", { class: "weave", "aria-hidden": "true" });
  const tracks = tasks.slice(0, rows).map(({ role }) => (role === "user" ? "2fr" : "1fr"));
  made.style.gridTemplateRows = `var(--head) ${tracks.join(" ")}`;
  made.style.gridTemplateColumns = `var(--head) repeat(${columns}, 1fr)`;
  if (rows > 16 || columns > 16) made.dataset["dense"] = "";
  tasks.forEach(({ kind, index }, at) => {
    const shown = marks[at];
    if (shown === undefined) return;
    shown.style.gridArea = kind === "row" ? `${index + 2} / 1 / auto / -1` : `1 / ${index + 2} / -1 / auto`;
    made.append(shown);
  });
  return made;
}
