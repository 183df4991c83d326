/**
 * A real Chromium for tests, as a user has it: the system's own, headless, with an empty profile that goes with it.
 */

import { chromium, type Browser } from "playwright-core";
import { chromiumArguments, findChromium } from "../../tools/chromium.js";

/** `close` ends it; so does `await using`. */
export type TestBrowser = Browser & AsyncDisposable;

export type LaunchOptions = {
  /** Switches on top of those that keep it quiet, such as `--enable-features=...`. */
  readonly args?: readonly string[];
};

/** @throws if there is no Chromium; `npm test` installs one where it can, and says how where it cannot. */
export async function launchBrowser({ args = [] }: LaunchOptions = {}): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error("Chromium is missing: install it, or name its binary in CHROMIUM");
  }
  return chromium.launch({
    executablePath,
    headless: true,
    args: [...chromiumArguments, ...args],
  });
}
