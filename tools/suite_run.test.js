import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, mock, test } from "node:test";
import { root } from "./paths.js";
import { runSuite } from "./suite_run.js";

// The headings of these suites would read like those of the run that this is a part of.
beforeEach(() => void mock.method(console, "log", () => {}));
afterEach(() => mock.restoreAll());

/**
 * Runs a suite that does the given thing.
 * @param {import("./suite.js").Suite["run"]} run
 * @param {Partial<import("./suite.js").Suite>} [rest]
 * @param {number} [deadline]
 */
function runFor(run, rest, deadline = Date.now() + 60_000) {
  return runSuite({ name: "example", about: "for a test", folders: [], limitMinutes: 1, run, ...rest }, deadline);
}

test("a check counts as one test", async () => {
  const counts = await runFor(async (bench) => {
    await bench.check("good", "true", []);
    await bench.check("bad", "false", []);
    bench.skip("no reason", 2);
  });
  assert.deepEqual(counts, {
    passed: 1,
    failed: 1,
    skipped: [{ count: 2, reason: "no reason" }],
    failures: ["bad (exit code 1)"],
  });
});

test("a check that says so is skipped, unless it fails", async () => {
  const counts = await runFor(async (bench) => {
    await bench.checkOrSkip("good", "true", []);
    await bench.checkOrSkip("idle", "echo", ["SKIPPED: no vectors"]);
    await bench.checkOrSkip("bad", "sh", ["-c", "echo SKIPPED: no vectors; exit 1"]);
  });
  assert.deepEqual(counts, {
    passed: 1,
    failed: 1,
    skipped: [{ count: 1, reason: "idle: no vectors" }],
    failures: ["bad (exit code 1)"],
  });
});

test("a suite that throws has failed, and keeps what it had counted", async () => {
  const counts = await runFor(async (bench) => {
    await bench.check("good", "true", []);
    throw new Error("cannot go on");
  });
  assert.equal(counts.passed, 1);
  assert.deepEqual(counts.failures, ["cannot go on"]);
});

test("a suite that runs no tests has failed", async () => {
  const counts = await runFor(async () => {});
  assert.deepEqual(counts.failures, ["ran no tests"]);
});

test("a suite whose folder is missing has failed", async () => {
  const counts = await runFor(async (bench) => bench.check("good", "true", []), { folders: ["no-such-folder"] });
  assert.equal(counts.passed, 0);
  assert.deepEqual(counts.failures, ["missing: no-such-folder"]);
});

test("a suite that takes too long is stopped and has failed", async () => {
  const counts = await runFor((bench) => bench.check("endless", "sleep", ["1000"]), { limitMinutes: 0.005 });
  assert.equal(counts.passed, 0);
  assert.equal(counts.failed, 1);
  assert.match(counts.failures[0], /time limit/);
});

test("a suite is not begun when no time is left", async () => {
  const counts = await runFor((bench) => bench.check("good", "true", []), {}, Date.now() - 1);
  assert.equal(counts.passed, 0);
  assert.equal(counts.failed, 1);
});

test("the last line counts, whatever happened", () => {
  const run = spawnSync(process.execPath, [join(root, "tools", "test.js"), "no-such-suite"], { encoding: "utf8" });
  assert.equal(run.status, 1);
  assert.equal(run.stdout.split("\n").at(-2), "0 passed, 1 failed, 0 skipped");
  assert.equal(run.stdout.split("\n").at(-1), "");
});
