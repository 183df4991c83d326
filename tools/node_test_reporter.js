// A reporter for `node --test`: one line of JSON for each test, for `node_test.js` to count.

import { appendFileSync } from "node:fs";

/** The environment variable that names the file which gets the lines. */
export const REPORT = "OCELLI_TEST_REPORT";

/**
 * Writes at once: a run that is made to exit does not wait for what a stream still holds.
 * @param {AsyncIterable<{ type: string, data: any }>} events
 */
export default async function* report(events) {
  const file = process.env[REPORT];
  if (file === undefined) throw new Error(`${REPORT} names no file`);
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite" && type === "test:pass") continue;
    const { name, file: of, skip, todo, nesting } = data;
    const suite = data.details?.type === "suite";
    // A suite fails when a test in it does, which is counted, or when a hook of it does, which is not.
    if (suite && data.details?.error?.failureType === "subtestsFailed") continue;
    appendFileSync(file, `${JSON.stringify({ passed: type === "test:pass", name, file: of, skip, todo, nesting })}\n`);
  }
}
