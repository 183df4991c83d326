/** In which fields Ocelli's answers may differ from anvil's, and the section of docs/differences.md that says why. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../tools/paths.js";

/** What is compared field by field. */
export type Compared = "receipt" | "transaction" | "block";

const HASHES = "Blocks have hashes of their own";
const RANDAO = "PREVRANDAO is the parent's hash";
/** Fields that anvil adds to Ethereum's JSON-RPC. */
export const ANVIL = "anvil alone has it";
const BEACON = "There is no beacon chain";

export const LISTED: Readonly<Record<Compared, Readonly<Record<string, string>>>> = {
  receipt: { blockHash: HASHES, "logs[].blockHash": HASHES, blobGasPrice: ANVIL, blockTimestamp: ANVIL },
  transaction: { blockHash: HASHES, blockTimestamp: ANVIL },
  block: {
    hash: HASHES,
    parentHash: HASHES,
    stateRoot: HASHES,
    transactionsRoot: HASHES,
    receiptsRoot: HASHES,
    size: HASHES,
    withdrawals: HASHES,
    withdrawalsRoot: HASHES,
    requestsHash: HASHES,
    mixHash: RANDAO,
    parentBeaconBlockRoot: BEACON,
    totalDifficulty: ANVIL,
  },
};

/** The sections of docs/differences.md. */
export function sections(): string[] {
  const text = readFileSync(join(root, "docs", "differences.md"), "utf8");
  return [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title ?? "");
}
