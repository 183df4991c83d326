// Times the kernels of every module that the browser takes, by turns, so that all meet the machine as it is.

/** What `wasm/examples/kernels.rs` exports. @typedef {{ name: string, run: () => number | undefined }} Kernel */

/** @typedef {{ variant: string, kernels: Kernel[] }} Module */

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
  return { variant, kernels: module.kernels() };
}

/**
 * @param {string[]} variants those that the browser takes
 * @param {number} rounds
 * @param {number} ms how long a turn takes
 * @returns {Promise<import("../browser.js").Measured[]>}
 */
export async function measureKernels(variants, rounds, ms) {
  const modules = await Promise.all(variants.map(load));
  return modules[0].kernels.flatMap((_, at) => {
    const measured = modules.map(({ variant, kernels }) => {
      return { name: `tab.${kernels[at].name}`, variant, unit: "1/s", values: /** @type {number[]} */ ([]) };
    });
    // The first rounds compile what the engine finds hot.
    for (let round = -rounds; round < rounds; round += 1) {
      for (const [of, { kernels }] of modules.entries()) {
        const perSecond = rate(kernels[at], ms);
        if (round >= 0) measured[of].values.push(perSecond);
      }
    }
    return measured;
  });
}
