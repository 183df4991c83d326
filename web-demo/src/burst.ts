/** Many payments within a moment, from several accounts to new ones: blocks with more to check than a single payment makes. */

import { bytesToHex, parseEther, type Hex } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { Payer, feeCap } from "./payer.js";
import type { Rpc } from "./rpc.js";

const SENDERS = 8;
const EACH = 25;
const ALLOWANCE = parseEther("0.005");

export class Burst {
  readonly size = SENDERS * EACH;
  readonly #rpc: Rpc;
  readonly #from: Payer;
  /** Of this tab alone, so that two tabs do not take each other's nonces. */
  readonly #senders: readonly Payer[];

  constructor(rpc: Rpc, chainId: number, from: Payer) {
    this.#rpc = rpc;
    this.#from = from;
    this.#senders = Array.from({ length: SENDERS }, () => new Payer(rpc, chainId, generatePrivateKey()));
  }

  /** Gives the senders money, and returns the hash of the last payment to them. Until it is sealed they have none. */
  async fund(): Promise<Hex> {
    const cap = await feeCap(this.#rpc);
    await this.#from.refresh();
    const hashes = await this.#handIn(this.#senders.map((sender) => this.#from.sign(sender.address, ALLOWANCE, cap)));
    return hashes.at(-1) ?? "0x";
  }

  /** Signs and hands in all of them, and returns the last hash of each sender. `onProgress` is told how many are in. */
  async send(onProgress: (sent: number, of: number) => void): Promise<readonly Hex[]> {
    const cap = await feeCap(this.#rpc);
    await Promise.all(this.#senders.map((sender) => sender.refresh()));
    let last: readonly Hex[] = [];
    for (let round = 1; round <= EACH; round += 1) {
      last = await this.#handIn(this.#senders.map((sender) => sender.sign(someone(), 1n, cap)));
      onProgress(round * SENDERS, this.size);
    }
    return last;
  }

  async #handIn(signed: readonly Promise<Hex>[]): Promise<readonly Hex[]> {
    return this.#rpc.sendAll(await Promise.all(signed));
  }
}

function someone(): Hex {
  return bytesToHex(crypto.getRandomValues(new Uint8Array(20)));
}
