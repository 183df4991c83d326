import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { digest, unlessUpToDate } from "./up_to_date.js";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ocelli-up-to-date-"));
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src", "a"), "one");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Whether the work was done. @param {() => void} [fail] */
function build(fail = () => {}) {
  const out = join(folder, "out");
  const job = { name: "example", inputs: digest([join(folder, "src")]), outputs: [out] };
  const work = async () => {
    fail();
    writeFileSync(out, "built");
  };
  return unlessUpToDate(job, work, join(folder, "stamp"));
}

test("work is done once for the same inputs", async () => {
  assert.equal(await build(), true);
  assert.equal(await build(), false);
  utimesSync(join(folder, "src", "a"), 0, 0);
  assert.equal(await build(), false);
});

test("work is done again when an input changes, appears or is renamed", async () => {
  await build();
  writeFileSync(join(folder, "src", "a"), "two");
  assert.equal(await build(), true);
  writeFileSync(join(folder, "src", "b"), "");
  assert.equal(await build(), true);
  renameSync(join(folder, "src", "b"), join(folder, "src", "c"));
  assert.equal(await build(), true);
  assert.equal(await build(), false);
});

test("work is done again when its output is gone", async () => {
  await build();
  rmSync(join(folder, "out"));
  assert.equal(await build(), true);
});

test("work that fails is not taken for done, whatever was there before", async () => {
  await build();
  writeFileSync(join(folder, "src", "a"), "two");
  await assert.rejects(
    build(() => {
      throw new Error("broken");
    }),
  );
  writeFileSync(join(folder, "src", "a"), "one");
  assert.equal(await build(), true);
});

test("outputs inside of the inputs' folder are no inputs", async () => {
  const before = digest([folder]);
  mkdirSync(join(folder, "dist"));
  writeFileSync(join(folder, "dist", "x"), "built");
  assert.equal(digest([folder]), before);
  assert.notEqual(digest([join(folder, "dist")]), digest([join(folder, "src")]));
});
