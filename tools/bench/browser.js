// The tasks that `ocelli bench tasks` wrote, checked in real browsers through the built npm package, and what tasks are made of,
// beside peers.
//
// A browser is started on a page that checks tasks in the package's own worker and posts what it measured; nothing drives
// it, so any browser that opens a page will do. Wide arithmetic is switched on where it has to be.

import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromiumArguments, findChromium, wideArithmetic } from "../chromium.js";
import { output, run } from "../command.js";
import { targetDir, wasmDist } from "../paths.js";
import { variants } from "../wasm.js";
import { alone, beside, median } from "./figures.js";

/** Where the module `kernels` is, for each variant that could be built. */
export const KERNELS = join(targetDir, "bench", "kernels");
/** Where the peer that the page imports is. */
export const PEERS = join(targetDir, "bench", "peers");
/** How long a browser may be silent: it starts, checks one folder of tasks, or times one kernel. */
const SILENCE_MS = 120_000;
const TYPES = { ".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm", ".json": "application/json" };

/**
 * What Firefox does not do of its own accord in a new profile; its clock, which it makes coarse, as it is; and wide arithmetic,
 * which it has by itself since version 155.
 */
const FIREFOX_SETTINGS = {
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
  "privacy.reduceTimerPrecision": false,
  "javascript.options.wasm_wide_arithmetic": true,
};

/**
 * @typedef {object} Browser
 * @property {string} name in figures
 * @property {string} version
 * @property {string} command
 * @property {(profile: string, url: string) => string[]} args
 *
 * @typedef {object} Measured what the page posts: what one module took for one kind of task, or did of one kernel
 * @property {string} name
 * @property {string} variant
 * @property {string} unit
 * @property {number[]} values of each check, or turn, in order
 * @property {{ name: string, values: number[] }} [peer] who did the same by turns with it
 */

/** The browsers that there are, and for those that are missing why. */
export async function findBrowsers() {
  /** @type {Browser[]} */
  const found = [];
  /** @type {string[]} */
  const missing = [];
  const chromium = findChromium();
  const version = chromium && (await output(chromium, ["--version"]));
  if (chromium && version) {
    const args = (/** @type {string} */ profile, /** @type {string} */ url) =>
      [...chromiumArguments, wideArithmetic, "--headless=new", `--user-data-dir=${profile}`, url];
    found.push({ name: "chromium", version: lastLine(version), command: chromium, args });
  } else missing.push("Chromium was not found: it is looked for in the PATH, and under the name in CHROMIUM");
  const firefox = await findFirefox();
  if (firefox) found.push(firefox);
  else missing.push("Firefox was not found: it is looked for in the PATH, and under the name in FIREFOX");
  return { found, missing };
}

/** @returns {Promise<Browser | undefined>} */
async function findFirefox() {
  for (const command of process.env.FIREFOX ? [process.env.FIREFOX] : ["firefox", "firefox-esr"]) {
    const version = await output(command, ["--version"]);
    if (version === undefined) continue;
    const args = (/** @type {string} */ profile, /** @type {string} */ url) => {
      const settings = Object.entries(FIREFOX_SETTINGS).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
      writeFileSync(join(profile, "user.js"), settings.join("\n"));
      return ["--headless", "--no-remote", "--profile", profile, url];
    };
    return { name: "firefox", version: lastLine(version), command, args };
  }
  return undefined;
}

/** Warnings may come before it. @param {string} text */
function lastLine(text) {
  return text.trim().split("\n").at(-1) ?? "";
}

/**
 * Has `browser` check the tasks of each folder, and time kernels.
 * @param {Browser} browser
 * @param {string[]} folders
 * @param {{ rounds: number, kernelMs: number }} times how often, and how long a kernel runs each time
 * @param {(line: string) => void} tell is told what goes on
 * @returns {Promise<import("./figures.js").Figure[]>}
 */
export async function measureInBrowser(browser, folders, times, tell) {
  const names = variants.map(({ name }) => name).filter((name) => existsSync(join(KERNELS, name)));
  const plan = { ...times, variants: names, folders: folders.map((_, index) => `tasks/${index}`) };
  const page = await servePage(plan, folders, tell);
  const profile = mkdtempSync(join(tmpdir(), "ocelli-bench-"));
  const stop = new AbortController();
  const running = run(browser.command, browser.args(profile, page.url), { signal: stop.signal, quiet: true, onLine: () => {} });
  try {
    const ended = running.then(({ how }) => {
      throw new Error(`${browser.version} ended before it had measured everything (${how})`);
    });
    const measured = await Promise.race([page.measured, ended]);
    return measured.map(({ name, variant, unit, values, peer }) => {
      const suffix = variant === variants[0].name ? "" : `.${variant}`;
      const figure = alone(`${name}.${browser.name}${suffix}`, median(values), unit);
      return peer === undefined ? figure : beside(figure, peer.name, median(peer.values));
    });
  } finally {
    stop.abort();
    page.close();
    // A browser that is still ending writes into its profile.
    await running;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/**
 * Serves the page, the package, the kernels, their peer and the tasks.
 * @param {{ rounds: number, kernelMs: number, variants: string[], folders: string[] }} plan
 * @param {string[]} folders
 * @param {(line: string) => void} tell
 */
async function servePage(plan, folders, tell) {
  /** @type {(measured: Measured[]) => void} */
  let finish = () => {};
  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** @type {Promise<Measured[]>} */
  const measured = new Promise((resolve, reject) => ([finish, fail] = [resolve, reject]));
  const silent = () => fail(new Error(`the browser said nothing for ${SILENCE_MS / 1_000} s`));
  let silence = setTimeout(silent, SILENCE_MS);
  /** @type {Record<string, (body: string) => void>} */
  const told = {
    "/told": tell,
    "/failed": (message) => fail(new Error(`in the browser: ${message}`)),
    "/measured": (body) => finish(JSON.parse(body)),
  };
  const server = createServer((request, response) => {
    clearTimeout(silence);
    silence = setTimeout(silent, SILENCE_MS);
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (request.method === "POST") return receive(request, response, told[path]);
    if (path === "/plan.json") return response.setHeader("content-type", "application/json").end(JSON.stringify(plan));
    sendFile(response, fileOf(path, folders));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/page/index.html`,
    measured,
    close() {
      clearTimeout(silence);
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {((body: string) => void) | undefined} take
 */
function receive(request, response, take) {
  let body = "";
  request.setEncoding("utf8").on("data", (part) => (body += part));
  request.on("end", () => {
    take?.(body);
    response.writeHead(take ? 204 : 404).end();
  });
}

/**
 * @param {string} path
 * @param {string[]} folders
 */
function fileOf(path, folders) {
  const [, top, ...rest] = normalize(path).split("/");
  if (top === "page") return join(import.meta.dirname, "page", ...rest);
  if (top === "dist") return join(wasmDist, ...rest);
  if (top === "kernels") return join(KERNELS, ...rest);
  if (top === "peers") return join(PEERS, ...rest);
  return top === "tasks" ? join(folders[Number(rest[0])] ?? "", ...rest.slice(1)) : "";
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {string} file
 */
function sendFile(response, file) {
  if (!existsSync(file)) return response.writeHead(404).end();
  const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? "application/octet-stream";
  response.setHeader("content-type", type);
  return createReadStream(file).pipe(response);
}
