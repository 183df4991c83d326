// Times the kernels of every module that the browser takes, and peers, by turns, so that all meet the machine as it is.

import { recoveryByOx } from "./ox.js";

/**
 * @typedef {object} Kernel what is done over and over
 * @property {string} name
 * @property {() => number | undefined} run does it for a moment: how often, or nothing if something came out wrong
 *
 * @typedef {Kernel & { peer: () => Kernel | undefined }} OwnKernel as `wasm/examples/kernels.rs` exports it
 * @typedef {{ variant: string, kernels: OwnKernel[], signatures: () => Uint8Array }} Module
 * @typedef {{ kernel: Kernel, values: number[] }} Timed
 */

/**
 * How often a second, over some time.
 * @param {Kernel} kernel
 * @param {number} ms
 */
function rate(kernel, ms) {
  const began = performance.now();
  let times = 0;
  let took = 0;
  do {
    const done = kernel.run();
    if (done === undefined) throw new Error(`${kernel.name} came out wrong`);
    times += done;
    took = performance.now() - began;
  } while (took < ms);
  return (times / took) * 1_000;
}

/**
 * @param {string} variant
 * @returns {Promise<Module>}
 */
async function load(variant) {
  const module = await import(`/kernels/${variant}/kernels.js`);
  await module.default();
  return { variant, kernels: module.kernels(), signatures: module.signatures };
}

/**
 * @param {string[]} variants those that the browser takes
 * @param {number} rounds
 * @param {number} ms how long a turn takes
 * @param {(line: string) => Promise<void>} tell is told what was timed
 * @returns {Promise<import("../browser.js").Measured[]>}
 */
export async function measureKernels(variants, rounds, ms, tell) {
  const modules = await Promise.all(variants.map(load));
  const ox = await recoveryByOx(modules[0].signatures());
  const measured = [];
  for (const [at, { name }] of modules[0].kernels.entries()) {
    const shared = name.startsWith("recover_") ? timed(ox) : undefined;
    const turns = modules.map(({ variant, kernels }) => {
      const peer = kernels[at].peer();
      return { variant, ours: timed(kernels[at]), peer: shared ?? (peer && timed(peer)) };
    });
    takeTurns(new Set(turns.flatMap(({ ours, peer }) => (peer ? [ours, peer] : [ours]))), rounds, ms);
    for (const { variant, ours, peer } of turns) {
      const beside = peer && { peer: { name: peer.kernel.name, values: peer.values } };
      measured.push({ name: `tab.${name}`, variant, unit: "1/s", values: ours.values, ...beside });
    }
    await tell(`tab.${name}`);
  }
  return measured;
}

/** @param {Kernel} kernel @returns {Timed} */
function timed(kernel) {
  return { kernel, values: [] };
}

/**
 * @param {Iterable<Timed>} all
 * @param {number} rounds
 * @param {number} ms
 */
function takeTurns(all, rounds, ms) {
  // The first rounds compile what the engine finds hot.
  for (let round = -rounds; round < rounds; round += 1) {
    for (const { kernel, values } of all) {
      const perSecond = rate(kernel, ms);
      if (round >= 0) values.push(perSecond);
    }
  }
}
