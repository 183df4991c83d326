/** What wallets and tools ask of a node, asked with viem: reads at every tag, logs, filters, subscriptions, fees, batches. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  createPublicClient,
  createWalletClient,
  decodeFunctionResult,
  http,
  isHash,
  parseEventLogs,
  webSocket,
  type Block,
  type Hash,
  type Log,
  type PublicClient,
  type TransactionReceipt,
} from "viem";
import { foundry } from "viem/chains";
import { compile } from "./contracts.js";
import { ask, requestText, post } from "./json_rpc.js";
import { startOcelli, type Ocelli } from "./ocelli.js";
import { receiptOf } from "./receipt.js";
import { account, callData, CHAIN_ID, ETHER, GWEI, Script, type Deployed } from "./script.js";
import { sealed } from "./sealed.js";

const [alice, bob] = [account(0), account(1)];

let chain: Ocelli;
let client: PublicClient;
let coin: Deployed;
let created: TransactionReceipt;
const script = new Script();

before(async () => {
  chain = await startOcelli({ args: ["--quiet"] });
  client = createPublicClient({ chain: foundry, transport: http(chain.url) }) as PublicClient;
  coin = await script.deploy("a token", compile().Coin, ["Coin", "COIN", ETHER]);
  created = await performOne();
});
after(() => chain[Symbol.asyncDispose]());

async function performOne(): Promise<TransactionReceipt> {
  const [step] = script.steps.splice(0);
  assert.ok(step !== undefined);
  const hash = await client.sendRawTransaction({ serializedTransaction: step.raw });
  return receiptOf(client, hash);
}

async function pay(value: bigint): Promise<TransactionReceipt> {
  await script.call("a transfer", coin, ["transfer", bob.address, value]);
  return performOne();
}

test("the node says what it is", async () => {
  assert.equal(await client.getChainId(), CHAIN_ID);
  assert.deepEqual(await ask(chain.url, "net_version", []), { jsonrpc: "2.0", id: 1, result: `${CHAIN_ID}` });
  assert.deepEqual((await ask(chain.url, "eth_syncing", [])).result, false);
  assert.match(String((await ask(chain.url, "web3_clientVersion", [])).result), /^ocelli\//i);
});

test("a wallet that leaves everything to viem can send", async () => {
  const wallet = createWalletClient({ account: account(2), chain: foundry, transport: http(chain.url) });
  const hash = await wallet.sendTransaction({ to: bob.address, value: ETHER });
  const receipt = await sealed(client, hash);
  assert.deepEqual([receipt.status, receipt.type, receipt.gasUsed], ["success", "eip1559", 21_000n]);
  const token = await wallet.deployContract({ ...compile().Coin, args: ["Other", "OTHER", 1n] });
  const { contractAddress } = await receiptOf(client, token);
  assert.ok(contractAddress);
  const { request } = await client.simulateContract({
    account: account(2),
    address: contractAddress,
    abi: coin.abi,
    functionName: "transfer",
    args: [bob.address, 1n],
  });
  const paid = await receiptOf(client, await wallet.writeContract(request));
  assert.equal(parseEventLogs({ abi: coin.abi, logs: paid.logs }).length, 1);
});

test("a transaction can be had by hash, by block and by place, and is in the block", async () => {
  const { transactionHash: hash, blockHash, blockNumber, transactionIndex: index } = created;
  const transaction = await client.getTransaction({ hash });
  assert.deepEqual(await client.getTransaction({ blockHash, index }), transaction);
  assert.deepEqual(await client.getTransaction({ blockNumber, index }), transaction);
  const block = await client.getBlock({ blockNumber, includeTransactions: true });
  assert.deepEqual(block.transactions, [transaction]);
  assert.deepEqual((await client.getBlock({ blockHash })).transactions, [hash]);
  assert.equal(await client.getBlockTransactionCount({ blockHash }), 1);
  const { result } = await ask(chain.url, "eth_getBlockReceipts", [blockHash]);
  assert.deepEqual(result, [(await ask(chain.url, "eth_getTransactionReceipt", [hash])).result]);
});

test("what does not exist is null", async () => {
  const nowhere = `0x${"12".repeat(32)}`;
  for (const [method, params] of [
    ["eth_getTransactionByHash", [nowhere]],
    ["eth_getTransactionReceipt", [nowhere]],
    ["eth_getBlockByHash", [nowhere, false]],
    ["eth_getBlockByNumber", ["0xffffff", false]],
    ["eth_getBlockReceipts", ["0xffffff"]],
    ["eth_getBlockTransactionCountByNumber", ["0xffffff"]],
  ] as const) {
    assert.deepEqual((await ask(chain.url, method, params)).result, null, method);
  }
});

test("state can be asked for at an older block", async () => {
  const { blockNumber, blockHash } = await pay(3n);
  await pay(4n);
  const balance = async (at: object) => {
    const { data } = await client.call({ to: coin.address, data: callData(coin, ["balanceOf", bob.address]), ...at });
    return decodeFunctionResult({ abi: coin.abi, functionName: "balanceOf", data: data ?? "0x" }) as bigint;
  };
  const [old, now] = [await balance({ blockNumber }), await balance({})];
  assert.equal(now - old, 4n);
  assert.equal(old - (await balance({ blockNumber: blockNumber - 1n })), 3n);
  const { result } = await ask(chain.url, "eth_getTransactionCount", [alice.address, { blockHash }]);
  assert.equal(Number(result), (await client.getTransactionCount({ address: alice.address })) - 1);
  assert.equal(await client.getBalance({ address: alice.address, blockTag: "earliest" }), 10_000n * ETHER);
});

test("the pending nonce counts what waits", async () => {
  const from = account(3);
  const count = (blockTag: "latest" | "pending") => client.getTransactionCount({ address: from.address, blockTag });
  // The second one first, so that it has to wait.
  await script.send("the first", { from, transaction: { to: bob.address } });
  await script.send("the second", { from, transaction: { to: bob.address } });
  const [first, second] = script.steps.splice(0);
  assert.ok(first !== undefined && second !== undefined);
  await client.sendRawTransaction({ serializedTransaction: second.raw });
  assert.deepEqual([await count("latest"), await count("pending")], [0, 0]);
  const waiting = await client.getTransaction({ hash: second.hash });
  assert.deepEqual([waiting.blockHash, waiting.blockNumber, waiting.transactionIndex], [null, null, null]);
  await client.sendRawTransaction({ serializedTransaction: first.raw });
  assert.equal(await count("pending"), 2);
  await receiptOf(client, second.hash);
  assert.equal(await count("latest"), 2);
});

test("a receipt comes with the answer", async () => {
  await script.call("a transfer", coin, ["transfer", bob.address, 5n]);
  const [step] = script.steps.splice(0);
  assert.ok(step !== undefined);
  const receipt = await client.sendRawTransactionSync({ serializedTransaction: step.raw, timeout: 20_000 });
  assert.deepEqual([receipt.status, receipt.transactionHash], ["success", step.hash]);
  assert.deepEqual(receipt, await client.getTransactionReceipt({ hash: step.hash }));
});

test("logs are found by address, topics and range", async () => {
  const { blockNumber, blockHash } = await pay(6n);
  const event = { abi: coin.abi, eventName: "Transfer", address: coin.address } as const;
  const find = (filter: object) => client.getContractEvents({ ...event, ...filter } as never) as Promise<Log[]>;
  assert.equal((await find({ fromBlock: blockNumber, toBlock: blockNumber })).length, 1);
  assert.equal((await find({ blockHash })).length, 1);
  assert.equal((await find({ fromBlock: blockNumber, args: { to: alice.address } })).length, 0);
  assert.equal((await find({ fromBlock: blockNumber, args: { from: alice.address, to: [alice.address, bob.address] } })).length, 1);
  const all = await find({ fromBlock: "earliest", toBlock: "latest" });
  assert.equal(all[0]?.transactionHash, created.transactionHash);
  assert.ok(all.every(({ address, removed, blockHash: hash }) => address === coin.address.toLowerCase() && !removed && isHash(hash ?? "0x")));
  const [newest] = await find({ fromBlock: blockNumber });
  assert.deepEqual(newest?.topics, (await client.getTransactionReceipt({ hash: newest?.transactionHash ?? "0x" })).logs[0]?.topics);
});

test("filters tell what is new, once", async () => {
  const logs = await client.createContractEventFilter({ abi: coin.abi, address: coin.address, eventName: "Transfer" });
  const blocks = await client.createBlockFilter();
  const pending = await client.createPendingTransactionFilter();
  const { transactionHash, blockHash } = await pay(7n);
  const found = (await client.getFilterChanges({ filter: logs })) as Log[];
  assert.deepEqual(found.map((log) => log.transactionHash), [transactionHash]);
  assert.deepEqual(await client.getFilterChanges({ filter: logs }), []);
  assert.equal((await client.getFilterLogs({ filter: logs })).length > 0, true);
  assert.deepEqual(await client.getFilterChanges({ filter: blocks }), [blockHash]);
  assert.deepEqual(await client.getFilterChanges({ filter: pending }), [transactionHash]);
  assert.equal(await client.uninstallFilter({ filter: logs }), true);
  assert.equal(await client.uninstallFilter({ filter: logs }), false);
  await assert.rejects(client.getFilterChanges({ filter: logs }), /filter not found/);
});

test("subscriptions tell of heads, logs and transactions", async () => {
  const socket = createPublicClient({ chain: foundry, transport: webSocket(chain.wsUrl) });
  const heads = firstOf<Block>((found, failed) => socket.watchBlocks({ onBlock: (block) => found(block as Block), onError: failed }));
  const logs = firstOf<Log[]>((found, failed) =>
    socket.watchContractEvent({ abi: coin.abi, address: coin.address, onLogs: (some) => found(some as Log[]), onError: failed }),
  );
  const pending = firstOf<Hash[]>((found, failed) => socket.watchPendingTransactions({ onTransactions: found, onError: failed }));
  // What is subscribed to is there when a later request on the same connection is answered.
  await socket.getChainId();
  const receipt = await pay(8n);
  const [head, [log], [hash]] = await Promise.all([heads, logs, pending]);
  assert.deepEqual([head.hash, head.number], [receipt.blockHash, receipt.blockNumber]);
  assert.deepEqual([log?.transactionHash, log?.blockHash, log?.logIndex], [receipt.transactionHash, receipt.blockHash, 0]);
  assert.equal(hash, receipt.transactionHash);
  const rpc = await socket.transport.getRpcClient();
  rpc.close();
});

/** The first thing that a subscription tells of. */
async function firstOf<T>(watch: (found: (value: T) => void, failed: (error: Error) => void) => () => void): Promise<T> {
  let end = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      end = watch(resolve, reject);
    });
  } finally {
    end();
  }
}

test("fees are suggested that suffice", async () => {
  const { blockNumber } = await pay(9n);
  const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [10, 50, 90] });
  assert.equal(history.oldestBlock, blockNumber - 3n);
  assert.deepEqual([history.baseFeePerGas.length, history.gasUsedRatio.length, history.reward?.length], [5, 4, 4]);
  assert.ok(history.gasUsedRatio.every((ratio) => ratio > 0 && ratio < 1));
  assert.deepEqual(history.reward?.at(-1), [2n * GWEI, 2n * GWEI, 2n * GWEI]);
  const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas();
  const { baseFeePerGas } = await client.getBlock();
  assert.ok(maxPriorityFeePerGas > 0n && maxFeePerGas > maxPriorityFeePerGas);
  assert.ok((await client.getGasPrice()) > 0n && baseFeePerGas !== null);
});

test("a call can be of another state and another block", async () => {
  const data = callData(coin, ["balanceOf", account(5).address]);
  const code = await client.getCode({ address: coin.address });
  assert.ok(code !== undefined);
  const elsewhere = account(6).address;
  const called = await client.call({ to: elsewhere, data, stateOverride: [{ address: elsewhere, code }] });
  assert.equal(BigInt(called.data ?? "0x1"), 0n);
  // NUMBER, returned.
  const number = await client.call({ data: "0x4360005260206000f3", blockOverrides: { number: 1_234_567n } });
  assert.equal(BigInt(number.data ?? "0x"), 1_234_567n);
});

test("a batch is answered one by one, in order", async () => {
  const batching = createPublicClient({ chain: foundry, transport: http(chain.url, { batch: { batchSize: 50, wait: 5 } }) });
  const balances = await Promise.all(Array.from({ length: 20 }, (_, at) => batching.getBalance({ address: account(at % 10).address })));
  assert.equal(balances.length, 20);
  assert.ok(balances.every((balance) => balance > 0n));
  const requests = [requestText("eth_chainId", [], "one"), requestText("eth_nothing", [], 2), requestText("eth_blockNumber", [], 3)];
  const { text } = await post(chain.url, `[${requests.join(",")}]`);
  const answers = JSON.parse(text) as { id: unknown; result?: unknown; error?: { code: number } }[];
  assert.deepEqual(answers.map(({ id }) => id), ["one", 2, 3]);
  assert.deepEqual(answers.map(({ error }) => error?.code), [undefined, -32_601, undefined]);
});

test("an access list lowers what a transaction costs as it says", async () => {
  const data = callData(coin, ["transfer", bob.address, 1n]);
  const { accessList, gasUsed } = await client.createAccessList({ account: alice.address, to: coin.address, data });
  assert.deepEqual(accessList.map(({ address }) => address.toLowerCase()), [coin.address.toLowerCase()]);
  await script.send("with the list", { transaction: { to: coin.address, data, accessList } });
  assert.equal((await performOne()).gasUsed, gasUsed);
});
