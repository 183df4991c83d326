/** Which heights certificates cover, for those who may learn their own height only afterwards. */

export class Covered {
  #height = 0;
  #waiting: { readonly height: number; readonly then: () => void }[] = [];

  /** A certificate covers everything up to `height`. */
  upTo(height: number): void {
    this.#height = Math.max(this.#height, height);
    const covered = this.#waiting.filter((one) => one.height <= this.#height);
    this.#waiting = this.#waiting.filter((one) => one.height > this.#height);
    for (const { then } of covered) then();
  }

  /** Calls `then` once `height` is covered, which may be now. */
  when(height: number, then: () => void): void {
    if (height <= this.#height) then();
    else this.#waiting.push({ height, then });
  }
}
