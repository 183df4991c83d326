/**
 * The npm package in Node, against the real binary: a verifier with a delegation attests every block by itself, and one that
 * comes later, has no vote and trusts nobody finds the same.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OcelliError, createVerifier, type Verifier } from "ocelli";
import { createWalletClient, hexToBytes, http, publicActions } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { startOcelli } from "./ocelli.js";
import { sealed } from "./sealed.js";

const BLOCKS = 20;
const MNEMONIC = "test test test test test test test test test test test junk";
const A_DAY_S = 86_400;

test("a verifier in Node checks and attests every block; a second one follows from genesis", { timeout: 180_000 }, async () => {
  await using chain = await startOcelli();
  await using verifier = await createVerifier({ url: chain.url, workers: 1, cpu: 1 });
  const problems: string[] = [];
  let isOwned = false;
  // Before anybody delegates to it, its first vote is refused.
  verifier.on("problem", ({ error }) => {
    if (isOwned || !/not a registered verifier/.test(error.message)) problems.push(error.message);
  });
  const checked = new Map<number, Set<number>>();
  const wanted = new Map<number, number>();
  verifier.on("block", ({ block, tasks }) => wanted.set(block.height, tasks.length));
  verifier.on("task", ({ height, task, verdict, by, ms }) => {
    assert.deepEqual([verdict, by, typeof ms], ["valid", "me", "number"]);
    checked.set(height, (checked.get(height) ?? new Set()).add(task));
  });
  const certified = attested(verifier, BLOCKS);
  assert.equal(await delegate(verifier), verifier.owner);
  isOwned = true;
  const garbage = { expires: Math.floor(Date.now() / 1_000) + A_DAY_S, signature: new Uint8Array(65) };
  await assert.rejects(verifier.delegate(garbage), OcelliError, "and it keeps the delegation that it has");

  await transfers(chain.url, BLOCKS);
  await certified;
  for (let height = 1; height <= BLOCKS; height += 1) {
    assert.equal(checked.get(height)?.size, wanted.get(height), `every task of block ${height}`);
  }

  const { genesisHash } = verifier.chain;
  await using late = await createVerifier({ url: chain.url, workers: 1, cpu: 1, from: "genesis", genesis: genesisHash });
  late.on("problem", ({ error }) => {
    if (!/not a registered verifier/.test(error.message)) problems.push(error.message);
  });
  await untilChecked(late, BLOCKS);
  assert.deepEqual(problems, []);
  assert.equal(late.status.state, "following");
  late.stop();
  assert.equal(late.status.state, "stopped");
});

test("a chain other than the one pinned is refused", { timeout: 60_000 }, async () => {
  await using chain = await startOcelli();
  const genesis = `0x${"00".repeat(32)}` as const;
  await assert.rejects(createVerifier({ url: chain.url, genesis }), { code: "OTHER_GENESIS" });
});

/** Resolves when blocks up to `height` are certified. */
function attested(verifier: Verifier, height: number): Promise<void> {
  return new Promise((resolve) => {
    const off = verifier.on("certificate", (certificate) => {
      if (certificate.height < height) return;
      off();
      resolve();
    });
  });
}

/** Resolves when every task of the blocks up to `height` was checked by this verifier. */
function untilChecked(verifier: Verifier, height: number): Promise<void> {
  const left = new Map<number, number>();
  let opened = 0;
  return new Promise((resolve) => {
    verifier.on("block", ({ block, tasks }) => {
      opened = block.height;
      left.set(block.height, tasks.length);
    });
    verifier.on("task", (task) => {
      if (task.by !== "me") return;
      left.set(task.height, (left.get(task.height) ?? 0) - 1);
      if (opened >= height && [...left.values()].every((count) => count === 0)) resolve();
    });
  });
}

async function delegate(verifier: Verifier): Promise<string> {
  const owner = mnemonicToAccount(MNEMONIC, { accountIndex: 1, addressIndex: 0 });
  const expires = Math.floor(Date.now() / 1_000) + A_DAY_S;
  const request = JSON.parse(await verifier.delegationRequest(expires)) as Parameters<typeof owner.signTypedData>[0];
  const signature = new Uint8Array(hexToBytes(await owner.signTypedData(request)));
  const taken = await verifier.delegate({ expires, signature });
  assert.equal(taken, owner.address.toLowerCase());
  return taken;
}

async function transfers(url: string, count: number): Promise<void> {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: 1 });
  const chain = {
    id: 31_337,
    name: "Ocelli",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  };
  const client = createWalletClient({ account, chain, transport: http(url), pollingInterval: 20 }).extend(publicActions);
  for (let sent = 0; sent < count; sent += 1) {
    const hash = await client.sendTransaction({ to: account.address, value: 1n });
    await sealed(client, hash);
  }
}
