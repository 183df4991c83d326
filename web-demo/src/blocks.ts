import { create, element } from "./elements.js";

/** Blocks that the page shows; older ones leave it. */
const BLOCKS_SHOWN = 16;

type Mark = { readonly by: "me" | "other"; readonly verdict: "valid" | "fault" };

/** The grid of recent blocks: a row of marks for each, one mark a task. */
export class Blocks {
  readonly #list = element("blocks");
  readonly #empty = element("blocks-empty");
  readonly #shown = new Map<number, HTMLElement>();

  /** Shows a block whose tasks nobody has checked yet. */
  add(height: number, rows: number, columns: number): void {
    if (this.#shown.has(height)) return;
    const block = create("li", { class: "block", "data-level": "sealed" });
    const tasks = create("span", { class: "tasks", "aria-label": `tasks of block ${height}` });
    for (let task = 0; task < rows + columns; task += 1) {
      const kind = task < rows ? `row ${task}` : `column ${task - rows}`;
      tasks.append(create("i", { class: task < rows ? "task" : "task column", title: kind }));
    }
    block.append(create("span", { class: "height" }, `#${height}`), tasks, create("span", { class: "level" }, "sealed"));
    this.#list.prepend(block);
    this.#shown.set(height, block);
    this.#empty.hidden = true;
    this.#forgetOld();
  }

  /** Marks one task as checked. */
  mark(height: number, task: number, { by, verdict }: Mark): void {
    const mark = this.#shown.get(height)?.querySelector(".tasks")?.children[task];
    if (!(mark instanceof HTMLElement)) return;
    const before = mark.dataset["by"];
    mark.dataset["by"] = before === undefined || before === by ? by : "both";
    if (verdict === "fault") mark.dataset["verdict"] = "fault";
  }

  /** Says of every shown block up to `height` that a certificate covers it. */
  attested(height: number): void {
    for (const [shown, block] of this.#shown) {
      if (shown <= height && block.dataset["level"] === "sealed") this.#level(block, "attested", "attested");
    }
  }

  /** Says of a block that it is wrong. */
  faulty(height: number): void {
    const block = this.#shown.get(height);
    if (block !== undefined) this.#level(block, "fault", "fault found");
  }

  #level(block: HTMLElement, level: string, text: string): void {
    block.dataset["level"] = level;
    const shown = block.querySelector(".level");
    if (shown !== null) shown.textContent = text;
  }

  #forgetOld(): void {
    for (const [height, block] of this.#shown) {
      if (this.#shown.size <= BLOCKS_SHOWN) return;
      block.remove();
      this.#shown.delete(height);
    }
  }
}
