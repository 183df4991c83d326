// `npm run bench:precompiles`: what each precompile costs a tab for its gas, in rows that do nothing but call it, checked by the
// plain module in Node; and what the work table would have to say of it. `-- --quick` checks each row once, to see that it runs.
//
// A row of transfers says what a unit of gas ordinarily takes. The work of a call is what it takes, in those units; of that,
// CALL's own gas pays for itself and the loop around it, and the rest is the precompile's.

import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../command.js";
import { targetDir } from "../paths.js";
import { ensureRust, wasmTarget } from "../rust.js";
import { script } from "../script.js";
import { ensureWasmBindgen } from "../wasm.js";

/** How long a row is checked over and over; the one that all are compared with, until the engine has optimised everything. */
const MS = 300;
const ORDINARY_MS = 4_000;
const EXAMPLE = "precompile_costs";

const { values: options } = parseArgs({ options: { quick: { type: "boolean", default: false } } });

/**
 * What `wasm/examples/precompile_costs.rs` exports.
 * @typedef {{ name: string, precompile?: number, calls: number, callGas: number, gas: number, check: () => boolean }} Row
 * @typedef {{ count: () => number, row: (at: number) => Row }} Rows
 */

/** @returns {Promise<Rows>} */
async function build() {
  await ensureRust();
  const bindgen = await ensureWasmBindgen();
  const args = ["build", "--package", "ocelli-wasm", "--example", EXAMPLE, "--profile", "wasm", "--target", wasmTarget];
  await must("cargo", args, { env: { RUSTFLAGS: undefined, CARGO_ENCODED_RUSTFLAGS: undefined } });
  const module = join(targetDir, wasmTarget, "wasm", "examples", `${EXAMPLE}.wasm`);
  const out = join(targetDir, "bench", EXAMPLE);
  await must(bindgen, ["--target", "nodejs", "--out-dir", out, module]);
  return createRequire(import.meta.url)(join(out, `${EXAMPLE}.js`));
}

/**
 * The least time of a check, in nanoseconds: whatever else the machine does only adds.
 * @param {Row} row
 * @param {number} ms how long it is checked over and over
 */
function time(row, ms) {
  const [checks, until] = options.quick ? [1, 0] : [5, performance.now() + ms];
  let least = Number.POSITIVE_INFINITY;
  for (let check = 0; check < checks || performance.now() < until; check += 1) {
    const began = performance.now();
    if (!row.check()) throw new Error(`${row.name}: the row does not hold`);
    least = Math.min(least, (performance.now() - began) * 1e6);
  }
  return least;
}

await script(async () => {
  const rows = await build();
  let ordinary = Number.NaN;
  /** @type {Map<number, number>} */
  const needed = new Map();
  for (let at = 0; at < rows.count(); at += 1) {
    const row = rows.row(at);
    const { name, precompile, calls, callGas, gas } = row;
    const ns = time(row, at === 0 ? ORDINARY_MS : MS);
    if (at === 0) ordinary = ns / gas;
    const perGas = `${(ns / gas).toFixed(2)} ns a gas, ${(ns / gas / ordinary).toFixed(2)} times ordinary`;
    if (precompile === undefined) {
      console.log(`${name}: ${perGas}`);
      continue;
    }
    const work = ns / ordinary - (gas - calls * callGas);
    const sixteenths = Math.max(16, Math.ceil((16 * work) / (calls * callGas)));
    needed.set(precompile, Math.max(needed.get(precompile) ?? 16, sixteenths));
    console.log(`${name}: ${callGas} gas, ${(ns / calls / 1e3).toFixed(2)} us, row ${perGas}; sixteenths ${sixteenths}`);
  }
  console.log(`Sixteenths of work that a gas of each precompile takes at most: [${[...needed].sort(([a], [b]) => a - b).map(([, most]) => most).join(", ")}]`);
});
