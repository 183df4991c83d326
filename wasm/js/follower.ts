/**
 * Follows the chain: takes the frames of the stream, opens every block on its parent, and tells of what it finds.
 *
 * Guaranteed: `onBlock` is called with blocks each of which is the parent of the next and passed the core's block check;
 * where the sequencer replaces blocks in a higher term, which only its signature says, `onRewind` is called first, and
 * `onRestart` where the next block does not stand on the last one. A block that fails the block check is never followed, nor
 * what stands on it; rows and columns are not this module's.
 */

import type { Api, Bytes, Hex } from "./api.js";
import type { StreamEvent, TaskList, VoterInfo } from "./base/ocelli.js";
import { type Certified, createCertifiedChain } from "./certified_chain.js";
import { CoreError, EndpointError, OcelliError } from "./errors.js";
import type { FoundFault } from "./fault_desk.js";
import { type FollowedBlock, type FollowedBlocks } from "./followed_blocks.js";
import * as limits from "./limits.js";
import type { Anchor, OpenedBlock } from "./protocol.js";
import type { WorkerClient } from "./worker_client.js";

/** Where a verifier begins. */
export type From = "latest" | "genesis";

export type FollowerOptions = {
  readonly url: string;
  readonly api: Pick<Api, "summary" | "block" | "certificate">;
  readonly call: WorkerClient["call"];
  /** The hash of the chain's genesis. */
  readonly genesis: Hex;
  readonly blocks: FollowedBlocks;
  /** The address in whose order tasks are taken. */
  readonly verifier: Hex;
  readonly from: From;
  /** Resolves when the block at `height` may be opened: at once, or when enough of those below it is checked. */
  readonly room: (height: number) => Promise<void>;
  /** `order` has the tasks' numbers in this verifier's order. */
  readonly onBlock: (block: FollowedBlock, order: Uint32Array) => void;
  readonly onRewind: (height: number) => void;
  /** All blocks so far are forgotten. */
  readonly onRestart: () => void;
  readonly onChecked: (voter: VoterInfo, vote: { height: number; header: Hex; blocks: readonly TaskList[] }) => void;
  readonly onCertificate: (certificate: Certified) => void;
  /** A block is wrong, or two were signed; the evidence has not been checked again. */
  readonly onFault: (fault: FoundFault) => void;
  readonly onProblem: (error: unknown) => void;
};

export type Follower = {
  /** Follows up to the block that the endpoint says is the newest, and answers the height it has come to. */
  readonly catchUp: () => Promise<number>;
  /** Takes a frame of the stream. */
  readonly take: (frame: Bytes) => Promise<void>;
  /** Whether the endpoint has a block that it has not told of. */
  readonly hasMissed: () => Promise<boolean>;
};

type Sealed = Extract<StreamEvent, { kind: "sealed" }>;

export function createFollower(options: FollowerOptions): Follower {
  const { url, api, call, blocks, verifier, from, onProblem } = options;
  let begun = false;
  const certified = createCertifiedChain(options);
  /** The height of the newest block that the endpoint has told of. */
  let toldOf = 0;
  const faulty = new Set<Hex>();

  async function take(frame: Bytes): Promise<void> {
    const event = await call("decode", { frame });
    switch (event.kind) {
      case "sealed":
        toldOf = event.height;
        return follow(event);
      case "checked":
        return checked(event);
      case "attested":
        return certified.take(event.certificate, event);
      case "fault":
        return options.onFault({ by: "network", evidence: event.evidence });
      case "lagged":
        throw new EndpointError("FELL_BEHIND", "The endpoint has sent more than was read", { url });
    }
  }

  async function catchUp(): Promise<number> {
    const { head, attested, genesis, faults } = await api.summary();
    if (genesis !== options.genesis) throw new OcelliError("OTHER_CHAIN", `${url} serves another chain now`);
    toldOf = head;
    for (const evidence of faults) options.onFault({ by: "network", evidence });
    if (!begun) {
      await begin(from === "genesis" || head <= limits.FROM_GENESIS_BLOCKS ? 0 : nearHead(head, attested));
      begun = true;
    } else if (from === "latest" && head > blocks.height() + limits.CATCH_UP_BLOCKS) {
      onProblem(new EndpointError("FELL_BEHIND", `Too far behind block ${head}, beginning anew`, { url }));
      await compareHead();
      await begin(nearHead(head, attested));
      options.onRestart();
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
    if (height === 0) {
      certified.restart(0);
      return blocks.restart();
    }
    const anchor = await signed(height);
    certified.restart(height);
    blocks.restart({ ...anchor, tasks: [], parent: undefined, isAnchor: true });
  }

  /** The block of this name on the sequencer's signature alone. */
  async function signed(name: Hex | number): Promise<Anchor> {
    const anchor = await call("anchor", { document: await api.block(name, { fresh: true }) });
    const { height, hash } = anchor.info;
    if (name !== height && name !== hash) throw new EndpointError("ENDPOINT_LIED", `Asked for block ${name}, it sent ${height}`, { url });
    return anchor;
  }

  /** Before this verifier leaves its blocks: sees that the chain still has the last of them, or goes back to where it does. */
  async function compareHead(): Promise<void> {
    const head = blocks.head();
    if (head === undefined || faulty.has(head.info.hash)) return;
    const theirs = await signed(head.info.height);
    if (theirs.info.hash === head.info.hash) return;
    if (theirs.info.term === head.info.term) return equivocation(head, theirs.signedHeader);
    if (theirs.info.term < head.info.term) throw replacedInVain(head.info.height);
    rewind(head.info.height - 1);
    await compareHead();
  }

  async function follow(sealed: Sealed): Promise<void> {
    if (faulty.has(sealed.hash)) return;
    const known = blocks.at(sealed.height);
    if (known !== undefined) {
      if (known.info.hash === sealed.hash || sealed.term < known.info.term) return;
      if (sealed.term === known.info.term) return equivocation(known, owned(sealed.header));
      // The frame is anybody's word. What replaces blocks has the sequencer's signature.
      if ((await signed(sealed.hash)).info.term <= known.info.term) throw replacedInVain(sealed.height);
      rewind(sealed.height - 1);
    }
    await followTo(sealed.height, sealed.hash);
  }

  /** Opens every block up to `height`, of which the last is `name`, or up to a fault. */
  async function followTo(height: number, name: Hex | number): Promise<void> {
    while (blocks.height() < height) {
      const next = blocks.height() + 1;
      await options.room(next);
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
        await certified.push(info);
        add(opened, parent, document);
        return true;
      }
      if (verdict.kind === "fault") {
        const { height, hash: block } = info;
        if (!faulty.has(block)) options.onFault({ height, block, evidence: verdict.evidence, by: "me" });
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
    const theirs = await signed(head.info.height);
    if (theirs.info.hash === head.info.hash || theirs.info.term < head.info.term) {
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
    if (height < certified.height() || (height > 0 && blocks.at(height) === undefined)) {
      throw replacedInVain(height + 1);
    }
    blocks.rewind(height);
    certified.rewind(height);
    options.onRewind(height);
  }

  function replacedInVain(height: number): EndpointError {
    return new EndpointError("ENDPOINT_LIED", `Block ${height} was replaced, which it may not be`, { url });
  }

  async function equivocation(known: FollowedBlock, other: Bytes): Promise<void> {
    const evidence = await call("equivocation", { one: known.signedHeader, other });
    const { height, hash: block } = known.info;
    if (evidence !== undefined) options.onFault({ height, block, evidence, by: "me" });
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

  async function hasMissed(): Promise<boolean> {
    return (await api.summary()).head > toldOf;
  }

  return { catchUp, take, hasMissed };
}

/** What was cloned from a worker is an `ArrayBuffer`'s, never shared memory's. */
function owned(bytes: Uint8Array): Bytes {
  return bytes as Bytes;
}
