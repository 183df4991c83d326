/** The element with this id, which index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no element with the id ${id}`);
  return found as T;
}

/** A new element with attributes and text. */
export function create(tag: string, attributes: Readonly<Record<string, string>> = {}, text = ""): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Makes `shown` say `text`, and leaves it alone where it does: screen readers announce what is touched. */
export function say(shown: Element, text: string): void {
  if (shown.textContent !== text) shown.textContent = text;
}

/** Shows `entries` as the terms and descriptions of a `dl`. */
export function describe(list: HTMLElement, entries: readonly (readonly [string, string])[]): void {
  list.replaceChildren(
    ...entries.map(([term, description]) => {
      const pair = create("div");
      pair.append(create("dt", {}, term), create("dd", {}, description));
      return pair;
    }),
  );
}
