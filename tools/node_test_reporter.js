// A reporter for `node --test`: one line of JSON for each test, for `node_test.js` to count.

/**
 * @param {AsyncIterable<{ type: string, data: any }>} events
 */
export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite" && type === "test:pass") continue;
    const { name, file, skip, todo, nesting } = data;
    const suite = data.details?.type === "suite";
    // A suite fails when a test in it does, which is counted, or when a hook of it does, which is not.
    if (suite && data.details?.error?.failureType === "subtestsFailed") continue;
    yield `${JSON.stringify({ passed: type === "test:pass", name, file, skip, todo, nesting })}\n`;
  }
}
