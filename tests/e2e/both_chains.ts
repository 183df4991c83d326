/**
 * Ocelli and anvil side by side: what is sent to one is sent to the other, and anvil's blocks get the time and the base fee
 * of Ocelli's, which its rules do not give it, so that nothing differs but what has to.
 */

import { createPublicClient, http, type Hash, type Hex, type PublicClient } from "viem";
import { foundry } from "viem/chains";
import { startAnvil, type Anvil } from "./anvil.js";
import { startOcelli, type Ocelli } from "./ocelli.js";
import { receiptOf } from "./receipt.js";
import type { Step } from "./script.js";

/** What the JSON-RPC answered, as it was sent. */
export type Json = { readonly [field: string]: unknown };

/** One question's two answers. */
export type Answers<T> = { readonly ocelli: T; readonly anvil: T };

export class BothChains implements AsyncDisposable {
  readonly chain: Ocelli;
  readonly ocelli: PublicClient;
  readonly anvil: Anvil["client"];
  readonly anvilUrl: string;
  readonly #anvil: Anvil;

  private constructor(chain: Ocelli, ocelli: PublicClient, anvil: Anvil) {
    this.chain = chain;
    this.ocelli = ocelli;
    this.anvil = anvil.client;
    this.anvilUrl = anvil.url;
    this.#anvil = anvil;
  }

  static async start(): Promise<BothChains> {
    const chain = await startOcelli({ args: ["--quiet"] });
    const ocelli = createPublicClient({ chain: foundry, transport: http(chain.url) }) as PublicClient;
    const { gasLimit, miner } = await ocelli.getBlock({ blockNumber: 0n });
    return new BothChains(chain, ocelli, await startAnvil({ gasLimit, coinbase: miner }));
  }

  /** Has the step done on both chains, in a block of its own, and says what the receipts are. */
  async perform({ raw, hash }: Step): Promise<Answers<Json>> {
    await this.ocelli.sendRawTransaction({ serializedTransaction: raw });
    const { blockNumber } = await receiptOf(this.ocelli, hash);
    const { timestamp, baseFeePerGas } = await this.ocelli.getBlock({ blockNumber });
    await this.anvil.setNextBlockTimestamp({ timestamp });
    await this.anvil.setNextBlockBaseFeePerGas({ baseFeePerGas: baseFeePerGas ?? 0n });
    await this.anvil.sendRawTransaction({ serializedTransaction: raw });
    await receiptOf(this.anvil, hash);
    return this.ask("eth_getTransactionReceipt", [hash]);
  }

  /** Asks both. */
  async ask<T = Json>(method: string, params: readonly (Hex | Hash | boolean | object)[]): Promise<Answers<T>> {
    const request = { method, params } as never;
    const [ocelli, anvil] = await Promise.all([this.ocelli.request(request), this.anvil.request(request)]);
    return { ocelli: ocelli as T, anvil: anvil as T };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.chain[Symbol.asyncDispose](), this.#anvil[Symbol.asyncDispose]()]);
  }
}

/** A field in which two answers differ. */
export type Difference = {
  /** Such as `logs[].blockHash`. */
  readonly field: string;
  readonly ocelli: unknown;
  readonly anvil: unknown;
};

/** Every field in which the answers differ, those that only one has too. */
export function differences({ ocelli, anvil }: Answers<unknown>, field = ""): Difference[] {
  if (Array.isArray(ocelli) && Array.isArray(anvil) && ocelli.length === anvil.length) {
    return ocelli.flatMap((ours: unknown, at) => differences({ ocelli: ours, anvil: anvil[at] as unknown }, `${field}[]`));
  }
  if (isObject(ocelli) && isObject(anvil)) {
    const fields = [...new Set([...Object.keys(ocelli), ...Object.keys(anvil)])];
    const path = (name: string) => (field === "" ? name : `${field}.${name}`);
    return fields.flatMap((name) => differences({ ocelli: ocelli[name], anvil: anvil[name] }, path(name)));
  }
  return same(ocelli, anvil) ? [] : [{ field, ocelli, anvil }];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Addresses may be written in capitals. */
function same(one: unknown, other: unknown): boolean {
  const plain = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : JSON.stringify(value));
  return plain(one) === plain(other);
}
