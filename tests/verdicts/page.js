// @ts-check

/** The page in which Chromium replays: keeps one replay for each transcript, for whoever drives it. */

import { Replay } from "./replay.js";

/** @typedef {{ readonly openTranscript: (file: string) => Promise<Replay> }} Page */

/** @type {Map<string, Promise<Replay>>} */
const opened = new Map();
// The path of whoever serves the page, not of the repository.
const modules = "/core/ocelli.js";
const core = import(modules).then(async (module) => {
  await module.default({ module_or_path: "/module/ocelli_bg.wasm" });
  return module;
});

/** @param {string} file */
async function open(file) {
  const response = await fetch(`/transcripts/${file}`);
  return new Replay(await core, new Uint8Array(await response.arrayBuffer()));
}

Object.assign(globalThis, {
  /** @type {Page["openTranscript"]} */
  openTranscript(file) {
    const replay = opened.get(file) ?? open(file);
    opened.set(file, replay);
    return replay;
  },
});
