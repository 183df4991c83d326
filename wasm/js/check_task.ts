/** One task from beginning to end: fetched, checked, and asked for again if what came is not what the block commits to. */

import type { Api, FetchOptions, Hex } from "./api.js";
import { createBackoff } from "./backoff.js";
import type { CheckedTask, CheckerPool } from "./checker_pool.js";
import type { Clock } from "./clock.js";
import { CoreError, EndpointError, OcelliError } from "./errors.js";
import * as limits from "./limits.js";
import type { BlockSource } from "./protocol.js";

export type TaskToCheck = {
  readonly block: Hex;
  readonly source: (options: FetchOptions) => Promise<BlockSource>;
  readonly kind: "row" | "column";
  readonly index: number;
};

export type CheckTaskContext = {
  readonly url: string;
  readonly api: Pick<Api, "row" | "column">;
  readonly pool: CheckerPool;
  readonly clock: Clock;
};

/**
 * The task's verdict, valid or a fault.
 *
 * @throws EndpointError if the committed body is not to be had; that says nothing about the block
 */
export async function checkTask(task: TaskToCheck, context: CheckTaskContext): Promise<CheckedTask> {
  const backoff = createBackoff({ minMs: limits.RETRY_MIN_MS, maxMs: limits.RETRY_MAX_MS });
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await attemptTask(task, context, { fresh: attempt > 1 });
    if (!(outcome instanceof OcelliError)) return outcome;
    if (attempt >= limits.FETCH_ATTEMPTS) throw outcome;
    const wait = Math.max(backoff.next(), outcome instanceof EndpointError ? outcome.retryAfterMs : 0);
    await new Promise<void>((resolve) => context.clock.after(wait, resolve));
  }
}

/** A verdict, or why it is worth asking again. */
async function attemptTask(
  { kind, index, block, source }: TaskToCheck,
  { api, pool, url }: CheckTaskContext,
  options: FetchOptions,
): Promise<CheckedTask | OcelliError> {
  try {
    const fetchBody = kind === "row" ? api.row : api.column;
    const [body, opening] = await Promise.all([fetchBody(block, index, options), source(options)]);
    const checked = await pool.check({ block, source: opening, kind, index, body }, options);
    if (checked.verdict.kind !== "not-committed") return checked;
    const message = `${kind} ${index} of block ${block}: ${checked.verdict.reason}`;
    return new EndpointError("ENDPOINT_LIED", message, { url });
  } catch (error) {
    // What does not decode, and what is another block, is not what was asked for either.
    if (error instanceof CoreError && (error.code === "MALFORMED" || error.code === "ENDPOINT_LIED")) return error;
    if (error instanceof EndpointError) return error;
    throw error;
  }
}
