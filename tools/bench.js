// `npm run bench` measures everything and writes `docs/benchmarks.md`, `.jsonl` and `.log`. `npm run bench:browser`
// measures what tasks and what they are made of cost in a tab, through the built npm package, and tasks natively; with
// `-- --json` it prints a JSON object a line. `-- --quick` measures everything for a moment each, to see that it runs, and writes nothing.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { KERNELS, PEERS, findBrowsers, measureInBrowser } from "./bench/browser.js";
import { parseFigure, readable } from "./bench/figures.js";
import { machine } from "./bench/machine.js";
import { readOptions } from "./bench/options.js";
import { bundleOx } from "./bench/ox.js";
import { report } from "./bench/report.js";
import { sizes } from "./bench/sizes.js";
import { buildOcelli } from "./build.js";
import { ensureChromium } from "./chromium.js";
import { keepStdoutForAnswer, run } from "./command.js";
import { buildPackage } from "./demo.js";
import { ensureDependencies } from "./dependencies.js";
import { ocelliBinary, root, targetDir } from "./paths.js";
import { ensureRust } from "./rust.js";
import { script } from "./script.js";
import { buildExample, buildWasm } from "./wasm.js";

/** @typedef {import("./bench/figures.js").Figure} Figure */

const FOLDER = join(targetDir, "bench");
/** The tasks that are measured: rows of two kinds, columns over two sizes of state. */
const TASKS = [
  { name: "transfers-100k", args: ["--workload", "transfers", "--accounts", "100000"] },
  { name: "erc20-100k", args: ["--workload", "erc20", "--accounts", "100000"] },
  { name: "transfers-1m", args: ["--workload", "transfers", "--accounts", "1000000"] },
];

/**
 * What is measured natively alone, as a whole and for a moment. What a command measures more than once says `as` what else, which
 * comes after the first part of its figures' names.
 * @type {{ command: string, as?: string, args: string[], quick: string[] }[]}
 */
const NATIVE = [
  { command: "kernels", args: [], quick: ["--rounds", "1", "--keys", "20000", "--batch", "1000"] },
  {
    command: "kernels",
    as: "10m",
    args: ["--kernel", "tree", "--keys", "10000000", "--alone"],
    quick: ["--kernel", "tree", "--keys", "30000", "--batch", "1000", "--rounds", "1", "--alone"],
  },
  { command: "pipeline", args: ["--seconds", "15"], quick: ["--seconds", "1", "--accounts", "10000", "--transactions", "1000"] },
  { command: "pipeline", as: "1m", args: sustained("1000000"), quick: ["--seconds", "1", "--accounts", "20000", "--transactions", "1000"] },
  {
    command: "pipeline",
    as: "10m",
    args: [...sustained("10000000"), "--workload", "transfers"],
    quick: ["--seconds", "1", "--accounts", "40000", "--transactions", "1000", "--workload", "transfers"],
  },
  { command: "executor", args: [], quick: ["--rounds", "1", "--accounts", "10000", "--transactions", "1000"] },
  { command: "network", args: ["--anvil", anvilBinary()], quick: ["--seconds", "1", "--rounds", "1", "--anvil", anvilBinary()] },
  { command: "restart", args: ["--accounts", "1000000", "--transactions", "10000000", "--block", "10000"], quick: ["--accounts", "1000", "--transactions", "4000"] },
  {
    command: "restart",
    as: "10m",
    // A snapshot is due after 4.2 million of them.
    args: ["--accounts", "10000000", "--transactions", "4600000", "--block", "10000"],
    quick: ["--accounts", "2000", "--transactions", "4000"],
  },
];

/** How long a kernel runs in a tab before it is the next module's turn. */
const KERNEL_MS = 200;

const options = readOptions(process.argv.slice(2));

/** A whole minute of our own time with so many accounts. @param {string} accounts */
function sustained(accounts) {
  return ["--accounts", accounts, "--seconds", "60"];
}

/** Foundry's anvil: npm's package has the binary in a package for each platform. */
function anvilBinary() {
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  return join(root, "node_modules", "@foundry-rs", `anvil-${process.platform}-${arch}`, "bin", "anvil");
}

/** What was told and what commands said, as it came. @type {string[]} */
const log = [];

/** Without where on this machine it was, and at which port: what is written down is for others. @param {string} line */
function placeless(line) {
  return line.replaceAll(`${root}${sep}`, "").replaceAll(/(127\.0\.0\.1):\d+/g, "$1");
}

/** Progress is for people: where the answer is JSON, it goes beside it. @param {string} line */
function tell(line) {
  log.push(placeless(line));
  process.stderr.write(`${line}\n`);
}

/** @param {Figure[]} figures */
function show(figures) {
  for (const { name, ours, unit, peer, peer_name, ratio } of figures) {
    const beside = peer === null ? "" : `, ${peer_name} ${readable(peer)}: ${ratio?.toFixed(2)} times`;
    tell(`  ${name} ${readable(ours)} ${unit}${beside}`);
  }
}

/**
 * Runs `ocelli bench` and reads its figures, and what it warns of: a peer that did not measure, say.
 * @param {string[]} args
 * @returns {Promise<{ figures: Figure[], warnings: string[] }>}
 */
async function native(args) {
  tell(`ocelli bench ${args.join(" ")}`);
  /** @type {Figure[]} */
  const figures = [];
  /** @type {string[]} */
  const words = [];
  const onLine = (/** @type {string} */ line) => {
    log.push(placeless(line));
    const figure = parseFigure(line);
    if (figure === undefined) return void words.push(line);
    figures.push(figure);
    show([figure]);
  };
  const chain = join(FOLDER, "chain");
  // What was interrupted left it.
  rmSync(chain, { recursive: true, force: true });
  const all = ["--log", "warn", "bench", ...args, "--data-dir", chain, "--json"];
  const { ok, how } = await run(ocelliBinary("release"), all, { quiet: true, onLine });
  if (!ok) throw new Error(`ocelli bench ${args.join(" ")} failed (${how})\n${words.join("\n")}`);
  const warnings = words.flatMap((line) => line.match(/\bWARN (.*)$/)?.[1] ?? []);
  const remarks = warnings.map((warning) => placeless(`\`ocelli bench ${args.join(" ")}\` warned: ${warning}`));
  return { figures, warnings: [...new Set(remarks)] };
}

/** Rows and columns, natively and in every browser that there is. */
async function tasks() {
  const rounds = options.quick ? "1" : options.rounds;
  const times = { rounds: Number(rounds), kernelMs: options.quick ? 1 : KERNEL_MS };
  const kinds = options.quick ? TASKS.slice(0, 1) : TASKS;
  const figures = [];
  const remarks = [];
  for (const { name, args } of kinds) {
    const measured = await native(["tasks", ...args, "--rounds", rounds, "--out", join(FOLDER, name)]);
    figures.push(...measured.figures);
    remarks.push(...measured.warnings);
  }
  const { found, missing } = await findBrowsers();
  remarks.push(...missing);
  for (const browser of found) {
    tell(`${browser.version}: checking the same tasks`);
    try {
      const checked = await measureInBrowser(browser, kinds.map(({ name }) => join(FOLDER, name)), times, (line) => tell(`  ${line}`));
      show(checked);
      figures.push(...checked);
      remarks.push(`${browser.name} is ${browser.version}, headless, with wide arithmetic switched on.`);
    } catch (error) {
      if (browser.name === "chromium") throw error;
      remarks.push(`${browser.version} did not measure: ${error instanceof Error ? error.message : error}`);
    }
  }
  for (const remark of missing) tell(remark);
  return { figures, remarks };
}

/** `a.b` as `a.as.b`. @param {string} name @param {string} as */
function named(name, as) {
  const [first, ...rest] = name.split(".");
  return [first, as, ...rest].join(".");
}

async function everything() {
  const started = Date.now();
  const facts = await machine();
  const figures = [];
  /** @type {string[]} */
  const remarks = [];
  let isWhole = true;
  for (const { command, as, args, quick } of NATIVE) {
    const all = [command, ...(options.quick ? quick : args)];
    try {
      const { figures: found, warnings } = await native(all);
      remarks.push(...warnings);
      figures.push(...(as === undefined ? found : found.map((figure) => ({ ...figure, name: named(figure.name, as) }))));
    } catch (error) {
      // What was measured before it, and will be after, is worth having.
      tell(String(error));
      isWhole = false;
      remarks.push(`\`ocelli bench ${all.join(" ")}\` did not come to its end, so its figures are missing.`);
    }
  }
  const checked = await tasks();
  figures.push(...checked.figures);
  remarks.push(...checked.remarks);
  const downloads = sizes();
  show(downloads);
  figures.push(...downloads);
  facts.push(["It took", `${Math.round((Date.now() - started) / 1_000)} s, after everything was built`]);
  return { facts, figures, remarks, isWhole };
}

/** @param {Awaited<ReturnType<typeof everything>>} measured */
function write(measured) {
  const docs = join(root, "docs");
  writeFileSync(join(docs, "benchmarks.jsonl"), lines(measured.figures));
  writeFileSync(join(docs, "benchmarks.md"), report(measured));
  writeFileSync(join(docs, "benchmarks.log"), log.map((line) => `${line}\n`).join(""));
  tell("Written: docs/benchmarks.md, docs/benchmarks.jsonl, docs/benchmarks.log");
}

/** @param {Figure[]} figures */
function lines(figures) {
  return figures.map((figure) => `${JSON.stringify(figure)}\n`).join("");
}

async function build() {
  await ensureRust();
  await ensureDependencies();
  await ensureChromium();
  await buildWasm();
  await buildPackage();
  await buildExample("kernels", KERNELS);
  await bundleOx(PEERS);
  await buildOcelli("release", { features: ["peers"] });
  mkdirSync(FOLDER, { recursive: true });
}

await script(async () => {
  if (options.json) keepStdoutForAnswer();
  await build();
  if (options.part === "browser") {
    const { figures } = await tasks();
    if (options.json) process.stdout.write(lines(figures));
    return;
  }
  const measured = await everything();
  if (options.json) process.stdout.write(lines(measured.figures));
  if (!options.quick) write(measured);
  if (!measured.isWhole) process.exitCode = 1;
});
