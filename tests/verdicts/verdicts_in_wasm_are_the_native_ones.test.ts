/**
 * The modules that a browser gets answer every check as the native core does: of honest blocks, of every lie about every block
 * that it can be told of, and of bodies with bits flipped: the plain module in Node, those for relaxed SIMD and for wide
 * arithmetic in Chromium.
 *
 * What the native core answered stands in transcripts. Each is a file that the crate `tests` has written, and each of its names
 * is a test on each machine; whoever has more blocks to ask about writes one more file.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, test } from "node:test";
import { chromiumVariants, openTranscript, startChromium, startNode, transcripts } from "./machines.js";
import type { Replay } from "./replay.js";

const BODIES_AT_LEAST = 100;
const PATIENCE = { timeout: 120_000 };

const files = readdirSync(transcripts).filter((file) => file.endsWith(".transcript"));
const variants = await chromiumVariants();
const browsers = await Promise.all(variants.map(startChromium));
const machines = [await startNode(), ...browsers];
const opened = new Map<string, Replay>();
for (const file of files) opened.set(file, await openTranscript(file));
// From here on nothing waits: a test that is named later would not be run.
after(() => Promise.all(machines.map(({ close }) => close())));

if (!variants.includes("wide")) {
  test("Chromium, wide", { skip: "this Chromium has no wide arithmetic: the module for it was not run" }, () => {});
}

for (const { name, variant, modules } of browsers) {
  test(`${name}: the package takes relaxed SIMD by itself, and offers wide arithmetic where it is`, async () => {
    const { taken, offered } = await modules();
    assert.equal(taken, "/package/simd/ocelli_bg.wasm");
    assert.equal(offered, variant === "wide" ? "/package/wide/ocelli_bg.wasm" : undefined);
  });
}

test("the transcripts of honest blocks, lies and flipped bits are there", () => {
  const ours = ["flips.transcript", "honest.transcript", "lies.transcript"];
  assert.deepEqual(ours.filter((file) => files.includes(file)), ours);
});

for (const [file, { names }] of opened) {
  for (const machine of machines) {
    for (const name of names) {
      test(`${machine.name}, ${file}: ${name}`, PATIENCE, async () => {
        const { checks, differences } = await machine.replay(file, name);
        assert.deepEqual(differences, []);
        assert.ok(checks > 0);
      });
    }
  }
}

const honest = opened.get("honest.transcript")?.cases ?? [];
const bodies = honest.flatMap(({ name, tasks }) => tasks.map(({ kind, index }) => ({ name, kind, index })));

test("there are enough bodies to flip bits of", () => {
  assert.ok(bodies.length >= BODIES_AT_LEAST, `${bodies.length} bodies`);
});

for (const machine of machines) {
  for (const { name, kind, index } of bodies) {
    test(`${machine.name}: every bit of ${kind} ${index} of ${name} flipped on the way`, PATIENCE, async () => {
      const { checks, differences } = await machine.flip("honest.transcript", name, kind, index);
      assert.deepEqual(differences, []);
      assert.ok(checks > 0);
    });
  }
}
