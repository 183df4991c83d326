/** The line below the blocks: what to know while nothing happens there. Knows neither the page nor a clock. */

import type { VerifierStatus } from "ocelli";

export type Situation = {
  readonly status: VerifierStatus;
  readonly isFaulty: boolean;
  /** Nothing has happened for a while, and no task waits. */
  readonly isIdle: boolean;
  /** No block was opened. */
  readonly isEmpty: boolean;
};

export function quietLine({ status, isFaulty, isIdle, isEmpty }: Situation): string {
  if (isFaulty) return "A block is faulty: see above.";
  switch (status.state) {
    case "connecting":
      if (status.error === undefined) return "Connecting to the chain…";
      if (status.error.code === "OTHER_CHAIN") return "This address serves another chain now. Load the page again to check that one.";
      return status.error.message;
    case "paused":
      return "Paused: blocks come, but this tab checks none.";
    case "stopped":
      return "Stopped. Load the page again to go on.";
    case "following":
      if (!isIdle) return "";
      return isEmpty
        ? "No block since you came. The chain makes one when there is work: send a payment."
        : "All is checked. The chain makes the next block when there is work: send a payment.";
  }
}
