import assert from "node:assert/strict";
import { test } from "node:test";
import { plainWords } from "./plain_words.js";

test("every kind of fault that the core names has plain words of its own", () => {
  const described = ["row 12: Cell { column: 0 }", "column 3: RootAfter", "block: BaseFee", "two headers of one height and term"];
  const words = described.map(plainWords);
  assert.deepEqual(words.map(({ where }) => where), ["row 12", "column 3", "the header", "two signed headers"]);
  assert.equal(new Set(words.map(({ why }) => why)).size, described.length);
});
