import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verdict } from "./base/ocelli.js";
import { checkTask } from "./check_task.js";
import { CoreError, EndpointError } from "./errors.js";
import * as limits from "./limits.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";

const bytes = new Uint8Array();
const wrong: Verdict = { kind: "not-committed", part: "body", reason: "another body" };
const fault: Verdict = { kind: "fault", description: "row 0", evidence: bytes };
const task = { block: "0x1", kind: "row", index: 0, source: async () => ({ parent: undefined, document: bytes }) } as const;

/** Checks the task with these outcomes, one an attempt, and lets waits pass. */
function check(outcomes: readonly (Verdict | Error)[]) {
  const clock = createManualClock();
  const fetches: boolean[] = [];
  const fetchBody = async (_block: string, _index: number, { fresh = false } = {}) => {
    fetches.push(fresh);
    return bytes;
  };
  let attempt = 0;
  const result = checkTask(task, {
    url: "http://chain.example",
    clock,
    api: { row: fetchBody, column: fetchBody },
    pool: {
      async check() {
        const outcome = outcomes[attempt++] ?? wrong;
        if (outcome instanceof Error) throw outcome;
        return { verdict: outcome, ms: 1 };
      },
      close() {},
    },
  });
  const passing = (async () => {
    for (let wait = 0; wait < limits.FETCH_ATTEMPTS; wait += 1) {
      await settled();
      clock.advance(limits.RETRY_MAX_MS);
    }
  })();
  const outcome = result.then(
    ({ verdict }) => verdict,
    (error: unknown) => error,
  );
  return { fetches, outcome: passing.then(() => outcome) };
}

test("a body that is not the committed one is asked for again, past the caches, and is no fault", async () => {
  const { fetches, outcome } = check([wrong, wrong, { kind: "valid" }]);
  assert.deepEqual(await outcome, { kind: "valid" });
  assert.deepEqual(fetches, [false, true, true]);
});

test("a fault is the answer, at once", async () => {
  const { fetches, outcome } = check([fault]);
  assert.equal(await outcome, fault);
  assert.equal(fetches.length, 1);
});

test("who never sends the committed body is the one who lies", async () => {
  const { fetches, outcome } = check([]);
  const error = await outcome;
  assert.ok(error instanceof EndpointError);
  assert.equal(error.code, "ENDPOINT_LIED");
  assert.equal(fetches.length, limits.FETCH_ATTEMPTS);
});

test("what does not decode is not the committed body either", async () => {
  const { fetches, outcome } = check([new CoreError("MALFORMED", "no task"), { kind: "valid" }]);
  assert.deepEqual(await outcome, { kind: "valid" });
  assert.equal(fetches.length, 2);
});

test("an error that asking again cannot mend is not waited out", async () => {
  const { fetches, outcome } = check([new CoreError("INTERNAL", "a mistake")]);
  assert.ok((await outcome) instanceof CoreError);
  assert.equal(fetches.length, 1);
});
