// `npm start`: sets up whatever is missing, builds whatever has changed and runs a development chain.
// Arguments after `--` go to `ocelli dev`.

import { spawn } from "node:child_process";
import { build } from "./build.js";
import { ocelliBinary, root } from "./paths.js";
import { script } from "./script.js";

/** @type {import("node:child_process").ChildProcess | undefined} */
let chain;

await script(async () => {
  await build();
  await runDevelopmentChain(process.argv.slice(2));
}, stop);

/**
 * Ends when the chain does, with its exit code. The chain shares the terminal.
 * @param {string[]} args
 * @returns {Promise<void>}
 */
function runDevelopmentChain(args) {
  const child = spawn(ocelliBinary("release"), ["dev", ...args], { cwd: root, stdio: "inherit" });
  chain = child;
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
      resolve();
    });
  });
}

/** @param {NodeJS.Signals} signal */
function stop(signal) {
  if (chain === undefined) process.exit(130);
  // Ctrl-C has reached it already, and a second one would cut its shutdown short.
  if (signal !== "SIGINT" || !process.stdin.isTTY) chain.kill(signal);
}
