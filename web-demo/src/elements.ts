/** The element with this id, which index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element with the id ${id}`);
  return found as T;
}

/** A new element with a class, attributes and text. */
export function create(tag: string, attributes: Readonly<Record<string, string>> = {}, text = ""): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Shows `entries` as the terms and descriptions of a `dl`, touching only what changed. */
export function describe(list: HTMLElement, entries: readonly (readonly [string, string])[]): void {
  entries.forEach(([term, description], at) => {
    let pair = list.children[at];
    if (pair === undefined) {
      pair = create("div");
      pair.append(create("dt", {}, term), create("dd"));
      list.append(pair);
    }
    const shown = pair.lastElementChild;
    if (shown !== null && shown.textContent !== description) shown.textContent = description;
  });
}
