// `npm start`: sets up whatever is missing, builds whatever has changed and runs a development chain.
// Arguments after `--` go to `ocelli dev`.

import { spawn } from "node:child_process";
import { build } from "./build.js";
import { ocelliBinary, root, webDemoDist } from "./paths.js";

try {
  await build();
  runDevelopmentChain(process.argv.slice(2));
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/**
 * It keeps the terminal, so that Ctrl-C reaches it and it can close its log in order.
 * @param {string[]} args
 */
function runDevelopmentChain(args) {
  const env = { ...process.env, OCELLI_WEB_DEMO: webDemoDist };
  const chain = spawn(ocelliBinary("release"), ["dev", ...args], { cwd: root, env, stdio: "inherit" });
  for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => chain.kill(signal));
  }
  chain.on("error", (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  chain.on("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
  });
}
