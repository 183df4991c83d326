import assert from "node:assert/strict";
import { test } from "node:test";
import { libtestCounter } from "./libtest.js";

const OK = { ok: true, how: "exit code 0" };
const FAILED = { ok: false, how: "exit code 101" };

/**
 * @param {string} output
 * @param {import("./command.js").Ended} ended
 */
function count(output, ended) {
  const counter = libtestCounter();
  for (const line of output.split("\n")) counter.line(line);
  return counter.end(ended);
}

test("the results of all test binaries add up", () => {
  const counts = count(
    `   Compiling core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/core-1)

running 2 tests
test a ... ok
test b ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/rows.rs (target/debug/deps/rows-1)

running 1 test
test c - should panic ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s

   Doc-tests core

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`,
    OK,
  );
  assert.deepEqual(counts, { passed: 3, failed: 0, skipped: [], failures: [] });
});

test("failed tests are counted once and named", () => {
  const counts = count(
    `     Running unittests src/lib.rs (target/debug/deps/core-1)
test tree::holds ... FAILED
test tree::stands ... ok
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
error: test failed, to rerun pass \`-p core --lib\``,
    FAILED,
  );
  assert.deepEqual(counts, { passed: 1, failed: 1, skipped: [], failures: ["tree::holds"] });
});

test("a test binary that crashes is a failed test, even beside others that report", () => {
  const counts = count(
    `     Running unittests src/lib.rs (target/debug/deps/core-1)
running 9 tests
error: test failed, to rerun pass \`-p core --lib\`
Caused by:
  process didn't exit successfully: \`core-1\` (signal: 11, SIGSEGV: invalid memory reference)
     Running tests/rows.rs (target/debug/deps/rows-1)
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`,
    FAILED,
  );
  assert.equal(counts.passed, 1);
  assert.equal(counts.failed, 2);
  assert.deepEqual(counts.failures, ["target/debug/deps/core-1 ended without a result"]);
});

test("a build that fails is a failed test", () => {
  const counts = count("error[E0425]: cannot find value `x` in this scope", FAILED);
  assert.equal(counts.failed, 1);
});

test("a run that claims success without a result is a failed test", () => {
  const counts = count("     Running unittests src/lib.rs (target/debug/deps/core-1)", OK);
  assert.equal(counts.failed, 1);
});

test("ignored tests are skipped, with their reasons", () => {
  const counts = count(
    `     Running unittests src/lib.rs (target/debug/deps/core-1)
test slow ... ignored, takes an hour
test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s`,
    OK,
  );
  assert.deepEqual(counts.skipped, [
    { count: 1, reason: "slow: takes an hour" },
    { count: 2, reason: "filtered out" },
  ]);
});

test("a test that says it has nothing to run on is skipped", () => {
  const counts = count(
    `     Running tests/vectors.rs (target/debug/deps/vectors-1)
running 3 tests
SKIPPED: no vectors at /a
test a ... ok
test b ... SKIPPED: no vectors at /b
ok
test c ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/rows.rs (target/debug/deps/rows-1)
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`,
    OK,
  );
  assert.deepEqual(counts, {
    passed: 2,
    failed: 0,
    skipped: [
      { count: 1, reason: "no vectors at /a" },
      { count: 1, reason: "no vectors at /b" },
    ],
    failures: [],
  });
});

test("a browser run without tests is no crash, and counts nothing", () => {
  const counts = count("     Running unittests src/lib.rs (target/wasm32/x.wasm)\nno tests to run!", OK);
  assert.deepEqual(counts, { passed: 0, failed: 0, skipped: [], failures: [] });
});

test("wasm-bindgen's runner is understood too", () => {
  const counts = count(
    `     Running unittests src/lib.rs (target/wasm32-unknown-unknown/debug/deps/x.wasm)
running 3 tests
test tests::later ... ignored, takes an hour
test tests::bad ... FAIL
test tests::good ... ok
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 filtered out; finished in 0.02s
error: test failed, to rerun pass \`-p x --lib\``,
    FAILED,
  );
  assert.deepEqual(counts, {
    passed: 1,
    failed: 1,
    skipped: [{ count: 1, reason: "tests::later: takes an hour" }],
    failures: ["tests::bad"],
  });
});

test("a line of a test's own output does not count", () => {
  const counts = count(
    `     Running unittests src/lib.rs (target/debug/deps/core-1)
printed: test result: ok. 100 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`,
    OK,
  );
  assert.equal(counts.passed, 1);
});
