import assert from "node:assert/strict";
import { test } from "node:test";
import { OcelliError } from "./errors.js";
import { type VerifierOptions, readOptions } from "./options.js";
import { createFakeWorker } from "./testing/fake_worker.js";

const url = "http://127.0.0.1:8545";
const platform = { createWorker: () => createFakeWorker(), parallelism: () => 8 };

test("without more than an address there are a fresh key, some workers and half of their time", () => {
  const one = readOptions({ url }, platform);
  const two = readOptions({ url: new URL(url) }, platform);
  assert.equal(one.key.length, 32);
  assert.notDeepEqual(one.key, two.key);
  assert.deepEqual([one.workers, one.cpu, one.from, one.genesis], [4, 0.5, "latest", undefined]);
  assert.equal(readOptions({ url }, { ...platform, parallelism: () => 1 }).workers, 1);
});

test("the caller's key is copied", () => {
  const key = new Uint8Array(32).fill(7);
  const settings = readOptions({ url, key }, platform);
  key.fill(0);
  assert.equal(settings.key[0], 7);
});

test("options that cannot be meant are refused by name", () => {
  const wrong: readonly [VerifierOptions, RegExp][] = [
    [{ url: "chain.example" }, /url/],
    [{ url: "ftp://chain.example" }, /url/],
    [{ url, workers: 0 }, /workers/],
    [{ url, workers: 1.5 }, /workers/],
    [{ url, workers: 1_000 }, /workers/],
    [{ url, cpu: 0 }, /cpu/],
    [{ url, cpu: 2 }, /cpu/],
    [{ url, cpu: NaN }, /cpu/],
    [{ url, key: new Uint8Array(31) }, /key/],
    [{ url, genesis: "0x12" }, /genesis/],
  ];
  for (const [options, name] of wrong) {
    assert.throws(
      () => readOptions(options, platform),
      (error) => error instanceof OcelliError && error.code === "INVALID_ARGUMENT" && name.test(error.message),
    );
  }
});
