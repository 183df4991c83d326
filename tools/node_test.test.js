import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { filesEnding, nodeTest } from "./node_test.js";

/**
 * Runs files of the given contents.
 * @param {Record<string, string>} contents
 */
async function runFiles(contents) {
  const folder = mkdtempSync(join(tmpdir(), "ocelli-node-test-"));
  try {
    for (const [name, text] of Object.entries(contents)) {
      writeFileSync(join(folder, name), `import { describe, test, before } from "node:test";\n${text}`);
    }
    // Its output would read like results of this very run.
    const options = { timeoutMs: 10_000, quiet: true, onLine: () => {} };
    return await nodeTest(filesEnding(folder, ".test.mjs"), options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("tests are counted, files and suites around them are not", async () => {
  const counts = await runFiles({
    "a.test.mjs": `describe("s", () => { test("one", () => {}); test("two", () => {}); });`,
    "b.test.mjs": `test("three", () => {});`,
  });
  assert.deepEqual(counts, { passed: 3, failed: 0, skipped: [], failures: [] });
});

test("a failed test in a suite is one failure", async () => {
  const counts = await runFiles({
    "a.test.mjs": `describe("s", () => { test("bad", () => { throw new Error("x"); }); test("good", () => {}); });`,
  });
  assert.deepEqual(counts, { passed: 1, failed: 1, skipped: [], failures: ["bad"] });
});

test("a failed hook is a failure", async () => {
  const counts = await runFiles({
    "a.test.mjs": `describe("s", () => { before(() => { throw new Error("x"); }); test("t", () => {}); });`,
  });
  assert.ok(counts.failed > 0);
  assert.equal(counts.passed, 0);
});

test("skipped tests carry their reasons", async () => {
  const counts = await runFiles({
    "a.test.mjs": `test("one", { skip: "no display" }, () => {}); test("two", () => {});`,
  });
  assert.equal(counts.passed, 1);
  assert.deepEqual(counts.skipped, [{ count: 1, reason: "one: no display" }]);
});

test("tests that are still to do are failures", async () => {
  const counts = await runFiles({ "a.test.mjs": `test.todo("one"); test("two", () => {});` });
  assert.equal(counts.failed, 1);
  assert.equal(counts.passed, 1);
});

test("a file without tests is a failure", async () => {
  const counts = await runFiles({ "a.test.mjs": "", "b.test.mjs": `test("one", () => {});` });
  assert.deepEqual(counts.failures, ["a.test.mjs has no tests"]);
  assert.equal(counts.passed, 1);
});

test("a file that crashes is a failure", async () => {
  const counts = await runFiles({
    "a.test.mjs": `test("one", () => {}); process.kill(process.pid, "SIGKILL");`,
    "b.test.mjs": `throw new Error("x");`,
  });
  assert.equal(counts.failed, 2);
});

test("a test that hangs is a failure", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ocelli-node-test-"));
  try {
    const file = join(folder, "a.test.mjs");
    writeFileSync(file, `import { test } from "node:test"; test("t", () => new Promise((r) => setTimeout(r, 1e6)));`);
    const counts = await nodeTest([file], { timeoutMs: 200, quiet: true, onLine: () => {} });
    assert.ok(counts.failed > 0);
    assert.equal(counts.passed, 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a test that leaves something open does not keep the run from ending", async () => {
  const counts = await runFiles({ "a.test.mjs": `test("one", () => { setInterval(() => {}, 1000); });` });
  assert.deepEqual(counts, { passed: 1, failed: 0, skipped: [], failures: [] });
});

test("no files are a failure", async () => {
  assert.equal((await runFiles({})).failed, 1);
});
