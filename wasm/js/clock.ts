/** Time, so that tests can bring their own. */
export type Clock = {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Calls `callback` once after `ms` milliseconds, unless the returned function is called before. */
  readonly after: (ms: number, callback: () => void) => () => void;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
