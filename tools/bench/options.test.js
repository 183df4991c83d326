import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.js";

test("what is measured has to be named", () => {
  assert.deepEqual(parseOptions(["native"]), { part: "native", json: false, quick: false, rounds: "7" });
  const all = ["browser", "--json", "--quick", "--rounds", "3"];
  assert.deepEqual(parseOptions(all), { part: "browser", json: true, quick: true, rounds: "3" });
  assert.equal(parseOptions(["native", "--help"]), undefined);
});

test("what is not known is refused, before anything is measured or written", () => {
  for (const args of [[], ["--quick"], ["nativ"], ["native", "browser"], ["native", "--fast"], ["native", "--rounds", "0"]]) {
    assert.throws(() => parseOptions(args), Error, args.join(" "));
  }
});
