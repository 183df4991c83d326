export type Backoff = {
  /** How long to wait before the next attempt, in milliseconds: twice as long each time, and a random part of that. */
  readonly next: () => number;
  /** To be called when an attempt succeeded. */
  readonly reset: () => void;
};

export type BackoffOptions = {
  readonly minMs: number;
  readonly maxMs: number;
  /** From 0 up to 1. */
  readonly random?: () => number;
};

/** Waits that double, with half of each left to chance, so that all who lost one server do not return at once. */
export function createBackoff({ minMs, maxMs, random = Math.random }: BackoffOptions): Backoff {
  let attempts = 0;
  return {
    next() {
      const full = Math.min(maxMs, minMs * 2 ** Math.min(attempts, 30));
      attempts += 1;
      return full / 2 + (full / 2) * random();
    },
    reset() {
      attempts = 0;
    },
  };
}
