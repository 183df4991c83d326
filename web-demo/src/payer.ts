/** An account that pays: knows its next nonce, and signs here. */

import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { Rpc } from "./rpc.js";

const TRANSFER_GAS = 21_000n;

export class Payer {
  readonly #rpc: Rpc;
  readonly #chainId: number;
  readonly #account;
  #nonce: number | undefined;

  constructor(rpc: Rpc, chainId: number, key: Hex) {
    this.#rpc = rpc;
    this.#chainId = chainId;
    this.#account = privateKeyToAccount(key);
  }

  get address(): Hex {
    return this.#account.address;
  }

  async balance(): Promise<bigint> {
    return BigInt(await this.#rpc.call<Hex>("eth_getBalance", this.address, "latest"));
  }

  /** Asks the node which nonce is next, because somebody else may pay from this account too. */
  async refresh(): Promise<void> {
    this.#nonce = Number(await this.#rpc.call<Hex>("eth_getTransactionCount", this.address, "pending"));
  }

  /** The bytes of a payment, which is the next of this account. */
  async sign(to: Hex, value: bigint, feeCap: bigint): Promise<Hex> {
    if (this.#nonce === undefined) await this.refresh();
    const nonce = this.#nonce ?? 0;
    this.#nonce = nonce + 1;
    return this.#account.signTransaction({
      type: "eip1559",
      chainId: this.#chainId,
      nonce,
      to,
      value,
      gas: TRANSFER_GAS,
      maxFeePerGas: feeCap,
      maxPriorityFeePerGas: 0n,
    });
  }
}

/** What a payment may cost a unit of gas: enough for the base fee to rise for a while. */
export async function feeCap(rpc: Rpc): Promise<bigint> {
  return 4n * BigInt(await rpc.call<Hex>("eth_gasPrice")) + 1n;
}
