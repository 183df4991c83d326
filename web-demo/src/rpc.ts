/** Ethereum JSON-RPC over HTTP, as much of it as a payment takes. */

import type { Hex } from "viem";

/** A refusal by the node, in its own words. */
export class RpcError extends Error {}

export type Receipt = { readonly blockNumber: Hex; readonly status: Hex };

type Request = { readonly method: string; readonly params: readonly unknown[] };
type Answer = { readonly id: number; readonly result?: unknown; readonly error?: { readonly message: string } };

export class Rpc {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @throws RpcError if the node refuses, TypeError if it cannot be reached */
  async call<T>(method: string, ...params: unknown[]): Promise<T> {
    const [answer] = await this.#post([{ method, params }]);
    return answer as T;
  }

  /** Hands in signed transactions in one request, and returns their hashes. */
  async sendAll(raw: readonly Hex[]): Promise<readonly Hex[]> {
    return (await this.#post(raw.map((bytes) => ({ method: "eth_sendRawTransaction", params: [bytes] })))) as Hex[];
  }

  async #post(requests: readonly Request[]): Promise<readonly unknown[]> {
    const body = JSON.stringify(requests.map((request, id) => ({ jsonrpc: "2.0", id, ...request })));
    const response = await fetch(this.#url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const answers = (await response.json()) as Answer | readonly Answer[];
    const list = Array.isArray(answers) ? (answers as readonly Answer[]) : [answers as Answer];
    const refused = list.find(({ error }) => error !== undefined)?.error;
    if (refused !== undefined) throw new RpcError(refused.message);
    return [...list].sort((one, other) => one.id - other.id).map(({ result }) => result);
  }
}
