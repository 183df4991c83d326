/** `ocelli bench` transfers a token whose code it holds: it is what the compiler makes of OpenZeppelin's sources. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../tools/paths.js";
import { compile } from "./contracts.js";

test("the token's code is what the compiler makes of its source", () => {
  const held = readFileSync(join(root, "native-sequencer", "src", "bench", "contracts", "token.hex"), "utf8");
  assert.equal(`0x${held.trim()}`, compile().Token.runtime);
});
