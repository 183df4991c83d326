import assert from "node:assert/strict";
import { test } from "node:test";
import type { OcelliError, VerifierStatus } from "ocelli";
import { quietLine } from "./quiet_line.js";

const idle = { isFaulty: false, isIdle: true, isEmpty: false };
const lost = (code: string): VerifierStatus => ({ state: "connecting", error: { code, message: "gone" } as OcelliError });

test("an idle chain is said to be idle only while this tab follows it", () => {
  assert.match(quietLine({ ...idle, status: { state: "following" } }), /All is checked/);
  assert.match(quietLine({ ...idle, isEmpty: true, status: { state: "following" } }), /No block since you came/);
  assert.equal(quietLine({ ...idle, status: lost("CONNECTION_LOST") }), "gone");
  for (const state of ["connecting", "paused", "stopped"] as const) {
    assert.doesNotMatch(quietLine({ ...idle, status: { state } }), /All is checked|No block/);
  }
});

test("a chain at work needs no words", () => {
  assert.equal(quietLine({ ...idle, isIdle: false, status: { state: "following" } }), "");
});

test("another chain at the same address takes a new visit", () => {
  assert.match(quietLine({ ...idle, status: lost("OTHER_CHAIN") }), /Load the page again/);
});

test("a fault comes before everything else, and nothing is said of the sequencer that nobody knows", () => {
  const line = quietLine({ ...idle, isFaulty: true, status: lost("CONNECTION_LOST") });
  assert.match(line, /faulty/);
  assert.doesNotMatch(line, /stopped/);
});
