/**
 * Whatever moment the sequencer is killed at, it continues with everything that it acknowledged: transactions stay, no
 * height gets a second hash, and the chain that is left verifies from genesis.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { createPublicClient, http, type Address, type Hash } from "viem";
import { mnemonicToAccount, type HDAccount } from "viem/accounts";
import { ocelliBinary } from "../../tools/paths.js";
import { startOcelli, type Ocelli } from "./ocelli.js";
import { sealed } from "./sealed.js";

const KILLS = 100;
const SENDERS = 6;
const LONGEST_LIFE_MS = 350;
/** So that a failure can be repeated: the moments of the kills come from this seed. */
const SEED = 0x0ce111;
const MNEMONIC = "test test test test test test test test test test test junk";
const GWEI = 1_000_000_000n;

type Sender = { readonly account: HDAccount; acknowledged: number };

test(`nothing acknowledged is lost by ${KILLS} kills under load`, { timeout: 540_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "ocelli-kill-"));
  const random = sequence(SEED);
  const senders: Sender[] = Array.from({ length: SENDERS }, (_, addressIndex) => ({
    account: mnemonicToAccount(MNEMONIC, { addressIndex }),
    acknowledged: 0,
  }));
  const hashes: Hash[] = [];
  const published = new Map<bigint, Hash>();
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const chain = await startOcelli({ dataDir, args: ["--quiet"] });
      await assertContinues(chain, senders, published);
      const life = new AbortController();
      const load = [...senders.map((sender) => send(chain, sender, hashes, life.signal)), watch(chain, published, life.signal)];
      await pause(20 + (random() % LONGEST_LIFE_MS));
      await chain.kill();
      life.abort();
      await Promise.all(load);
    }
    const chain = await startOcelli({ dataDir, args: ["--quiet"] });
    await assertContinues(chain, senders, published);
    await assertAllSealed(chain, hashes);
    await assertVerifies(chain);
    await chain.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
  assert.ok(hashes.length > KILLS, `only ${hashes.length} transactions were acknowledged: no load`);
  assert.ok(published.size > KILLS / 4, `only ${published.size} blocks were seen`);
});

/** Sends transfers one after the other until the chain dies; counts those that were acknowledged. */
async function send(chain: Ocelli, sender: Sender, hashes: Hash[], life: AbortSignal): Promise<void> {
  while (!life.aborted) {
    const raw = await sender.account.signTransaction({
      type: "eip1559",
      chainId: 31_337,
      nonce: sender.acknowledged,
      gas: 21_000n,
      maxFeePerGas: 100n * GWEI,
      maxPriorityFeePerGas: GWEI,
      to: sender.account.address,
      value: BigInt(sender.acknowledged),
    });
    const answer = await call<Hash>(chain, "eth_sendRawTransaction", [raw]).catch(() => undefined);
    if (answer === undefined) return;
    if (answer.error !== undefined) {
      // The kill before this one may have come between accepting and answering.
      assert.match(answer.error.message, /already known|nonce too low/);
    } else {
      hashes.push(answer.result);
    }
    sender.acknowledged += 1;
  }
}

/** Notes the hash of every height that is published. */
async function watch(chain: Ocelli, published: Map<bigint, Hash>, life: AbortSignal): Promise<void> {
  type Block = { readonly number: Hash; readonly hash: Hash };
  while (!life.aborted) {
    const answer = await call<Block>(chain, "eth_getBlockByNumber", ["latest", false]).catch(() => undefined);
    if (answer?.error !== undefined || answer === undefined) return;
    note(published, BigInt(answer.result.number), answer.result.hash);
    await pause(10);
  }
}

function note(published: Map<bigint, Hash>, height: bigint, hash: Hash): void {
  const before = published.get(height);
  assert.equal(before ?? hash, hash, `height ${height} was published with two hashes`);
  published.set(height, hash);
}

async function assertContinues(chain: Ocelli, senders: readonly Sender[], published: Map<bigint, Hash>): Promise<void> {
  const client = createPublicClient({ transport: http(chain.url) });
  for (const { account, acknowledged } of senders) {
    const pending = await client.getTransactionCount({ address: account.address, blockTag: "pending" });
    assert.ok(pending >= acknowledged, `${account.address}: ${acknowledged} acknowledged, ${pending} left`);
  }
  const newest = [...published.keys()].slice(-4);
  for (const height of newest) {
    const block = await client.getBlock({ blockNumber: height });
    assert.ok(block.hash !== null);
    note(published, height, block.hash);
  }
}

async function assertAllSealed(chain: Ocelli, hashes: readonly Hash[]): Promise<void> {
  const client = createPublicClient({ transport: http(chain.url) });
  const last = hashes.slice(-SENDERS * 2);
  for (const hash of last) await sealed(client, hash);
  for (const hash of hashes) {
    const { status } = await client.getTransactionReceipt({ hash });
    assert.equal(status, "success", hash);
  }
}

async function assertVerifies(chain: Ocelli): Promise<void> {
  const height = await call<string>(chain, "eth_blockNumber", []);
  assert.ok(height.error === undefined);
  await promisify(execFile)(ocelliBinary("dev"), ["verify", "--url", chain.url, "--to", `${BigInt(height.result)}`], {
    timeout: 240_000,
  });
}

type Answer<T> =
  | { readonly result: T; readonly error?: undefined }
  | { readonly error: { readonly code: number; readonly message: string } };

async function call<T>(chain: Ocelli, method: string, params: readonly (Address | Hash | string | boolean)[]): Promise<Answer<T>> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(chain.url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return (await answer.json()) as Answer<T>;
}

/** A fixed sequence of 31-bit numbers (a linear congruential generator). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state >>> 8;
  };
}
