/**
 * Evidence, from this verifier or from others: checked before anyone is told, and published if it is this verifier's.
 *
 * Guaranteed: a block that this verifier has found wrong counts as wrong from that moment on, whatever becomes of the second
 * check; what others say counts once it is confirmed.
 */

import type { Api, Bytes, Hex } from "./api.js";
import { createBackoff } from "./backoff.js";
import type { Clock } from "./clock.js";
import * as limits from "./limits.js";
import type { VerifierEvents } from "./verifier.js";
import type { WorkerClient } from "./worker_client.js";

export type FoundFault =
  | { readonly by: "me"; readonly height: number; readonly block: Hex; readonly evidence: Bytes }
  /** The hash under which the endpoint has evidence. */
  | { readonly by: "network"; readonly evidence: Hex };

export type FaultDesk = {
  readonly take: (fault: FoundFault) => Promise<void>;
  /** The lowest height at which a followed block is wrong; `Infinity` if there is none. */
  readonly lowest: (isFollowed: (height: number, block: Hex) => boolean) => number;
};

export type FaultDeskOptions = {
  readonly clock: Clock;
  readonly call: WorkerClient["call"];
  readonly fetch: Api["evidence"];
  readonly post: Api["postEvidence"];
  readonly onFault: (fault: VerifierEvents["fault"]) => void;
  readonly onProblem: (error: unknown) => void;
};

export function createFaultDesk({ clock, call, fetch, post, onFault, onProblem }: FaultDeskOptions): FaultDesk {
  /** Heights by block. */
  const faulty = new Map<Hex, number>();
  const told = new Set<Hex>();
  /** What the network has that was fetched, or is being fetched. */
  const heard = new Set<Hex>();
  /** It is long, so that one piece is fetched and checked at a time. */
  let turn = Promise.resolve();

  async function persist<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const backoff = createBackoff({ minMs: limits.RETRY_MIN_MS, maxMs: limits.RETRY_MAX_MS });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= limits.FETCH_ATTEMPTS) throw error;
        await new Promise<void>((resolve) => clock.after(backoff.next(), resolve));
      }
    }
  }

  /** What could not be fetched, whoever names it again may bring. */
  async function hear(hash: Hex): Promise<void> {
    let evidence: Bytes;
    try {
      evidence = await persist(() => fetch(hash));
    } catch (error) {
      heard.delete(hash);
      throw error;
    }
    await confirm(evidence, "network");
  }

  async function confirm(evidence: Bytes, by: "me" | "network"): Promise<void> {
    const verdict = await persist(() => call("checkEvidence", { evidence }));
    if (verdict.kind === "not-evidence") throw new Error(`What was taken for evidence is none: ${verdict.reason}`);
    const { height, block, description } = verdict;
    faulty.set(block, height);
    if (told.has(block)) return;
    told.add(block);
    onFault({ height, block, description, evidence, by });
    if (by === "me") await persist(() => post(evidence));
  }

  return {
    take(fault) {
      if (fault.by === "network") {
        const hash = fault.evidence;
        if (heard.has(hash) || heard.size >= limits.FOREIGN_EVIDENCE) return Promise.resolve();
        heard.add(hash);
        return (turn = turn.then(() => hear(hash)).catch(onProblem));
      }
      // At once: a vote may be due before the second check is done.
      faulty.set(fault.block, fault.height);
      return confirm(fault.evidence, "me").catch(onProblem);
    },
    lowest(isFollowed) {
      const followed = [...faulty].filter(([block, height]) => isFollowed(height, block));
      return Math.min(Infinity, ...followed.map(([, height]) => height));
    },
  };
}
