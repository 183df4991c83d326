// Finds a Chromium and its driver, and installs Debian's where that is possible.

import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { output } from "./command.js";
import { aptInstall, hasAptGet } from "./debian.js";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVERS = ["chromedriver", "chromium.chromedriver"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/**
 * What keeps a Chromium quiet, alone and able to start as root in a container. `--headless` and `--user-data-dir` are
 * added by whoever starts it.
 */
export const chromiumArguments = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Switches WebAssembly's wide arithmetic on, where Chromium knows of it, and off. */
export const wideArithmetic = "--js-flags=--wasm-wide-arithmetic";
export const noWideArithmetic = "--js-flags=--no-wasm-wide-arithmetic";

/** A module of one function, (i64, i64) -> (i64, i64) by i64.mul_wide_u. */
const WIDE_PROBE = Buffer.from("0061736d01000000" + "01080160027e7e027e7e" + "03020100" + "0a0a01080020002001fc160b", "hex");

/**
 * @typedef {object} Chromium
 * @property {string} browser
 * @property {string} driver
 */

/** The browser to test with. `CHROMIUM` names another one. @returns {string | undefined} */
export function findChromium() {
  return process.env.CHROMIUM ?? find([...BROWSERS, MAC]);
}

/**
 * The browser and its driver, installed if they were missing and this is root on a Debian.
 * @param {import("./command.js").RunOptions} [options]
 * @returns {Promise<Chromium>}
 */
export async function ensureChromium(options) {
  const there = findBoth();
  if (there) return there;
  if (hasAptGet()) await aptInstall(["chromium", "chromium-driver"], options);
  const installed = findBoth();
  if (installed) return installed;
  throw new Error(
    "Chromium or chromedriver is missing. On Debian: sudo apt-get install chromium chromium-driver. " +
      "Elsewhere install both in one version, and name them in CHROMIUM and CHROMEDRIVER if they are not in the PATH.",
  );
}

/**
 * Whether this Chromium takes modules that use wide arithmetic when it is switched on.
 * @param {string} browser
 */
export async function takesWideArithmetic(browser) {
  const profile = mkdtempSync(join(tmpdir(), "ocelli-wide-"));
  try {
    const asked = `WebAssembly.validate(new Uint8Array([${[...WIDE_PROBE]}]))`;
    const page = `data:text/html,<script>document.write("wide: " + ${asked})</script>`;
    const args = [...chromiumArguments, wideArithmetic, "--headless=new", `--user-data-dir=${profile}`, "--dump-dom", page];
    return (await output(browser, args))?.includes("wide: true") ?? false;
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** @returns {Chromium | undefined} */
function findBoth() {
  const browser = findChromium();
  const driver = process.env.CHROMEDRIVER ?? find(DRIVERS);
  return browser && driver ? { browser, driver } : undefined;
}

/** @param {string[]} names */
function find(names) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name)).concat(name)).find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  if (!path.startsWith("/")) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
