// Runs one suite: within its time, leaving no process behind, and with a result whatever happens.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { mark, sweep } from "./leftovers.js";
import { root } from "./paths.js";
import { Bench } from "./suite.js";
import { fail, line, total } from "./tally.js";

/** How long a suite may take to end after it was told to. */
const ABORT_MS = 15_000;

/**
 * @param {import("./suite.js").Suite} suite
 * @param {number} deadline when everything has to be over, as of `Date.now()`
 * @param {AbortSignal} [interrupt] ends the suite early
 * @returns {Promise<import("./tally.js").Counts>}
 */
export async function runSuite(suite, deadline, interrupt) {
  console.log(`\n== ${suite.name}: ${suite.about}`);
  const started = Date.now();
  const stop = new AbortController();
  const bench = new Bench(stop.signal);
  const limit = Math.min(suite.limitMinutes * 60_000, deadline - started);
  if (limit <= 0) {
    fail(bench.counts, "not run: no time was left");
  } else {
    await runWithin(suite, bench, stop, limit, interrupt);
  }
  if (total(bench.counts) === 0) fail(bench.counts, "ran no tests");
  for (const failure of bench.counts.failures) console.log(`   failed: ${failure}`);
  console.log(`== ${suite.name}: ${line(bench.counts)} in ${duration(Date.now() - started)}`);
  return bench.counts;
}

/**
 * @param {import("./suite.js").Suite} suite
 * @param {Bench} bench
 * @param {AbortController} stop
 * @param {number} limit
 * @param {AbortSignal} [interrupt]
 */
async function runWithin(suite, bench, stop, limit, interrupt) {
  const name = mark();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const ended = new Promise((resolve) => {
    const end = (/** @type {string} */ why) => {
      fail(bench.counts, why);
      stop.abort();
      setTimeout(resolve, ABORT_MS).unref();
    };
    timer = setTimeout(() => end(`stopped: its time limit of ${duration(limit)} is over`), limit);
    interrupt?.addEventListener("abort", () => end("interrupted"), { once: true });
  });
  const missing = suite.folders.filter((folder) => !existsSync(join(root, folder)));
  const work = missing.length > 0 ? Promise.reject(new Error(`missing: ${missing.join(", ")}`)) : suite.run(bench);
  await Promise.race([
    work.catch((error) => {
      if (!stop.signal.aborted) fail(bench.counts, error instanceof Error ? error.message : String(error));
    }),
    ended,
  ]);
  clearTimeout(timer);
  stop.abort();
  for (const command of await sweep(name)) console.log(`   left behind, now killed: ${command}`);
  delete process.env[name];
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
