// Runs test files with Node's test runner and counts what `node_test_reporter.js` wrote.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { run } from "./command.js";
import { REPORT } from "./node_test_reporter.js";
import { root } from "./paths.js";
import { fail, nothing } from "./tally.js";

/**
 * @typedef {object} Report one line of the reporter
 * @property {boolean} passed
 * @property {string} name
 * @property {string} [file]
 * @property {number} nesting
 * @property {boolean | string} [skip] the reason, where one was given
 * @property {boolean | string} [todo]
 */

/**
 * @param {string[]} files absolute paths, JavaScript or TypeScript
 * @param {import("./command.js").RunOptions & { concurrency?: number, timeoutMs: number }} options the limit
 *   holds for each test and for each file
 * @returns {Promise<import("./tally.js").Counts>}
 */
export async function nodeTest(files, { concurrency = 1, timeoutMs, ...options }) {
  if (files.length === 0) {
    const none = nothing();
    fail(none, "no test files");
    return none;
  }
  const folder = mkdtempSync(join(tmpdir(), "ocelli-tests-"));
  try {
    const report = join(folder, "report");
    const typescript = files.some((file) => file.endsWith(".ts")) ? ["--import", "tsx"] : [];
    const reporters = [
      ["spec", "stdout"],
      [join(root, "tools", "node_test_reporter.js"), "stderr"],
    ].flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`]);
    // A test may fail before it closes what it opened, which must not keep the file from ending.
    const limits = ["--test-force-exit", `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`];
    // A test of the runner runs it under Node's test runner, which would otherwise take this run for a part of itself.
    const env = { ...options.env, NODE_TEST_CONTEXT: undefined, [REPORT]: report };
    const args = [...typescript, "--test", ...limits, ...reporters, ...files];
    const ended = await run(process.execPath, args, { ...options, env });
    return count(existsSync(report) ? readFileSync(report, "utf8") : "", files, ended);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} report
 * @param {string[]} files
 * @param {import("./command.js").Ended} ended
 */
export function count(report, files, ended) {
  const counts = nothing();
  for (const line of report.split("\n").filter(isWhole)) {
    const test = /** @type {Report} */ (JSON.parse(line));
    const isFile = test.nesting === 0 && files.some((file) => file === test.name || relative(root, file) === test.name);
    if (test.skip) {
      counts.skipped.push({ count: 1, reason: `${test.name}: ${reason(test.skip)}` });
    } else if (test.todo) {
      fail(counts, `${test.name}: is marked as to do`);
    } else if (!test.passed) {
      fail(counts, isFile ? `${basename(test.name)} ended outside of any test` : test.name);
    } else if (isFile) {
      fail(counts, `${basename(test.name)} has no tests`);
    } else {
      counts.passed++;
    }
  }
  if (!ended.ok && counts.failed === 0) fail(counts, `the run failed outside of any test (${ended.how})`);
  return counts;
}

/**
 * The files under a folder whose names end so, in alphabetical order.
 * @param {string} folder
 * @param {string} ending
 * @returns {string[]}
 */
export function filesEnding(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules" && name !== "dist")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesEnding(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    });
}

/** A killed run may have left half a line. @param {string} line */
function isWhole(line) {
  return line.endsWith("}");
}

/** @param {boolean | string} skip */
function reason(skip) {
  return typeof skip === "string" ? skip : "skipped without a reason";
}
