/** Evidence, from this verifier or from others: checked before anyone is told, and published if it is this verifier's. */

import type { Api, Bytes, Hex } from "./api.js";
import { createBackoff } from "./backoff.js";
import type { Clock } from "./clock.js";
import * as limits from "./limits.js";
import type { VerifierEvents } from "./verifier.js";
import type { WorkerClient } from "./worker_client.js";

export type FaultDesk = {
  readonly take: (evidence: Bytes, by: "me" | "network") => Promise<void>;
  /** The lowest height at which a followed block is wrong; `Infinity` if there is none. */
  readonly lowest: (isFollowed: (height: number, block: Hex) => boolean) => number;
};

export type FaultDeskOptions = {
  readonly clock: Clock;
  readonly call: WorkerClient["call"];
  readonly post: Api["postEvidence"];
  readonly onFault: (fault: VerifierEvents["fault"]) => void;
  readonly onProblem: (error: unknown) => void;
};

export function createFaultDesk({ clock, call, post, onFault, onProblem }: FaultDeskOptions): FaultDesk {
  /** Heights by block. */
  const faulty = new Map<Hex, number>();

  async function publish(evidence: Bytes): Promise<void> {
    const backoff = createBackoff({ minMs: limits.RETRY_MIN_MS, maxMs: limits.RETRY_MAX_MS });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await post(evidence);
      } catch (error) {
        if (attempt >= limits.FETCH_ATTEMPTS) return onProblem(error);
        await new Promise<void>((resolve) => clock.after(backoff.next(), resolve));
      }
    }
  }

  return {
    async take(evidence, by) {
      const verdict = await call("checkEvidence", { evidence });
      if (verdict.kind === "not-evidence") return onProblem(new Error(`What was taken for evidence is none: ${verdict.reason}`));
      const { height, block, description } = verdict;
      if (faulty.has(block)) return;
      faulty.set(block, height);
      onFault({ height, block, description, evidence, by });
      if (by === "me") await publish(evidence);
    },
    lowest(isFollowed) {
      const followed = [...faulty].filter(([block, height]) => isFollowed(height, block));
      return Math.min(Infinity, ...followed.map(([, height]) => height));
    },
  };
}
