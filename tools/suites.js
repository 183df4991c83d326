// The suites of `npm test`, in the order in which they run: what fails fast comes first.

import { core } from "./suites/core.js";
import { e2e } from "./suites/e2e.js";
import { fuzz } from "./suites/fuzz.js";
import { rust } from "./suites/rust.js";
import { style } from "./suites/style.js";
import { tools } from "./suites/tools.js";
import { types } from "./suites/types.js";
import { unit } from "./suites/unit.js";
import { verdicts } from "./suites/verdicts.js";
import { wasm } from "./suites/wasm.js";

/** @type {import("./suite.js").Suite[]} */
export const suites = [tools, style, core, rust, wasm, types, unit, verdicts, e2e, fuzz];
