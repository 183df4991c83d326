/** Waiting for a transaction to be in a block. */

import type { Hash, PublicClient, TransactionReceipt } from "viem";

const SEALED_MS = 30_000;
const POLL_MS = 20;

/**
 * The receipt of a transaction, once there is one.
 *
 * viem looks for a replacement between two looks for the receipt, and misses a block that comes meanwhile until the next one,
 * which on an idle chain does not come: so it is asked not to.
 */
export function receiptOf(client: Pick<PublicClient, "waitForTransactionReceipt">, hash: Hash): Promise<TransactionReceipt> {
  return client.waitForTransactionReceipt({ hash, checkReplacement: false, timeout: SEALED_MS, pollingInterval: POLL_MS });
}
