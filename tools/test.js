// `npm test`: runs every suite, or those that are named after `--`, and ends with one line:
// `N passed, N failed, N skipped`. Exits with 1 if anything failed.

import { killAll } from "./command.js";
import { onInterrupt } from "./interrupt.js";
import { runSuite } from "./suite_run.js";
import { suites } from "./suites.js";
import { add, fail, line, nothing } from "./tally.js";

/** For all suites together. They are to take 45 on two cores from a clean clone; what is busy with other things takes longer. */
const LIMIT_MINUTES = 75;

const sum = nothing();
const names = process.argv.slice(2);
if (names.includes("--list")) {
  for (const { name, about } of suites) console.log(`${name.padEnd(8)}${about}`);
} else {
  await runAll(names);
  for (const { count, reason } of sum.skipped) console.log(`skipped: ${count > 1 ? `${count} × ` : ""}${reason}`);
  for (const failure of sum.failures) console.log(`failed: ${failure}`);
  console.log(line(sum));
  process.exitCode = sum.failed > 0 ? 1 : 0;
  // Nothing is left to do, whatever a suite left open.
  process.stdout.write("", () => process.exit());
}

/** @param {string[]} names */
async function runAll(names) {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    fail(sum, `no such suite: ${unknown.join(", ")}; there are ${suites.map(({ name }) => name).join(", ")}`);
    return;
  }
  const interrupt = new AbortController();
  onInterrupt(() => interrupt.abort());
  const deadline = Date.now() + LIMIT_MINUTES * 60_000;
  for (const suite of suites.filter(({ name }) => names.length === 0 || names.includes(name))) {
    if (interrupt.signal.aborted) break;
    const { failures, skipped, ...counts } = await runSuite(suite, deadline, interrupt.signal);
    add(sum, {
      ...counts,
      failures: failures.map((failure) => `${suite.name}: ${failure}`),
      skipped: skipped.map(({ count, reason }) => ({ count, reason: `${suite.name}: ${reason}` })),
    });
  }
  killAll();
}
