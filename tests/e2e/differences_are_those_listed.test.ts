/** Each section of docs/differences.md at work, on a chain of its own. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  createPublicClient,
  createWalletClient,
  decodeEventLog,
  http,
  numberToHex,
  toHex,
  zeroHash,
  type Address,
  type Hash,
  type PublicClient,
  type TransactionReceipt,
} from "viem";
import { foundry } from "viem/chains";
import { compile } from "./contracts.js";
import { ask, post, requestText } from "./json_rpc.js";
import { ANVIL, LISTED, sections } from "./listed_differences.js";
import { startOcelli, type Ocelli } from "./ocelli.js";
import { receiptOf } from "./receipt.js";
import { account, accounts, GWEI, Script, type Deployed, type Step } from "./script.js";

const HISTORY: Address = "0x0000F90827F1C53a10cb7A02335B175320002935";
const BEACON_ROOTS: Address = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02";
/** Blocks within which two must have shared a second: more than come in one. */
const MANY_BLOCKS = 60;

let chain: Ocelli;
let client: PublicClient;
let machine: Deployed;
const script = new Script();
const shown = new Set<string>();

before(async () => {
  chain = await startOcelli({ args: ["--quiet"] });
  client = createPublicClient({ chain: foundry, transport: http(chain.url) }) as PublicClient;
  machine = await script.deploy("the machine is created", compile().Machine);
  await perform();
});
after(() => chain[Symbol.asyncDispose]());

/** A test of one section of the page. */
function section(title: string, body: () => Promise<void>): void {
  shown.add(title);
  test(title, body);
}

/** Sends what the script has got since the last time, one after the other, and gives the receipts. */
async function perform(): Promise<TransactionReceipt[]> {
  const receipts: TransactionReceipt[] = [];
  for (const { raw } of script.steps.splice(0)) {
    const hash = await client.sendRawTransaction({ serializedTransaction: raw });
    receipts.push(await receiptOf(client, hash));
  }
  return receipts;
}

async function performOne(): Promise<TransactionReceipt> {
  const [receipt] = await perform();
  assert.ok(receipt !== undefined);
  return receipt;
}

type Surroundings = Readonly<Record<"coinbase" | "coinbaseBalance" | "timestamp" | "prevrandao" | "blobBaseFee", bigint>>;

function surroundings({ logs }: TransactionReceipt): Surroundings {
  const [log] = logs;
  assert.ok(log !== undefined);
  const { args } = decodeEventLog({ abi: machine.abi, eventName: "Surroundings", ...log } as never) as { args: unknown };
  return args as Surroundings;
}

async function lookAround(): Promise<TransactionReceipt> {
  await script.call("look around", machine, ["surroundings"]);
  return performOne();
}

section("Blocks have hashes of their own", async () => {
  const { blockNumber } = await lookAround();
  const block = await client.getBlock({ blockNumber });
  assert.equal(block.transactionsRoot, block.receiptsRoot);
  assert.deepEqual([block.uncles, block.withdrawals, block.withdrawalsRoot], [[], undefined, undefined]);
  const proof = await ask(chain.url, "eth_getProof", [account(0).address, [], "latest"]);
  assert.equal(proof.error?.code, -32_601);
});

section("Blocks come when there is work", async () => {
  let last = await client.getBlock();
  for (let tried = 0; ; tried += 1) {
    assert.ok(tried < MANY_BLOCKS, "no two blocks shared a second");
    const { blockNumber } = await lookAround();
    assert.equal(blockNumber, last.number + 1n, "a block without a transaction");
    const block = await client.getBlock({ blockNumber });
    assert.ok(block.timestamp >= last.timestamp);
    if (block.timestamp === last.timestamp) return;
    last = block;
  }
});

section("The base fee follows gas a second", async () => {
  const genesis = await client.getBlock({ blockNumber: 0n });
  const { blockNumber } = await lookAround();
  const { baseFeePerGas } = await client.getBlock({ blockNumber });
  assert.ok(baseFeePerGas !== null && genesis.baseFeePerGas !== null);
  // This chain has used next to nothing, so its base fee only went down, and by time: further than by an eighth a block if
  // the blocks were far apart, and less if not.
  assert.ok(baseFeePerGas < genesis.baseFeePerGas, `${baseFeePerGas} and ${genesis.baseFeePerGas}`);
  const { baseFeePerGas: fees } = await client.getFeeHistory({ blockCount: 100, rewardPercentiles: [] });
  assert.deepEqual(fees, [...fees].sort((one, other) => (one > other ? -1 : 1)));
});

section("Fees are paid at the end of the block", async () => {
  const senders = accounts.slice(0, 8);
  for (const from of senders) await script.call("look around", machine, ["surroundings"], { from });
  // In one request, so that they wait together.
  const steps: Step[] = script.steps.splice(0);
  const batch = steps.map(({ raw }, id) => requestText("eth_sendRawTransaction", [raw], id));
  const { text } = await post(chain.url, `[${batch.join(",")}]`);
  const hashes = (JSON.parse(text) as { result: Hash }[]).map(({ result }) => result);
  assert.deepEqual([...hashes].sort(), steps.map(({ hash }) => hash).sort());
  const receipts = await Promise.all(hashes.map((hash) => receiptOf(client, hash)));
  assert.ok(new Set(receipts.map(({ blockHash }) => blockHash)).size < receipts.length, "no two were in one block");
  for (const receipt of receipts) {
    const { coinbase, coinbaseBalance } = surroundings(receipt);
    const address = numberToHex(coinbase, { size: 20 });
    const { miner, baseFeePerGas } = await client.getBlock({ blockNumber: receipt.blockNumber });
    assert.equal(address, miner.toLowerCase());
    const before = await client.getBalance({ address, blockNumber: receipt.blockNumber - 1n });
    assert.equal(coinbaseBalance, before);
    const paid = receipts.filter(({ blockNumber }) => blockNumber === receipt.blockNumber);
    const tips = paid.map(({ gasUsed, effectiveGasPrice }) => gasUsed * (effectiveGasPrice - (baseFeePerGas ?? 0n)));
    const after = await client.getBalance({ address, blockNumber: receipt.blockNumber });
    assert.equal(after - before, tips.reduce((sum, tip) => sum + tip, 0n));
  }
});

section("PREVRANDAO is the parent's hash", async () => {
  const receipt = await lookAround();
  const { parentHash, mixHash } = (await client.getBlock({ blockNumber: receipt.blockNumber })) as { parentHash: Hash; mixHash: Hash };
  assert.equal(numberToHex(surroundings(receipt).prevrandao, { size: 32 }), parentHash);
  assert.equal(mixHash, parentHash);
});

section("There are no blobs", async () => {
  assert.equal(surroundings(await lookAround()).blobBaseFee, 1n);
  assert.equal(await client.getBlobBaseFee(), 1n);
  const raw = await account(0).signTransaction({
    type: "eip4844",
    chainId: foundry.id,
    nonce: script.nonce(account(0)),
    gas: 21_000n,
    maxFeePerGas: 100n * GWEI,
    maxFeePerBlobGas: GWEI,
    blobVersionedHashes: [`0x01${"00".repeat(31)}`],
    to: account(1).address,
  });
  const { error } = await ask(chain.url, "eth_sendRawTransaction", [raw]);
  assert.match(error?.message ?? "", /transaction type not valid/);
});

section("There is no beacon chain", async () => {
  assert.equal(await client.getCode({ address: BEACON_ROOTS }), undefined);
  const block = await client.getBlock();
  assert.equal(block.parentBeaconBlockRoot, undefined);
});

section("Legacy transactions name the chain", async () => {
  const legacy = { type: "legacy", nonce: script.nonce(account(0)), gas: 21_000n, gasPrice: 100n * GWEI } as const;
  const raw = await account(0).signTransaction({ ...legacy, to: account(1).address });
  const { error } = await ask(chain.url, "eth_sendRawTransaction", [raw]);
  assert.match(error?.message ?? "", /only replay-protected \(EIP-155\) transactions/);
});

section("A transaction fits into a row", async () => {
  const wallet = createWalletClient({ account: account(0), chain: foundry, transport: http(chain.url) });
  const fees = { maxFeePerGas: 100n * GWEI, maxPriorityFeePerGas: GWEI, nonce: script.nonce(account(0)) };
  const gas = 2n ** 24n;
  await assert.rejects(wallet.sendTransaction({ to: account(1).address, gas: gas + 1n, ...fees }), /16777216/);
  await script.send("all the gas there is", { transaction: { to: account(1).address, gas } });
  assert.equal((await performOne()).status, "success");
});

section("Latest is sealed, safe and finalized are attested", async () => {
  const { blockNumber } = await lookAround();
  const tagged = async (blockTag: "latest" | "pending" | "safe" | "finalized") => (await client.getBlock({ blockTag })).number;
  assert.equal(await tagged("latest"), blockNumber);
  assert.equal(await tagged("pending"), blockNumber);
  // Nobody attests here.
  assert.equal(await tagged("safe"), 0n);
  assert.equal(await tagged("finalized"), 0n);
});

section("State is kept for 256 blocks", async () => {
  const first = await lookAround();
  const target = first.blockNumber + 256n;
  const balance = (blockNumber: bigint) => client.getBalance({ address: account(0).address, blockNumber });
  const before = await balance(first.blockNumber);
  while ((await client.getBlockNumber({ cacheTime: 0 })) < target) await lookAround();
  assert.equal(await balance(first.blockNumber + 1n) < before, true);
  await lookAround();
  await assert.rejects(balance(first.blockNumber), /not available/);
  assert.equal((await client.getTransactionReceipt({ hash: first.transactionHash })).blockHash, first.blockHash);
});

section("BLOCKHASH reaches less far back in time", async () => {
  await script.call("block hashes", machine, ["blockHashes", 300n]);
  const { blockNumber, logs } = await performOne();
  assert.equal(logs.length, Math.min(300, Number(blockNumber) + 1));
  for (const [back, log] of logs.entries()) {
    const number = blockNumber - BigInt(back);
    const { hash } = await client.getBlock({ blockNumber: number });
    assert.equal(log.data, back === 0 || back > 256 ? zeroHash : hash, `${back} back`);
    if (back === 0) continue;
    const { data } = await client.call({ to: HISTORY, data: toHex(number, { size: 32 }), blockNumber });
    assert.equal(data, hash, `${back} back in the history contract`);
  }
});

test("every section is shown, and every field that may differ names one", () => {
  assert.deepEqual([...shown].sort(), sections().sort());
  const named = Object.values(LISTED).flatMap((fields) => Object.values(fields));
  assert.deepEqual(named.filter((title) => title !== ANVIL && !shown.has(title)), []);
});
