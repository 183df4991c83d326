// What a suite of tests is, and the ways in which it counts.

import { run } from "./command.js";
import { libtestCounter } from "./libtest.js";
import { nodeTest } from "./node_test.js";
import { skipReason } from "./skipped.js";
import { add, fail, nothing, total } from "./tally.js";

/** @typedef {import("./command.js").RunOptions} RunOptions */
/** @typedef {import("./tally.js").Counts} Counts */

/**
 * @typedef {object} Suite
 * @property {string} name as in `npm test -- <name>`
 * @property {string} about one line
 * @property {string[]} folders relative to the repository; a suite fails where one of them is missing
 * @property {number} limitMinutes
 * @property {(bench: Bench) => Promise<void>} run throws when it cannot go on, which counts as a failed test
 */

/** What a suite runs on: it streams, counts, and stops when the suite's time is up. */
export class Bench {
  /** @type {Counts} */
  counts = nothing();

  /** @param {AbortSignal} signal aborts when the suite has to end */
  constructor(signal) {
    this.signal = signal;
  }

  /** For whatever prepares the suite. @returns {RunOptions} */
  get options() {
    return { signal: this.signal };
  }

  /**
   * A program that is one test: it passes if the program succeeds.
   * @param {string} title
   * @param {string} command
   * @param {string[]} args
   * @param {RunOptions} [options]
   */
  async check(title, command, args, options) {
    console.log(`-- ${title}`);
    const { ok, how } = await run(command, args, { ...this.options, ...options });
    if (ok) this.counts.passed++;
    // Of what was stopped with its suite, the suite's own failure says enough.
    else if (!this.signal.aborted) fail(this.counts, `${title} (${how})`);
  }

  /**
   * The same for a program that may say that it is skipped.
   * @param {string} title
   * @param {string} command
   * @param {string[]} args
   * @param {RunOptions} [options]
   */
  async checkOrSkip(title, command, args, options) {
    /** @type {string | undefined} */
    let reason;
    const onLine = (/** @type {string} */ line) => {
      reason ??= skipReason(line);
    };
    const { passed } = this.counts;
    await this.check(title, command, args, { ...options, onLine });
    if (reason === undefined || this.counts.passed === passed) return;
    this.counts.passed--;
    this.skip(`${title}: ${reason}`);
  }

  /**
   * `cargo test`, with one test for each that it runs.
   * @param {string} title
   * @param {string[]} args without "test"
   * @param {RunOptions} [options]
   */
  async cargoTest(title, args, options) {
    console.log(`-- ${title}`);
    const counter = libtestCounter();
    const tests = { ...this.options, ...options, onLine: counter.line };
    const ended = await run("cargo", ["test", "--no-fail-fast", ...args], tests);
    this.#expectSome(title, counter.end(ended));
  }

  /**
   * Test files for Node's test runner, JavaScript or TypeScript.
   * @param {string} title
   * @param {string[]} files
   * @param {{ concurrency?: number, timeoutMs: number, env?: NodeJS.ProcessEnv }} options
   */
  async nodeTest(title, files, options) {
    console.log(`-- ${title}`);
    this.#expectSome(title, await nodeTest(files, { ...this.options, ...options }));
  }

  /**
   * @param {string} reason
   * @param {number} [count]
   */
  skip(reason, count = 1) {
    this.counts.skipped.push({ count, reason });
  }

  /**
   * @param {string} title
   * @param {Counts} counts
   */
  #expectSome(title, counts) {
    if (total(counts) === 0) fail(counts, `${title}: ran no tests`);
    add(this.counts, counts);
  }
}
