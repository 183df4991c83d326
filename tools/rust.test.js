import assert from "node:assert/strict";
import { test } from "node:test";
import { forThisMachine } from "./rust.js";

const HASWELL = "fpu sse2 fma movbe xsave avx f16c abm bmi1 avx2 bmi2 erms".split(" ");
const V3 = { RUSTFLAGS: "-C target-cpu=x86-64-v3" };

test("what is released is for x86-64-v3 where the machine has all of it", () => {
  assert.deepEqual(forThisMachine(HASWELL, {}), V3);
  assert.deepEqual(forThisMachine([...HASWELL, "avx512f", "avx512ifma"], {}), V3);
  for (const missing of ["avx2", "bmi2", "fma", "movbe", "abm"]) {
    assert.deepEqual(forThisMachine(HASWELL.filter((feature) => feature !== missing), {}), {}, missing);
  }
  assert.deepEqual(forThisMachine([], {}), {}, "another system, or another architecture");
});

test("whoever sets RUSTFLAGS decides", () => {
  for (const flags of ["", "-C target-cpu=native"]) assert.deepEqual(forThisMachine(HASWELL, { RUSTFLAGS: flags }), {});
});
