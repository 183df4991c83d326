/**
 * Waits for a transaction to be in a block by asking for its receipt.
 *
 * viem's `waitForTransactionReceipt` asks when the block number changes, and passes over a change that comes while it is
 * asking. Ocelli makes no block while there is no work, so for a single transaction there may be no further change.
 */

import { setTimeout as pause } from "node:timers/promises";
import { TransactionReceiptNotFoundError, type Hash, type TransactionReceipt } from "viem";

const POLL_MS = 20;

type Client = { readonly getTransactionReceipt: (options: { hash: Hash }) => Promise<TransactionReceipt> };

/** @throws if there is no receipt within `timeoutMs`. */
export async function sealed(client: Client, hash: Hash, timeoutMs = 30_000): Promise<TransactionReceipt> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await client.getTransactionReceipt({ hash });
    } catch (error) {
      if (!(error instanceof TransactionReceiptNotFoundError) || Date.now() > deadline) throw error;
    }
    await pause(POLL_MS);
  }
}
