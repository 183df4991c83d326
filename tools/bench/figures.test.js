import assert from "node:assert/strict";
import { test } from "node:test";
import { alone, beside, median, parseFigure, readable } from "./figures.js";
import { report } from "./report.js";

/** @type {import("./figures.js").Figure} */
const recovery = { name: "recover", ours: 200_000, peer: 25_000, peer_name: "libsecp256k1", unit: "1/s", ratio: 8 };

test("a line is a figure or something else", () => {
  assert.deepEqual(parseFigure(JSON.stringify(recovery)), recovery);
  for (const line of ["", "transfers 10 %", "{", '{"level":"INFO"}', '{"name":"tree","ours":null}']) {
    assert.equal(parseFigure(line), undefined, line);
  }
});

test("a rate is above a peer's by as much as it is more", () => {
  assert.deepEqual(beside(alone("recover", 200_000, "1/s"), "libsecp256k1", 25_000), recovery);
});

test("numbers are written with as many digits as they are worth", () => {
  assert.deepEqual([0.1234, 9.999, 12.34, 123.4, 1234567].map(readable), ["0.12", "10.00", "12.3", "123", "1,234,567"]);
});

test("half of the values lie below the median", () => {
  assert.equal(median([5, 1, 4, 2, 3]), 3);
  assert.ok(Number.isNaN(median([])));
});

test("the report has every figure, whatever its name", () => {
  const figures = [alone("transfers", 10_000, "tx/s"), alone("row.transfers.100k.chromium", 40, "ms"), recovery, alone("unheard.of", 1, "")];
  const text = report({ facts: [["Processor", "one"]], figures, remarks: ["Firefox was not found"] });
  for (const { name } of figures) assert.ok(text.includes(`\`${name}\``), name);
  for (const words of ["| Processor | one |", "- Firefox was not found", "| 25,000 | libsecp256k1 | 8.00 |"]) assert.ok(text.includes(words), words);
});
