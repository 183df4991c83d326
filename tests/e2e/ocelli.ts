/**
 * A development chain for one test: the real binary on a free port, over a data folder of its own.
 *
 * Whatever the test does, the chain's whole process group is gone when the chain is stopped and when the test's process
 * ends.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ocelliBinary, root } from "../../tools/paths.js";

const READY_MS = 60_000;
const POLL_MS = 25;
const STOP_MS = 10_000;
/** How much of what the chain printed is kept for error messages. */
const LOG_CHARACTERS = 20_000;

export type StartOptions = {
  /** Arguments of `ocelli dev` beyond address and data folder. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A folder to continue from, which is then the caller's to remove. Without it there is a new one, removed at the end. */
  readonly dataDir?: string;
};

export type Ocelli = AsyncDisposable & {
  /** JSON-RPC and the page, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** JSON-RPC over WebSocket. */
  readonly wsUrl: string;
  readonly dataDir: string;
  /** The end of what it has printed. */
  readonly log: () => string;
  /** Ends it as an operator would, with SIGTERM. */
  readonly stop: () => Promise<void>;
  /** Ends it as a power cut would, with SIGKILL. */
  readonly kill: () => Promise<void>;
};

/**
 * Starts `ocelli dev` and waits until `/healthz` says that it is ready.
 *
 * @throws if it ends before that or takes too long, with what it printed.
 */
export async function startOcelli({ args = [], env = {}, dataDir }: StartOptions = {}): Promise<Ocelli> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), "ocelli-")));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const chain = spawn(ocelliBinary("dev"), ["dev", "--listen", address, "--data-dir", folder, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killGroup = () => signalGroup(chain, "SIGKILL");
  process.once("exit", killGroup);

  const ended = endOf(chain);
  const log = keepLog(chain);
  const end = async (signal: NodeJS.Signals) => {
    signalGroup(chain, signal);
    const patience = new AbortController();
    await Promise.race([ended, pause(STOP_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
    killGroup();
    await ended;
    process.removeListener("exit", killGroup);
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };

  const url = `http://${address}`;
  try {
    await untilReady(`${url}/healthz`, ended);
  } catch (error) {
    await end("SIGKILL");
    throw new Error(`ocelli dev did not become ready: ${(error as Error).message}\n${log()}`);
  }
  const stop = () => end("SIGTERM");
  return {
    url,
    wsUrl: `ws://${address}`,
    dataDir: folder,
    log,
    stop,
    kill: () => end("SIGKILL"),
    [Symbol.asyncDispose]: stop,
  };
}

async function untilReady(healthz: string, ended: Promise<string>): Promise<void> {
  let how: string | undefined;
  void ended.then((value) => (how = value));
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    if (how !== undefined) throw new Error(how);
    if (await isReady(healthz)) return;
    await pause(POLL_MS);
  }
  throw new Error(`no answer within ${READY_MS / 1000} s`);
}

async function isReady(healthz: string): Promise<boolean> {
  try {
    const response = await fetch(healthz, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Resolves when the process has ended, with how. */
function endOf(chain: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    chain.once("error", (error) => resolve(error.message));
    chain.once("exit", (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
  });
}

function keepLog(chain: ChildProcess): () => string {
  let text = "";
  for (const stream of [chain.stdout, chain.stderr]) {
    stream?.setEncoding("utf8").on("data", (part: string) => {
      text = (text + part).slice(-LOG_CHARACTERS);
    });
  }
  return () => text;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
