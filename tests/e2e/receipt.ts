/** Waiting for a transaction to be in a block. */

import { sealed } from "./sealed.js";
import type { Hash, PublicClient, TransactionReceipt } from "viem";

const SEALED_MS = 30_000;

/**
 * The receipt of a transaction, once there is one.
 *
 * viem looks for a replacement between two looks for the receipt, and misses a block that comes meanwhile until the next one,
 * which on an idle chain does not come: so it is asked not to.
 */
export function receiptOf(client: Pick<PublicClient, "getTransactionReceipt">, hash: Hash): Promise<TransactionReceipt> {
  return sealed(client, hash, SEALED_MS);
}
