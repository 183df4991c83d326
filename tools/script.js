// What all scripts behind `npm run` do alike: end in order when told to stop, and say what went wrong in one line.

import { onInterrupt } from "./interrupt.js";

/**
 * @param {() => Promise<void>} main
 * @param {(signal: NodeJS.Signals) => void} [stop] by default the process ends, and with it all that it started
 */
export async function script(main, stop = () => process.exit(130)) {
  onInterrupt(stop);
  try {
    await main();
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
