/**
 * Transactions to be sent one after the other to any new chain with the accounts of the test mnemonic: signed beforehand, so
 * that every chain gets the same bytes.
 */

import {
  encodeFunctionData,
  getContractAddress,
  keccak256,
  toHex,
  type Address,
  type Hash,
  type Hex,
  type TransactionSerializable,
} from "viem";
import { mnemonicToAccount, privateKeyToAccount, type PrivateKeyAccount } from "viem/accounts";
import { initcode, type Contract } from "./contracts.js";

export const MNEMONIC = "test test test test test test test test test test test junk";
export const CHAIN_ID = 31_337;
export const GWEI = 1_000_000_000n;
export const ETHER = 1_000_000_000n * GWEI;

/** How a transaction ends. */
export type Ending = "success" | "reverted";

export type Step = {
  readonly name: string;
  readonly raw: Hex;
  readonly hash: Hash;
  readonly ending: Ending;
  /** What it does depends on the gas it has, so that no two estimates have to agree, or on the time of its block. */
  readonly dependsOn: "gas" | "time" | undefined;
};

/** What a step may say; what it does not say is filled in. */
export type Sent = {
  readonly from?: PrivateKeyAccount;
  readonly ending?: Ending;
  readonly dependsOn?: "gas" | "time" | undefined;
  readonly transaction: Partial<TransactionSerializable>;
};

/** The accounts with funds, in the order of their indexes. */
export const accounts: readonly PrivateKeyAccount[] = Array.from({ length: 10 }, (_, addressIndex) => {
  const key = mnemonicToAccount(MNEMONIC, { addressIndex }).getHdKey().privateKey;
  if (key === null) throw new Error(`account ${addressIndex} has no key`);
  return privateKeyToAccount(toHex(key));
});

/** The account with this index. */
export function account(index: number): PrivateKeyAccount {
  const found = accounts[index];
  if (found === undefined) throw new Error(`there is no account ${index}`);
  return found;
}

export class Script {
  readonly steps: Step[] = [];
  readonly #nonces = new Map<Address, number>();

  /** The nonce that the next transaction of `from` will have. */
  nonce(from: PrivateKeyAccount): number {
    return this.#nonces.get(from.address) ?? 0;
  }

  /** Takes that nonce for something that is not a transaction: an authorization (EIP-7702). */
  useNonce(from: PrivateKeyAccount): number {
    const nonce = this.nonce(from);
    this.#nonces.set(from.address, nonce + 1);
    return nonce;
  }

  /** Adds a transaction; without anything said it is of type 2, from the first account, and succeeds. */
  async send(name: string, { from = account(0), ending = "success", dependsOn, transaction }: Sent): Promise<void> {
    const priced = transaction.gasPrice === undefined ? { maxFeePerGas: 100n * GWEI, maxPriorityFeePerGas: 2n * GWEI } : {};
    const nonce = this.useNonce(from);
    const whole = { type: "eip1559", chainId: CHAIN_ID, gas: 6_000_000n, nonce, ...priced, ...transaction };
    const raw = await from.signTransaction(whole as TransactionSerializable);
    this.steps.push({ name, raw, hash: keccak256(raw), ending, dependsOn });
  }

  /** Adds the creation of a contract and says where it will be. */
  async deploy(name: string, contract: Contract, args: readonly unknown[] = [], sent: Partial<Sent> = {}): Promise<Deployed> {
    const from = sent.from ?? account(0);
    const address = getContractAddress({ from: from.address, nonce: BigInt(this.nonce(from)) });
    await this.send(name, { ...sent, transaction: { data: initcode(contract, args), ...sent.transaction } });
    return { address, abi: contract.abi };
  }

  /** Adds a call of a function. */
  async call(name: string, to: Deployed, [functionName, ...args]: Call, sent: Partial<Sent> = {}): Promise<void> {
    await this.send(name, { ...sent, transaction: { to: to.address, data: callData(to, [functionName, ...args]), ...sent.transaction } });
  }
}

/** A contract and where it is. */
export type Deployed = { readonly address: Address; readonly abi: Contract["abi"] };

/** A function's name and its arguments. */
export type Call = readonly [functionName: string, ...args: unknown[]];

export function callData({ abi }: Pick<Deployed, "abi">, [functionName, ...args]: Call): Hex {
  return encodeFunctionData({ abi, functionName, args });
}
