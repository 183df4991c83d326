/** Time that goes on when a test says so. */

import type { Clock } from "../clock.js";

export type ManualClock = Clock & {
  /** Goes `ms` on, and does in order what falls due. */
  readonly advance: (ms: number) => void;
  /** How many calls are waiting. */
  readonly waiting: () => number;
};

export function createManualClock(start = 1_000_000): ManualClock {
  let now = start;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).sort((one, two) => one.at - two.at);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = next.at;
        next.callback();
      }
      now = end;
    },
    waiting: () => timers.length,
  };
}
