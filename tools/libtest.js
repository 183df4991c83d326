// Reads the output of `cargo test` (stdout and stderr in the order written) and counts tests. Understands what Rust's
// test harness and wasm-bindgen's runner print.

import { skipReason } from "./skipped.js";
import { fail, nothing } from "./tally.js";

const BINARY = /^\s+Running (?:.* )?\(?(\S+?)\)?$/;
const DOCTESTS = /^\s+Doc-tests (\S+)$/;
const TEST = /^test (.+?)(?: - should panic)? \.\.\. (ok|FAIL(?:ED)?|ignored)(?:, (.*))?$/;
const RESULT =
  /^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (?:\d+ measured; )?(\d+) filtered out/;
const NO_TESTS = /^no tests to run!$/;

/**
 * Counts one run of `cargo test`. A test binary that starts and never reports a result counts as a failed test, and so
 * does a run that fails before any test could.
 */
export function libtestCounter() {
  const counts = nothing();
  /** @type {string | undefined} */
  let running;
  let ignoredByName = 0;
  /** @type {string[]} */
  const skipping = [];

  const abandon = () => {
    if (running !== undefined) fail(counts, `${running} ended without a result`);
    running = undefined;
  };

  return {
    /** @param {string} text */
    line(text) {
      const started = text.match(BINARY) ?? text.match(DOCTESTS);
      if (started) {
        abandon();
        running = started[1];
        return;
      }
      if (NO_TESTS.test(text)) running = undefined;
      const skipped = skipReason(text);
      if (skipped !== undefined) skipping.push(skipped);
      const [, name, verdict, reason] = text.match(TEST) ?? [];
      if (verdict?.startsWith("FAIL")) counts.failures.push(name);
      if (verdict === "ignored") {
        ignoredByName++;
        counts.skipped.push({ count: 1, reason: `${name}: ${reason ?? "marked #[ignore] without a reason"}` });
      }
      const result = text.match(RESULT);
      if (result === null) return;
      running = undefined;
      const [passed, failed, ignored, filtered] = result.slice(1).map(Number);
      counts.passed += passed - skipping.length;
      counts.failed += failed;
      counts.skipped.push(...skipping.splice(0).map((reason) => ({ count: 1, reason })));
      const unnamed = ignored - ignoredByName;
      if (unnamed > 0) counts.skipped.push({ count: unnamed, reason: "marked #[ignore]" });
      if (filtered > 0) counts.skipped.push({ count: filtered, reason: "filtered out" });
      ignoredByName = 0;
    },
    /**
     * @param {import("./command.js").Ended} ended
     * @returns {import("./tally.js").Counts}
     */
    end({ ok, how }) {
      abandon();
      if (!ok && counts.failed === 0) fail(counts, `the run failed outside of any test (${how})`);
      return counts;
    },
  };
}
