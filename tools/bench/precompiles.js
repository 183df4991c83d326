// `npm run bench:precompiles`: what each precompile costs a tab for its gas, in rows that do nothing but call it, checked by the
// plain module in Node; and what the work table would have to say of it. `-- --quick` checks each row once, to see that it runs.
//
// A row of transfers says what a unit of gas ordinarily takes. The work of a call is what it takes, in those units; of that,
// CALL's own gas pays for itself and the loop around it, and the rest is the precompile's.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { must } from "../command.js";
import { targetDir } from "../paths.js";
import { ensureRust, wasmTarget } from "../rust.js";
import { script } from "../script.js";
import { ensureWasmBindgen } from "../wasm.js";
import { median } from "./figures.js";

/** How long a row is checked over and over, by turns with the ordinary one; and that one before all. */
const MS = 500;
const WARM_MS = 4_000;
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
  await must(bindgen, ["--target", "web", "--out-dir", out, module]);
  const rows = await import(pathToFileURL(join(out, `${EXAMPLE}.js`)).href);
  await rows.default({ module_or_path: readFileSync(join(out, `${EXAMPLE}_bg.wasm`)) });
  return rows;
}

/** How long a check takes, in nanoseconds. @param {Row} row */
function check(row) {
  const began = performance.now();
  if (!row.check()) throw new Error(`${row.name}: the row does not hold`);
  return (performance.now() - began) * 1e6;
}

/**
 * How long a row takes, and how long the ordinary one, by turns, so that both meet the machine as it is.
 * @param {Row} row
 * @param {Row} ordinary
 */
function byTurns(row, ordinary) {
  /** @type {[number[], number[]]} */
  const [took, beside] = [[], []];
  const [checks, until] = options.quick ? [1, 0] : [5, performance.now() + MS];
  while (took.length < checks || performance.now() < until) {
    beside.push(check(ordinary));
    took.push(check(row));
  }
  return [median(took), median(beside)];
}

await script(async () => {
  const rows = await build();
  const ordinary = rows.row(0);
  // The engine optimises what is run again and again.
  for (const until = performance.now() + (options.quick ? 0 : WARM_MS); performance.now() < until; ) check(ordinary);
  /** @type {Map<number, number>} */
  const needed = new Map();
  for (let at = 1; at < rows.count(); at += 1) {
    const row = rows.row(at);
    const { name, precompile, calls, callGas, gas } = row;
    const [ns, beside] = byTurns(row, ordinary);
    const unit = beside / ordinary.gas;
    const perGas = `${(ns / gas).toFixed(2)} ns a gas, ${(ns / gas / unit).toFixed(2)} times a transfer's`;
    if (precompile === undefined) {
      console.log(`${name}: ${perGas}`);
      continue;
    }
    const work = ns / unit - (gas - calls * callGas);
    const times = Math.max(1, work / (calls * callGas));
    needed.set(precompile, Math.max(needed.get(precompile) ?? 1, times));
    console.log(`${name}: ${callGas} gas, ${(ns / calls / 1e3).toFixed(2)} us; row ${perGas}; needs ${times.toFixed(1)}`);
  }
  const most = [...needed].sort(([one], [other]) => one - other).map(([, times]) => times.toFixed(1));
  console.log(`Times that each precompile may take, by address: ${most.join(", ")}`);
});
