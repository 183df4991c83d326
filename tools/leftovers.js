// Finds and ends processes that outlived what started them, wherever they moved to.
//
// `mark` puts a variable of a unique name into the environment that all later children inherit; `sweep` kills whoever
// still carries it. Needs Linux's /proc; elsewhere process groups (command.js) have to do.

import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const SWEEP_ROUNDS = 20;
const SWEEP_PAUSE_MS = 50;

/** Marks everything started from now on. @returns {string} the mark, for `sweep` */
export function mark() {
  const name = `OCELLI_RUN_${randomBytes(8).toString("hex")}`;
  process.env[name] = "1";
  return name;
}

/**
 * Kills every process that carries the mark and waits until none is left.
 * @param {string} name
 * @returns {Promise<string[]>} the command lines of what had to be killed
 */
export async function sweep(name) {
  /** @type {Map<number, string>} */
  const killed = new Map();
  for (let round = 0; round < SWEEP_ROUNDS; round++) {
    const found = carriers(name);
    if (found.length === 0) break;
    for (const pid of found) {
      killed.set(pid, killed.get(pid) ?? commandLine(pid));
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, SWEEP_PAUSE_MS));
  }
  return [...killed.values()];
}

/** @param {string} name */
function carriers(name) {
  return processes().filter((pid) => pid !== process.pid && read(pid, "environ").includes(`${name}=`));
}

function processes() {
  try {
    return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map(Number);
  } catch {
    return [];
  }
}

/** @param {number} pid */
function commandLine(pid) {
  return read(pid, "cmdline").replaceAll("\0", " ").trim().slice(0, 160) || `process ${pid}`;
}

/**
 * @param {number} pid
 * @param {"environ" | "cmdline"} file
 */
function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    // It ended, or belongs to somebody else.
    return "";
  }
}
