import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { output, run } from "./command.js";
import { mark, sweep } from "./leftovers.js";

/**
 * Runs a shell script that prints ids of processes that it leaves behind.
 * @param {string} script
 * @param {import("./command.js").RunOptions} [options]
 */
async function runScript(script, options = {}) {
  /** @type {number[]} */
  const pids = [];
  const onLine = (/** @type {string} */ line) => void pids.push(Number(line));
  const ended = await run("sh", ["-c", script], { ...options, quiet: true, onLine });
  return { pids, ended };
}

/**
 * Waits for a process to end, which a kill does not.
 * @param {number} pid
 */
async function ends(pid) {
  const deadline = Date.now() + 5_000;
  while (await isRunning(pid)) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

/** A zombie, which only its parent can remove, does not run. @param {number} pid */
async function isRunning(pid) {
  if (!existsSync("/proc/self/stat")) return (await output("ps", ["-p", String(pid)])) !== undefined;
  try {
    return !/ Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

test("output comes in the order written, whichever stream it was written to", async () => {
  /** @type {string[]} */
  const lines = [];
  const script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf end";
  const ended = await run("sh", ["-c", script], { quiet: true, onLine: (line) => lines.push(line) });
  assert.deepEqual(lines, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3", "end"]);
  assert.deepEqual(ended, { ok: true, how: "exit code 0" });
});

test("how a program ended is told", async () => {
  const options = { quiet: true, onLine: () => {} };
  assert.deepEqual(await run("sh", ["-c", "exit 3"], options), { ok: false, how: "exit code 3" });
  assert.deepEqual(await run("sh", ["-c", "kill -9 $$"], options), { ok: false, how: "signal SIGKILL" });
  assert.deepEqual(await run("/no/such/program", []), { ok: false, how: "not found: /no/such/program" });
});

test("a program that is aborted ends, and so does all that it started", async () => {
  const stop = new AbortController();
  /** @type {number[]} */
  const pids = [];
  const onLine = (/** @type {string} */ line) => {
    pids.push(Number(line));
    stop.abort();
  };
  const { ok } = await run("sh", ["-c", "sleep 1000 & echo $!; wait"], { quiet: true, onLine, signal: stop.signal });
  assert.equal(ok, false);
  assert.equal(pids.length, 1);
  assert.ok(await ends(pids[0]));
});

test("what a program leaves running in its group ends with it", async () => {
  const { pids, ended } = await runScript("sleep 1000 >/dev/null 2>&1 & echo $!");
  assert.equal(ended.ok, true);
  assert.ok(await ends(pids[0]));
});

test(
  "what leaves its group is found by its mark",
  { skip: !existsSync("/proc/self/environ") && "there is no /proc here" },
  async () => {
    const name = mark();
    const escape = `const { spawn } = require("node:child_process");
      const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
      child.unref();
      console.log(child.pid);`;
    const { pids } = await runScript(`exec "${process.execPath}" -e '${escape}'`);
    assert.ok(await isRunning(pids[0]));
    const commands = await sweep(name);
    delete process.env[name];
    assert.deepEqual(commands, ["sleep 1000"]);
    assert.ok(await ends(pids[0]));
  },
);
