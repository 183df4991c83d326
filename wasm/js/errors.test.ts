import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointError, OcelliError, WorkerError, asOcelliError } from "./errors.js";

test("an error has a code to react to, advice, a cause, and the name of its class", () => {
  const cause = new Error("socket");
  const error = new EndpointError("CONNECTION_LOST", "No answer", { url: "http://a.example", cause });
  assert.ok(error instanceof OcelliError);
  assert.deepEqual([error.name, error.code, error.url, error.status], ["EndpointError", "CONNECTION_LOST", "http://a.example", undefined]);
  assert.equal(error.cause, cause);
  assert.equal(error.message, `No answer. ${error.advice}`);
});

test("anything thrown becomes such an error, and what is one stays itself", () => {
  const error = new WorkerError("WORKER_CRASHED", "gone");
  assert.equal(asOcelliError(error), error);
  const wrapped = asOcelliError("odd");
  assert.deepEqual([wrapped.code, wrapped.cause], ["INTERNAL", "odd"]);
});
