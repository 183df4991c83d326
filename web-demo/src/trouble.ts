/** The last thing that went wrong and that the verifier deals with by itself: one quiet line, for a while. */

import type { OcelliError } from "ocelli";
import { element, say } from "./elements.js";

const SHOWN_MS = 30_000;

export class Trouble {
  readonly #line = element("trouble");
  #clear: ReturnType<typeof setTimeout> | undefined;

  show({ message }: Pick<OcelliError, "message">): void {
    clearTimeout(this.#clear);
    say(this.#line, `Just now: ${message}`);
    this.#clear = setTimeout(() => this.clear(), SHOWN_MS);
  }

  clear(): void {
    clearTimeout(this.#clear);
    say(this.#line, "");
  }
}
