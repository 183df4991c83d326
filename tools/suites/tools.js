// What counts and cleans up must itself be right.

import { join } from "node:path";
import { filesEnding } from "../node_test.js";
import { root } from "../paths.js";

/** @type {import("../suite.js").Suite} */
export const tools = {
  name: "tools",
  about: "the scripts behind npm start and npm test",
  folders: ["tools"],
  limitMinutes: 3,
  async run(bench) {
    await bench.nodeTest("tests of tools/", filesEnding(join(root, "tools"), ".test.js"), { timeoutMs: 60_000 });
  },
};
