/** What a wallet asks before it sends: what a transaction would do, what gas it needs, which access list it has. */

import { getAddress, parseTransaction, recoverTransactionAddress, toHex, type AccessList, type Hex } from "viem";
import { formatTransactionRequest } from "viem/utils";
import type { Answers, BothChains, Json } from "./both_chains.js";
import { ask, type Outcome } from "./json_rpc.js";
import type { Step } from "./script.js";

export type Rehearsal = Readonly<Record<"call" | "estimate" | "accessList", Answers<Outcome>>>;

/** Asks both chains about a step that is not yet sent. */
export async function rehearse(chains: BothChains, { raw }: Step): Promise<Rehearsal> {
  const { gas, ...unlimited } = await requestOf(raw);
  // An estimate is for the next block, which anvil gives the time of the last one and Ocelli its own.
  const time = toHex((await chains.ocelli.getBlock()).timestamp);
  return {
    call: await both(chains, "eth_call", [{ ...unlimited, gas }, "latest"]),
    estimate: await both(chains, "eth_estimateGas", [unlimited, "latest", {}, { time }]),
    accessList: await both(chains, "eth_createAccessList", [unlimited, "latest"]),
  };
}

async function both({ chain, anvilUrl }: BothChains, method: string, params: unknown): Promise<Answers<Outcome>> {
  const [ocelli, anvil] = await Promise.all([ask(chain.url, method, params), ask(anvilUrl, method, params)]);
  return { ocelli, anvil };
}

/** The transaction as a wallet asks about it: without nonce and fee. */
async function requestOf(raw: Hex): Promise<Json> {
  const from = await recoverTransactionAddress({ serializedTransaction: raw as never });
  const { to, gas, value, data, accessList, authorizationList } = parseTransaction(raw);
  const authorizations = formatTransactionRequest({ authorizationList } as never).authorizationList;
  return {
    from,
    gas: toHex(gas ?? 0n),
    ...(to == null ? {} : { to }),
    ...(value === undefined ? {} : { value: toHex(value) }),
    ...(data === undefined ? {} : { input: data }),
    ...(accessList === undefined || accessList.length === 0 ? {} : { accessList }),
    ...(authorizations === undefined ? {} : { authorizationList: authorizations }),
  };
}

/** The entries of an access list that `there` has and `here` has not, by address. */
export function missing(here: AccessList, there: AccessList): AccessList {
  const keys = new Map(here.map(({ address, storageKeys }) => [getAddress(address), new Set(storageKeys)]));
  return there.flatMap(({ address, storageKeys }) => {
    const known = keys.get(getAddress(address));
    const unknown = storageKeys.filter((key) => known?.has(key) !== true);
    return known === undefined || unknown.length > 0 ? [{ address: getAddress(address), storageKeys: unknown }] : [];
  });
}
