// Checks tasks in the npm package's own worker, as a verifier in a tab does, and posts how long each check took; and how often
// a second it does what tasks are made of.

/// <reference lib="dom" />

import { measureKernels } from "./kernels.js";

/** @typedef {import("../browser.js").Measured} Measured */

/** What `tasks.json` says. @typedef {{ row: string, column: string, block: string, rows: number[], columns: number[], codes: number }} Listing */

/** @param {string} path @param {string} body */
async function post(path, body) {
  await fetch(path, { method: "POST", body });
}

/** @param {string} path */
async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {Worker} worker */
function client(worker) {
  let last = 0;
  /** @param {string} name @param {object} given @returns {Promise<any>} */
  return function call(name, given) {
    last += 1;
    const id = last;
    return new Promise((resolve, reject) => {
      /** @param {MessageEvent} event */
      const receive = ({ data }) => {
        if (data.id !== id) return;
        worker.removeEventListener("message", receive);
        if (data.kind === "answer") resolve(data.answer);
        else reject(new Error(data.message));
      };
      worker.addEventListener("message", receive);
      worker.addEventListener("error", (event) => reject(new Error(event.message || "the worker crashed")), { once: true });
      worker.postMessage({ id, name, given });
    });
  };
}

/**
 * A worker that has the chain, and everything that it may ask for.
 * @param {WebAssembly.Module} module
 * @param {string} folder
 * @param {Listing} listing
 */
async function prepare(module, folder, { block, codes }) {
  const worker = new Worker("/dist/worker.js", { type: "module" });
  const call = client(worker);
  await call("init", { module, config: await bytes(`/${folder}/config`), genesis: undefined, cpu: 1 });
  const source = { parent: await bytes(`/${folder}/parent`), document: await bytes(`/${folder}/document`) };
  const code = await Promise.all(Array.from({ length: codes }, (_, index) => bytes(`/${folder}/code-${index}`)));
  /** @param {"row" | "column"} kind @param {number} index @param {Uint8Array} body @returns {Promise<number>} */
  async function check(kind, index, body) {
    const request = { block, source: undefined, kind, index, body, codes: [], fresh: false };
    let result = await call("check", request);
    if (result.kind === "needs-block") result = await call("check", { ...request, source });
    if (result.kind === "needs-codes") result = await call("check", { ...request, source, codes: code });
    if (result.verdict?.kind !== "valid") throw new Error(`${kind} ${index}: ${JSON.stringify(result)}`);
    return result.ms;
  }
  return { check, terminate: () => worker.terminate() };
}

/**
 * @param {WebAssembly.Module} module
 * @param {string} variant
 * @param {string} folder
 * @param {number} rounds
 * @returns {Promise<Measured[]>}
 */
async function measureFolder(module, variant, folder, rounds) {
  const listing = /** @type {Listing} */ (await (await fetch(`/${folder}/tasks.json`)).json());
  const { check, terminate } = await prepare(module, folder, listing);
  /** @type {Measured[]} */
  const checked = [];
  for (const kind of /** @type {const} */ (["row", "column"])) {
    const indexes = kind === "row" ? listing.rows : listing.columns;
    const bodies = await Promise.all(indexes.map((index) => bytes(`/${folder}/${kind}-${index}`)));
    const values = [];
    // The first round compiles what the engine finds hot, and opens the block.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [at, index] of indexes.entries()) {
        const took = await check(kind, index, bodies[at]);
        if (round > 0) values.push(took);
      }
    }
    checked.push({ name: listing[kind], variant, unit: "ms", values });
    await post("/told", `${listing[kind]}, module ${variant}: ${values.length} checks`);
  }
  terminate();
  return checked;
}

async function main() {
  const { variants, folders, rounds, kernelMs } = await (await fetch("/plan.json")).json();
  /** @type {Measured[]} */
  const measured = [];
  /** @type {string[]} */
  const taken = [];
  for (const variant of variants) {
    /** @type {WebAssembly.Module} */
    let module;
    try {
      module = await WebAssembly.compileStreaming(fetch(`/dist/${variant}/ocelli_bg.wasm`));
    } catch (error) {
      await post("/told", `module ${variant} does not compile here: ${error}`);
      continue;
    }
    taken.push(variant);
    for (const folder of folders) measured.push(...(await measureFolder(module, variant, folder, rounds)));
  }
  await post("/told", `kernels of the modules ${taken.join(", ")}`);
  measured.push(...(await measureKernels(taken, rounds, kernelMs, (line) => post("/told", line))));
  await post("/measured", JSON.stringify(measured));
}

main().catch((error) => post("/failed", String(error)));
