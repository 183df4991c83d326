/**
 * A hundred transactions of every kind, the same bytes sent to Ocelli and to anvil: receipts and transactions are equal field
 * by field, and so is the state that they leave, but for what `listed_differences.ts` lists.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getAddress, keccak256, parseTransaction, toHex, type AccessList, type Address, type Hex } from "viem";
import { BothChains, differences, type Answers, type Json } from "./both_chains.js";
import { compile, uniswap } from "./contracts.js";
import { ethereumScript } from "./ethereum_script.js";
import { LISTED, type Compared } from "./listed_differences.js";
import { missing, rehearse, type Rehearsal } from "./rehearsal.js";
import { accounts, type Step } from "./script.js";

/** The hash of the pair's code that Uniswap's router was published with. */
const PAIR_CODE = "0x96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f";
/** The error code of a call that reverted. */
const REVERTED = 3;
/** The search for an estimate ends, as geth's does, when it may be off by 1.5 %. */
const ESTIMATE_ABOVE = 1 / (1 - 0.015);

type Performed = { readonly step: Step; readonly rehearsal: Rehearsal; readonly receipts: Answers<Json> };

let chains: BothChains;
const performed: Performed[] = [];

before(async () => {
  assert.equal(keccak256(uniswap("pair").bytecode), PAIR_CODE);
  const { script } = await ethereumScript(compile());
  chains = await BothChains.start();
  for (const step of script.steps) {
    const rehearsal = await rehearse(chains, step);
    const receipts = await chains.perform(step).catch((error: unknown) => {
      throw new Error(`${step.name}: ${(error as Error).message}`, { cause: error });
    });
    performed.push({ step, rehearsal, receipts });
  }
});
after(() => chains[Symbol.asyncDispose]());

test("receipts are equal", () => {
  for (const { step, receipts } of performed) {
    assert.equal(receipts.ocelli["status"], step.ending === "success" ? "0x1" : "0x0", `${step.name}: status`);
    assertListed("receipt", step.name, receipts);
  }
  assertAllListedSeen("receipt");
});

test("transactions are equal", async () => {
  for (const { step } of performed) {
    const { name, hash } = step;
    assertListed("transaction", name, await chains.ask("eth_getTransactionByHash", [hash]));
  }
  assertAllListedSeen("transaction");
});

test("blocks are equal", async () => {
  for (const { receipts } of performed) {
    const number = receipts.ocelli["blockNumber"] as `0x${string}`;
    assertListed("block", `block ${number}`, await chains.ask("eth_getBlockByNumber", [number, false]));
    assertListed("receipt", `block ${number}`, await chains.ask("eth_getBlockReceipts", [number]), "[].");
  }
  assertAllListedSeen("block");
});

test("the state that is left is equal", async () => {
  for (const address of addresses()) {
    for (const method of ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"]) {
      const { ocelli, anvil } = await chains.ask<string>(method, [address, "latest"] as never);
      assert.equal(ocelli, anvil, `${method} ${address}`);
    }
    for (let slot = 0; slot < 12; slot += 1) {
      const { ocelli, anvil } = await chains.ask<string>("eth_getStorageAt", [address, toHex(slot), "latest"] as never);
      assert.equal(ocelli, anvil, `slot ${slot} of ${address}`);
    }
  }
});

test("calls give the same, or fail with the same data", () => {
  for (const { step, rehearsal } of performed) {
    const { ocelli, anvil } = rehearsal.call;
    if (ocelli.error === undefined || anvil.error === undefined) {
      assert.deepEqual(ocelli, anvil, step.name);
    } else if (anvil.error.code === REVERTED) {
      assert.deepEqual([ocelli.error.code, ocelli.error.data], [REVERTED, anvil.error.data], step.name);
      assert.match(ocelli.error.message, /^execution reverted/, step.name);
    }
  }
});

test("gas is estimated to be what anvil says, or a little more", () => {
  for (const { step, rehearsal } of performed) {
    const { ocelli, anvil } = rehearsal.estimate;
    if (ocelli.error !== undefined || anvil.error !== undefined) {
      assert.equal(ocelli.error === undefined, anvil.error === undefined, `${step.name}: ${JSON.stringify([ocelli, anvil])}`);
      continue;
    }
    if (step.dependsOn === "gas") continue;
    const [ours, exact] = [Number(ocelli.result), Number(anvil.result)];
    assert.ok(ours >= exact && ours <= exact * ESTIMATE_ABOVE, `${step.name}: ${ours}, and anvil says ${exact}`);
  }
});

test("access lists have what anvil's have, and no storage beyond that", async () => {
  for (const { step, rehearsal, receipts } of performed) {
    const { ocelli, anvil } = rehearsal.accessList;
    if (ocelli.error !== undefined || anvil.error !== undefined) continue;
    const [ours, theirs] = [ocelli, anvil].map(({ result }) => (result as { accessList: AccessList }).accessList);
    assert.ok(ours !== undefined && theirs !== undefined);
    const blockNumber = BigInt(receipts.ocelli["blockNumber"] as Hex) - 1n;
    for (const { address } of missing(ours, theirs)) {
      // Anvil lists storage of contracts that the call itself creates.
      assert.equal(await chains.ocelli.getCode({ address, blockNumber }), undefined, `${step.name}: ${address} is missing`);
    }
    // Ocelli lists addresses that are warm for another reason too: those of delegations and of creations.
    const more = missing(theirs, ours).filter(({ storageKeys }) => storageKeys.length > 0);
    if (step.dependsOn !== "time") assert.deepEqual(more, [], step.name);
  }
});

/** Everyone who took part: accounts, recipients, contracts, and whoever logged something. */
function addresses(): Set<Address> {
  const receipts = performed.map(({ receipts: { ocelli } }) => ocelli);
  const sent = performed.map(({ step }) => parseTransaction(step.raw).to);
  const made = receipts.map((ocelli) => ocelli["contractAddress"] as Address | null);
  const logged = receipts.flatMap((ocelli) => (ocelli["logs"] as { address: Address }[]).map(({ address }) => address));
  const all = [...accounts.map(({ address }) => address), ...sent, ...made, ...logged];
  return new Set(all.filter((address) => address !== null && address !== undefined).map((address) => getAddress(address)));
}

const seen: Record<Compared, Set<string>> = { receipt: new Set(), transaction: new Set(), block: new Set() };

function assertListed(compared: Compared, name: string, answers: Answers<unknown>, prefix = ""): void {
  for (const { field: path, ocelli, anvil } of differences(answers)) {
    const field = path.startsWith(prefix) ? path.slice(prefix.length) : path;
    const values = `Ocelli ${JSON.stringify(ocelli)}, anvil ${JSON.stringify(anvil)}`;
    assert.ok(field in LISTED[compared], `${name}: ${field} of the ${compared} differs: ${values}`);
    seen[compared].add(field);
  }
}

/** A difference that is listed and does not exist is a mistake too. */
function assertAllListedSeen(compared: Compared): void {
  assert.deepEqual([...seen[compared]].sort(), Object.keys(LISTED[compared]).sort());
}
