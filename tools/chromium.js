// Finds a Chromium and its driver, and installs Debian's where that is possible.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
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
