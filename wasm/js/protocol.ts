/** What is said to a worker, and what it answers. Everything here can be cloned or transferred. */

import type {
  BlockInfo,
  CertificateSpan,
  CertificateVerdict,
  CertifiedBlockInfo,
  EvidenceVerdict,
  StreamEvent,
  TaskInfo,
  TaskList,
  Verdict,
  VoterInfo,
} from "./base/ocelli.js";
import type { Bytes, Hex } from "./api.js";
import type { OcelliErrorCode } from "./errors.js";

/** A block as it was opened. */
export type OpenedBlock = {
  readonly verdict: Verdict;
  readonly info: BlockInfo;
  /** The encoded header. */
  readonly header: Bytes;
  readonly signedHeader: Bytes;
  readonly tasks: readonly TaskInfo[];
  /** The tasks' numbers in the verifier's order. */
  readonly order: Uint32Array<ArrayBuffer>;
};

/** What a worker needs to open a block by itself. */
export type BlockSource = {
  /** The encoded header of the parent; without one it is the header of height 0. */
  readonly parent: Bytes | undefined;
  readonly document: Bytes;
};

/** The chain as its configuration names it. */
export type ChainInfo = {
  readonly chainId: number;
  readonly genesisHash: Hex;
  /** How many registered verifiers must have checked a task for it to be covered. */
  readonly redundancy: number;
  /** Who is registered, with the weight of their votes in decimal. */
  readonly verifiers: readonly { readonly owner: Hex; readonly weight: string }[];
};

/** A block whose parent is not known. */
export type Anchor = {
  readonly info: BlockInfo;
  /** The encoded header. */
  readonly header: Bytes;
  readonly signedHeader: Bytes;
};

/** An owner's word that a session key may attest for it. */
export type Delegation = {
  /** Until when, in Unix seconds. */
  readonly expires: number;
  /** The 65 bytes that the owner's wallet made of the request. */
  readonly signature: Bytes;
};

/** How a check went: an answer, or what the worker lacks to give one. */
export type CheckResult =
  | { readonly kind: "checked"; readonly verdict: Verdict; readonly ms: number }
  | { readonly kind: "needs-block" }
  | { readonly kind: "needs-codes"; readonly hashes: readonly Hex[] };

export type CheckRequest = {
  readonly block: Hex;
  /** Has to be there if the answer was `needs-block`. */
  readonly source: BlockSource | undefined;
  readonly kind: "row" | "column";
  readonly index: number;
  readonly body: Bytes;
  /** Has to be there if the answer was `needs-codes`. */
  readonly codes: readonly Bytes[];
  /** Whether code that the worker has at hand is not to be used, because the check came out wrong with it. */
  readonly fresh: boolean;
};

/** The calls of a worker: what each is given and what it answers. */
export type Calls = {
  init: {
    given: {
      readonly module: WebAssembly.Module;
      readonly config: Bytes;
      readonly genesis: Hex | undefined;
      /** The part of the time that checks may take, above 0 and up to 1. */
      readonly cpu: number;
    };
    answer: ChainInfo;
  };
  decode: { given: { readonly frame: Bytes }; answer: StreamEvent };
  open: { given: BlockSource & { readonly verifier: Hex }; answer: OpenedBlock };
  anchor: { given: { readonly document: Bytes }; answer: Anchor };
  check: { given: CheckRequest; answer: CheckResult };
  checkEvidence: { given: { readonly evidence: Bytes }; answer: EvidenceVerdict };
  equivocation: { given: { readonly one: Bytes; readonly other: Bytes }; answer: Bytes | undefined };
  key: {
    given: { readonly secret: Bytes; readonly delegation: Delegation | undefined };
    answer: { readonly address: Hex; readonly owner: Hex };
  };
  delegationRequest: { given: { readonly expires: number }; answer: string };
  attest: {
    given: {
      readonly height: number;
      readonly term: number;
      readonly header: Hex;
      readonly blocks: readonly TaskList[];
    };
    answer: Bytes;
  };
  voter: { given: { readonly attestation: Bytes; readonly timeMs: number }; answer: VoterInfo };
  readCertificate: { given: { readonly certificate: Bytes }; answer: CertificateSpan };
  verifyCertificate: {
    given: { readonly certificate: Bytes; readonly certified: number; readonly blocks: readonly CertifiedBlockInfo[] };
    answer: CertificateVerdict;
  };
};

export type CallName = keyof Calls;

/** What a worker is sent. */
export type Request = {
  [Name in CallName]: { readonly id: number; readonly name: Name; readonly given: Calls[Name]["given"] };
}[CallName];

/** What a worker sends. After a check it answers at once and says a while later that it is ready for another. */
export type Reply =
  | { readonly kind: "answer"; readonly id: number; readonly answer: Calls[CallName]["answer"] }
  | { readonly kind: "error"; readonly id: number; readonly code: OcelliErrorCode; readonly message: string }
  | { readonly kind: "ready" };
