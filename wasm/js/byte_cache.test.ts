import assert from "node:assert/strict";
import { test } from "node:test";
import { createByteCache } from "./byte_cache.js";

test("it never holds more bytes than it may, and lets go of what was used longest ago", () => {
  const cache = createByteCache(10);
  cache.set("a", new Uint8Array(4));
  cache.set("b", new Uint8Array(4));
  cache.get("a");
  cache.set("c", new Uint8Array(4));
  assert.equal(cache.bytes(), 8);
  assert.ok(cache.get("a"));
  assert.equal(cache.get("b"), undefined);
});

test("what is larger than all of it is not kept and drives nothing out", () => {
  const cache = createByteCache(10);
  cache.set("a", new Uint8Array(4));
  cache.set("huge", new Uint8Array(11));
  assert.equal(cache.get("huge"), undefined);
  assert.ok(cache.get("a"));
});

test("a name set again counts once", () => {
  const cache = createByteCache(10);
  cache.set("a", new Uint8Array(4));
  cache.set("a", new Uint8Array(6));
  assert.equal(cache.bytes(), 6);
});
