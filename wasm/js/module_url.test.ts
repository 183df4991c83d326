import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { hasRelaxedSimd } from "./has_relaxed_simd.js";
import { hasWideArithmetic } from "./has_wide_arithmetic.js";
import { moduleUrl, wideModuleUrl } from "./module_url.js";

const module = (variant: string) => readFile(new URL(`../dist/${variant}/ocelli_bg.wasm`, import.meta.url));

test("the module for relaxed SIMD is taken exactly where it is said to be", async () => {
  assert.equal(WebAssembly.validate(await module("simd")), hasRelaxedSimd());
});

test("the plain module is taken everywhere", async () => {
  assert.ok(WebAssembly.validate(await module("base")));
});

test("the module that is chosen is one that is taken here", async () => {
  const variant = hasRelaxedSimd() ? "simd" : "base";
  assert.ok(moduleUrl().pathname.endsWith(`/${variant}/ocelli_bg.wasm`));
  assert.ok(WebAssembly.validate(await module(variant)));
});

test("the module for wide arithmetic is offered exactly where it is said to be taken", () => {
  const offered = wideModuleUrl()?.pathname.endsWith("/wide/ocelli_bg.wasm");
  assert.equal(offered, hasWideArithmetic() ? true : undefined);
});
