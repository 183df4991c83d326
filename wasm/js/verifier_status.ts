import type { OcelliError } from "./errors.js";
import type { VerifierStatus } from "./verifier.js";

export type StatusKeeper = {
  readonly now: () => VerifierStatus;
  readonly connected: () => void;
  readonly lost: (error: OcelliError) => void;
  readonly pause: (paused: boolean) => void;
  /** For good. */
  readonly stop: () => void;
};

/** What a verifier's status is, and `onChange` whenever it becomes another one. */
export function createVerifierStatus(onChange: (status: VerifierStatus) => void): StatusKeeper {
  let now: VerifierStatus = { state: "connecting" };
  let isConnected = false;
  let isPaused = false;

  function become(next: VerifierStatus) {
    if (now.state === "stopped" || (next.state === now.state && !("error" in next))) return;
    now = next;
    onChange(now);
  }

  function becomeConnected() {
    if (isConnected) become({ state: isPaused ? "paused" : "following" });
  }

  return {
    now: () => now,
    connected() {
      isConnected = true;
      becomeConnected();
    },
    lost(error) {
      isConnected = false;
      become({ state: "connecting", error });
    },
    pause(paused) {
      isPaused = paused;
      becomeConnected();
    },
    stop() {
      become({ state: "stopped" });
    },
  };
}
