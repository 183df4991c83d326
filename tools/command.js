// Runs other programs: output streamed on, nobody left running.
//
// Every program gets a process group of its own, which is killed when the program ends, when its signal aborts and when
// this process ends. What leaves its group on purpose (browsers do) is found by `leftovers.js`.

import { spawn } from "node:child_process";
import { root } from "./paths.js";

/** How long a program may take to end after SIGTERM, and its pipes to close after it ended. */
const GRACE_MS = 3_000;

/** @type {Set<number>} */
const groups = new Set();

/** Where output is streamed on to. @type {NodeJS.WriteStream & { fd: number }} */
let told = process.stdout;

/** From here on what is told, by us and by what we run, goes to stderr: stdout is for the answer alone. */
export function keepStdoutForAnswer() {
  told = process.stderr;
  console.log = console.error;
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] default: the repository
 * @property {NodeJS.ProcessEnv} [env] on top of this process's environment; `undefined` removes a variable
 * @property {AbortSignal} [signal] ends the program and all it started
 * @property {(line: string) => void} [onLine] is given each line of the output (stdout and stderr in the order written)
 * @property {boolean} [quiet] with `onLine`: do not stream the output on
 *
 * @typedef {object} Ended
 * @property {boolean} ok the program ended by itself with exit code 0
 * @property {string} how for people: "exit code 1", "signal SIGSEGV", "not found: cargo"
 */

/**
 * Runs a program to its end. Its stdin is empty. Never rejects.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<Ended>}
 */
export function run(command, args, { cwd = root, env = {}, signal, onLine, quiet = false } = {}) {
  if (signal?.aborted) return Promise.resolve({ ok: false, how: "not started" });
  // One pipe for both streams, because only that keeps their lines in order.
  const [file, argv] = onLine
    ? ["/bin/sh", ["-c", 'exec "$@" 2>&1', "sh", command, ...args]]
    : [command, args];
  const child = spawn(file, argv, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", onLine ? "pipe" : told.fd, "inherit"],
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);

  /** @type {NodeJS.Timeout | undefined} */
  let harder;
  const abort = () => {
    if (group === undefined) return;
    kill(group, "SIGTERM");
    harder = setTimeout(() => kill(group, "SIGKILL"), GRACE_MS).unref();
  };
  signal?.addEventListener("abort", abort, { once: true });

  const output = child.stdout && onLine ? splitLines(onLine) : undefined;
  child.stdout?.on("data", (/** @type {Buffer} */ chunk) => {
    if (!quiet) told.write(chunk);
    output?.push(chunk);
  });

  return new Promise((resolve) => {
    const end = (/** @type {Ended} */ ended) => {
      output?.end();
      resolve(ended);
    };
    child.on("error", (error) => end({ ok: false, how: describe(error, command) }));
    child.on("exit", () => {
      // From here on its id may become that of another program.
      clearTimeout(harder);
      signal?.removeEventListener("abort", abort);
      if (group !== undefined) {
        kill(group, "SIGKILL");
        groups.delete(group);
      }
      // A process outside the group may still hold the pipe.
      setTimeout(() => child.stdout?.destroy(), GRACE_MS).unref();
    });
    child.on("close", (code, killedBy) =>
      end({ ok: code === 0, how: killedBy ? `signal ${killedBy}` : `exit code ${code}` }),
    );
  });
}

/**
 * Runs a program whose output is the answer.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string | undefined>} the output, or nothing if the program is missing or failed
 */
export async function output(command, args, options = {}) {
  /** @type {string[]} */
  const lines = [];
  const { ok } = await run(command, args, { ...options, quiet: true, onLine: (line) => lines.push(line) });
  return ok ? lines.join("\n") : undefined;
}

/**
 * Runs a program that has to succeed.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 */
export async function must(command, args, options) {
  const { ok, how } = await run(command, args, options);
  if (!ok) throw new Error(`\`${[command, ...args].join(" ")}\` failed (${how})`);
}

/** Kills every program that `run` started and that has not ended. */
export function killAll() {
  for (const group of groups) kill(group, "SIGKILL");
  groups.clear();
}

process.on("exit", killAll);

/**
 * @param {number} group
 * @param {NodeJS.Signals} signal
 */
function kill(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left in it.
  }
}

/**
 * @param {NodeJS.ErrnoException} error
 * @param {string} command
 */
function describe(error, command) {
  return error.code === "ENOENT" ? `not found: ${command}` : error.message;
}

/** @param {(line: string) => void} onLine */
function splitLines(onLine) {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    /** @param {Buffer} chunk */
    push(chunk) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
    },
    end() {
      if (rest !== "") onLine(rest);
      rest = "";
    },
  };
}
