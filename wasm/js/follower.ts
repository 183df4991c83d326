/**
 * Follows the chain: takes the frames of the stream, opens every block on its parent, and tells of what it finds.
 *
 * Guaranteed: `onBlock` is called with blocks each of which is the parent of the next and passed the core's block check;
 * where the sequencer replaces blocks in a higher term, `onRewind` is called first. A block that was found faulty is never
 * followed, nor what stands on it.
 */

import type { Api, Bytes, Hex } from "./api.js";
import type { StreamEvent, TaskList, VoterInfo } from "./base/ocelli.js";
import { CoreError, EndpointError } from "./errors.js";
import { type FollowedBlock, type FollowedBlocks } from "./followed_blocks.js";
import * as limits from "./limits.js";
import type { OpenedBlock } from "./protocol.js";
import type { WorkerClient } from "./worker_client.js";

/** Where a verifier begins. */
export type From = "latest" | "genesis";

export type FollowerOptions = {
  readonly url: string;
  readonly api: Pick<Api, "summary" | "block" | "evidence">;
  readonly call: WorkerClient["call"];
  readonly blocks: FollowedBlocks;
  /** The address in whose order tasks are taken. */
  readonly verifier: Hex;
  readonly from: From;
  /** `order` has the tasks' numbers in this verifier's order. */
  readonly onBlock: (block: FollowedBlock, order: Uint32Array) => void;
  readonly onRewind: (height: number) => void;
  readonly onChecked: (voter: VoterInfo, vote: { height: number; header: Hex; blocks: readonly TaskList[] }) => void;
  readonly onCertificate: (certificate: Certified) => void;
  /** The block at `height` is wrong, or two were signed; the evidence has not been checked again. */
  readonly onFault: (fault: { readonly height: number; readonly evidence: Bytes; readonly by: "me" | "network" }) => void;
  readonly onProblem: (error: unknown) => void;
};

export type Certified = {
  readonly after: number;
  readonly height: number;
  readonly hash: Hex;
  readonly attestations: number;
};

export type Follower = {
  /** Follows up to the block that the endpoint says is the newest, and answers the height it has come to. */
  readonly catchUp: () => Promise<number>;
  /** Takes a frame of the stream. */
  readonly take: (frame: Bytes) => Promise<void>;
};

type Sealed = Extract<StreamEvent, { kind: "sealed" }>;

export function createFollower(options: FollowerOptions): Follower {
  const { url, api, call, blocks, verifier, from, onProblem } = options;
  let begun = false;
  let certifiedUpTo = 0;
  const faulty = new Set<Hex>();
  const evidenceSeen = new Set<Hex>();

  async function take(frame: Bytes): Promise<void> {
    const event = await call("decode", { frame });
    switch (event.kind) {
      case "sealed":
        return follow(event);
      case "checked":
        return checked(event);
      case "attested":
        return attested(event);
      case "fault":
        return foreignFault(event);
      case "lagged":
        throw new EndpointError("FELL_BEHIND", "The endpoint has sent more than was read", { url });
    }
  }

  async function catchUp(): Promise<number> {
    const { head, attested } = await api.summary();
    if (!begun) {
      await begin(from === "genesis" || head <= limits.FROM_GENESIS_BLOCKS ? 0 : nearHead(head, attested));
      begun = true;
    } else if (from === "latest" && head > blocks.height() + limits.CATCH_UP_BLOCKS) {
      onProblem(new EndpointError("FELL_BEHIND", `Too far behind block ${head}, beginning anew`, { url }));
      await begin(nearHead(head, attested));
    }
    await followTo(head, head);
    return blocks.height();
  }

  /** What is certified already needs no more checks, what is not does. */
  function nearHead(head: number, attested: number): number {
    return Math.min(head, Math.max(attested, head - limits.CATCH_UP_BLOCKS));
  }

  /** Stands on the block at `height` from now on, or on the genesis. */
  async function begin(height: number): Promise<void> {
    if (height === 0) return blocks.restart();
    const anchor = await call("anchor", { document: await api.block(height) });
    blocks.restart({ ...anchor, tasks: [], parent: undefined, isAnchor: true });
  }

  async function follow(sealed: Sealed): Promise<void> {
    if (faulty.has(sealed.hash)) return;
    const known = blocks.at(sealed.height);
    if (known !== undefined) {
      if (known.info.hash === sealed.hash || sealed.term < known.info.term) return;
      if (sealed.term === known.info.term) return equivocation(known, owned(sealed.header));
      rewind(sealed.height - 1);
    }
    await followTo(sealed.height, sealed.hash);
  }

  /** Opens every block up to `height`, of which the last is `name`, or up to a fault. */
  async function followTo(height: number, name: Hex | number): Promise<void> {
    while (blocks.height() < height) {
      const next = blocks.height() + 1;
      if (!(await openNext(next === height ? name : next))) return;
    }
  }

  /** Opens the block above the head. Says whether the head is higher, or elsewhere, than it was. */
  async function openNext(name: Hex | number): Promise<boolean> {
    const parent = blocks.head()?.header;
    for (let attempt = 1; ; attempt += 1) {
      const document = await api.block(name, { fresh: attempt > 1 });
      const opened = await call("open", { parent, document, verifier });
      const { verdict, info } = opened;
      if (verdict.kind === "valid") {
        add(opened, parent, document);
        return true;
      }
      if (verdict.kind === "fault") {
        if (!faulty.has(info.hash)) options.onFault({ height: info.height, evidence: verdict.evidence, by: "me" });
        faulty.add(info.hash);
        return false;
      }
      if (verdict.part === "parent" && blocks.height() > 0) return reconcile();
      if (attempt >= limits.FETCH_ATTEMPTS) throw new EndpointError("ENDPOINT_LIED", `Block ${name}: ${verdict.reason}`, { url });
    }
  }

  function add({ info, header, signedHeader, tasks, order }: OpenedBlock, parent: Bytes | undefined, document: Bytes) {
    const block: FollowedBlock = { info, header, signedHeader, tasks, parent, isAnchor: false };
    blocks.push(block, document);
    options.onBlock(block, order);
  }

  /** The block above says that the head is not its parent: finds out who is wrong. */
  async function reconcile(): Promise<boolean> {
    const head = blocks.head();
    if (head === undefined) throw new EndpointError("ENDPOINT_LIED", "The first block does not stand on the genesis", { url });
    const theirs = await call("anchor", { document: await api.block(head.info.height, { fresh: true }) });
    if (theirs.info.height !== head.info.height || theirs.info.hash === head.info.hash || theirs.info.term < head.info.term) {
      throw new EndpointError("ENDPOINT_LIED", `Block ${head.info.height + 1} does not stand on block ${head.info.height}`, { url });
    }
    if (theirs.info.term === head.info.term) {
      await equivocation(head, theirs.signedHeader);
      return false;
    }
    rewind(head.info.height - 1);
    return true;
  }

  function rewind(height: number) {
    if (height < certifiedUpTo || (height > 0 && blocks.at(height) === undefined)) {
      throw new EndpointError("ENDPOINT_LIED", `Block ${height + 1} was replaced although it was certified or long followed`, { url });
    }
    blocks.rewind(height);
    options.onRewind(height);
  }

  async function equivocation(known: FollowedBlock, other: Bytes): Promise<void> {
    const evidence = await call("equivocation", { one: known.signedHeader, other });
    if (evidence !== undefined) options.onFault({ height: known.info.height, evidence, by: "me" });
  }

  async function checked({ attestation, height, header, blocks: lists }: Extract<StreamEvent, { kind: "checked" }>) {
    const block = blocks.at(height);
    if (block?.info.hash !== header) return;
    try {
      const voter = await call("voter", { attestation, timeMs: block.info.timeMs });
      options.onChecked(voter, { height, header, blocks: lists });
    } catch (error) {
      // Nobody's word: it says nothing, and whoever passed it on is no better than the network.
      if (!(error instanceof CoreError)) throw error;
      onProblem(error);
    }
  }

  async function attested({ certificate, after, top }: Extract<StreamEvent, { kind: "attested" }>): Promise<void> {
    // What began before this verifier did, it cannot verify; the next one it can.
    const span = blocks.span(after, top);
    if (span === undefined) return;
    const verdict = await call("verifyCertificate", { certificate, blocks: span.map(forCertificate) });
    if (verdict.kind === "invalid") {
      onProblem(new EndpointError("ENDPOINT_LIED", `A certificate does not hold: ${verdict.reason}`, { url }));
      return;
    }
    certifiedUpTo = Math.max(certifiedUpTo, verdict.height);
    const { height, block: hash, attestations } = verdict;
    options.onCertificate({ after, height, hash, attestations });
  }

  async function foreignFault({ height, evidence: hash }: Extract<StreamEvent, { kind: "fault" }>): Promise<void> {
    if (evidenceSeen.has(hash) || evidenceSeen.size >= limits.FOREIGN_EVIDENCE) return;
    evidenceSeen.add(hash);
    options.onFault({ height, evidence: await api.evidence(hash), by: "network" });
  }

  return { catchUp, take };
}

function forCertificate({ height, term, hash, timeMs, rows, columns }: FollowedBlock["info"]) {
  return { height, term, hash, timeMs, rows, columns };
}

/** What was cloned from a worker is an `ArrayBuffer`'s, never shared memory's. */
function owned(bytes: Uint8Array): Bytes {
  return bytes as Bytes;
}
