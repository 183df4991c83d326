/** What a program sees of a verifier. */

// For `Symbol.asyncDispose`: whoever uses the package may compile for an older library.
/// <reference lib="esnext.disposable" preserve="true" />

import type { Bytes, Hex } from "./api.js";
import type { BlockInfo, TaskInfo, TaskKind } from "./base/ocelli.js";
import type { OcelliError } from "./errors.js";
import type { ChainInfo, Delegation } from "./protocol.js";

export type VerifierStatus =
  /** There is no connection: not yet, or not now and why. */
  | { readonly state: "connecting"; readonly error?: OcelliError }
  | { readonly state: "following" }
  /** The program paused it: the chain is followed, tasks are not checked, nothing is attested. */
  | { readonly state: "paused" }
  /** For good: the program stopped it. */
  | { readonly state: "stopped" };

/** Who did something: this verifier, or another one by the address of its registered owner. */
export type By = "me" | Hex;

export type VerifierEvents = {
  /** A block was opened: its header and manifest hold. */
  block: { readonly block: BlockInfo; readonly tasks: readonly TaskInfo[] };
  /** Blocks above `height` were replaced in a higher term. */
  rewind: { readonly height: number };
  /** A task was checked. */
  task: {
    readonly height: number;
    readonly block: Hex;
    readonly task: number;
    readonly kind: TaskKind;
    readonly index: number;
    /** How long the check took, in milliseconds; unknown of others. */
    readonly ms: number | undefined;
    readonly verdict: "valid" | "fault";
    readonly by: By;
  };
  /** An attestation was accepted. */
  attestation: {
    readonly height: number;
    readonly header: Hex;
    /** How many tasks it lists, of how many blocks. */
    readonly tasks: number;
    readonly blocks: number;
    readonly by: By;
  };
  /** Blocks were certified: every task checked, more than two thirds of all weight for the last header. */
  certificate: {
    readonly after: number;
    readonly height: number;
    readonly block: Hex;
    readonly attestations: number;
  };
  /** A block is wrong, with what proves it to anyone. */
  fault: {
    readonly height: number;
    readonly block: Hex;
    readonly description: string;
    readonly evidence: Bytes;
    readonly by: "me" | "network";
  };
  status: VerifierStatus;
  /** Something went wrong that the verifier deals with by itself. */
  problem: { readonly error: OcelliError };
};

export type Verifier = {
  readonly chain: ChainInfo;
  /** The address of the key that signs attestations. */
  readonly address: Hex;
  /** For whom it attests: whoever delegated to the key, or the key itself. */
  readonly owner: Hex;
  readonly status: VerifierStatus;
  /** Calls `handler` at each such event until the returned function is called. */
  readonly on: <Name extends keyof VerifierEvents>(
    name: Name,
    handler: (event: VerifierEvents[Name]) => void,
  ) => () => void;
  /**
   * What an owner's wallet has to sign (`eth_signTypedData_v4`) for this verifier to attest in the owner's name until
   * `expires`, in Unix seconds: EIP-712 typed data, as JSON.
   */
  readonly delegationRequest: (expires: number) => Promise<string>;
  /** Takes what the wallet signed, and returns the owner. From then on attestations are the owner's. */
  readonly delegate: (delegation: Delegation) => Promise<Hex>;
  /** Stops checking and attesting until `resume`; the chain is still followed. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Ends it: no connection, no worker and no event after this. */
  readonly stop: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};
