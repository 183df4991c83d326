// The core is one source for three worlds: it must compile for each of them, alone, with nothing but its own features. And its
// fastest recovery of signatures, compiled as it is released, must agree with libsecp256k1 on more inputs than a debug build could try.

import { ensureRust, ensureTargets, forThisMachine, hostTarget, wasmTarget } from "../rust.js";

/** A server, a browser, and a bare machine without an operating system, which shows that it is `no_std`. */
const TARGETS = ["x86_64-unknown-linux-gnu", wasmTarget, "riscv32imac-unknown-none-elf"];

const SIGNATURES = 10_000_000;

/** @type {import("../suite.js").Suite} */
export const core = {
  name: "core",
  about: "the core compiles for a server, a browser and a bare RISC-V machine, and recovers what libsecp256k1 does",
  folders: ["core"],
  limitMinutes: 15,
  async run(bench) {
    await ensureRust(bench.options);
    const host = await hostTarget();
    await ensureTargets(TARGETS.filter((target) => target !== host), bench.options);
    for (const target of TARGETS) {
      // For the host itself without `--target`, which shares what other suites have compiled.
      const args = target === host ? [] : ["--target", target];
      await bench.check(`ocelli-core for ${target}`, "cargo", ["check", "--package", "ocelli-core", ...args]);
    }
    const differential = ["run", "--release", "--package", "ocelli-core", "--example", "recover_differential", "--"];
    const name = `${SIGNATURES} signatures recovered as by libsecp256k1`;
    await bench.check(name, "cargo", [...differential, `${SIGNATURES}`], { env: forThisMachine() });
  },
};
