/** Puts a verifier together out of its parts: what each finds out is told to those that need it. */

import type { Api, FetchOptions } from "./api.js";
import { createAttester } from "./attester.js";
import type { TaskList, VoterInfo } from "./base/ocelli.js";
import { checkTask } from "./check_task.js";
import type { Clock } from "./clock.js";
import type { Emitter } from "./events.js";
import { createFaultDesk } from "./fault_desk.js";
import { type FollowedBlock, createFollowedBlocks } from "./followed_blocks.js";
import { createFollower } from "./follower.js";
import * as limits from "./limits.js";
import type { Settings } from "./options.js";
import type { ChainInfo } from "./protocol.js";
import { createRoom } from "./room.js";
import type { OpenSocket } from "./socket.js";
import { openStream } from "./stream.js";
import { type BoardTask, createTaskBoard } from "./task_board.js";
import { createTaskRunner } from "./task_runner.js";
import type { Verifier, VerifierEvents } from "./verifier.js";
import { createVerifierStatus } from "./verifier_status.js";
import type { Workers } from "./workers.js";

export type Parts = {
  readonly settings: Settings;
  readonly api: Api;
  readonly openSocket: OpenSocket;
  /** Aborted when the verifier is stopped. */
  readonly ending: AbortController;
  readonly events: Emitter<VerifierEvents>;
  /** Tells of an error that is dealt with. */
  readonly problem: (error: unknown) => void;
  readonly workers: Workers;
  readonly clock: Clock;
  readonly chain: ChainInfo;
  readonly identity: { readonly address: Verifier["address"]; readonly owner: Verifier["owner"] };
};

/** A verifier that is connecting. */
export function assembleVerifier(parts: Parts): Verifier {
  const { settings, api, ending, events, problem, workers, clock, chain } = parts;
  const { call, pool } = workers;
  const { address } = parts.identity;
  let { owner } = parts.identity;
  let paused = false;
  const status = createVerifierStatus((now) => events.emit("status", now));
  const blocks = createFollowedBlocks();
  const checksAll = settings.from === "genesis";
  const board = createTaskBoard({
    redundancy: chain.redundancy,
    maxBlocks: limits.REMEMBERED_BLOCKS,
    maxCertified: checksAll ? limits.REMEMBERED_BLOCKS : limits.CERTIFIED_BLOCKS,
  });

  const faults = createFaultDesk({
    clock,
    call,
    fetch: api.evidence,
    post: api.postEvidence,
    onFault: (fault) => events.emit("fault", fault),
    onProblem: problem,
  });

  const attester = createAttester({
    clock,
    votable: (latestTimeMs) => (paused ? undefined : blocks.votable(lowestFault(), latestTimeMs)),
    sign: ({ height, term, hash }, lists) => call("attest", { height, term, header: hash, blocks: lists }),
    post: api.postAttestation,
    onAttested: ({ height, header, blocks: lists }) => attestation(height, header, lists, "me"),
    onProblem: problem,
  });

  const runner = createTaskRunner({
    clock,
    board,
    atOnce: 2 * settings.workers,
    run: runTask,
    onDone: () => room.look(),
    onProblem: problem,
  });
  const room = createRoom(() => Math.min(board.lowest(), runner.lowest()));

  const follower = createFollower({
    url: settings.url,
    api,
    call,
    genesis: chain.genesisHash,
    blocks,
    verifier: address,
    from: settings.from,
    room: checksAll ? room.at : () => Promise.resolve(),
    onBlock: addBlock,
    onRewind(height) {
      board.rewind(height);
      attester.rewind(height);
      events.emit("rewind", { height });
    },
    onRestart() {
      board.rewind(0);
      attester.rewind(0);
    },
    onChecked: attestedByOther,
    onCertificate({ after, height, hash, attestations }) {
      board.certified(height);
      attester.certified(height);
      events.emit("certificate", { after, height, block: hash, attestations });
    },
    onFault: (fault) => void faults.take(fault),
    onProblem: problem,
  });

  const stream = openStream({
    url: settings.url,
    openSocket: parts.openSocket,
    clock,
    prepare: follower.catchUp,
    hasMissed: follower.hasMissed,
    onOpen() {
      status.connected();
      runner.connected();
    },
    onLost: status.lost,
    onFrame: follower.take,
  });

  function lowestFault(): number {
    return faults.lowest((height, hash) => blocks.at(height)?.info.hash === hash);
  }

  function addBlock(block: FollowedBlock, order: Uint32Array) {
    const { height, hash } = block.info;
    board.add({ height, hash, order });
    events.emit("block", { block: block.info, tasks: block.tasks });
    runner.wake();
    attester.wake();
  }

  async function runTask({ height, hash, task }: BoardTask): Promise<void> {
    const block = blocks.at(height);
    const info = block?.tasks[task];
    if (info === undefined || block?.info.hash !== hash) return;
    const source = async (options: FetchOptions) => {
      const kept = options.fresh ? undefined : blocks.document(hash);
      return { parent: block.parent, document: kept ?? (await api.block(hash, options)) };
    };
    const toCheck = { block: hash, source, kind: info.kind, index: info.index };
    const { verdict, ms } = await checkTask(toCheck, { url: settings.url, api, pool, clock });
    if (ending.signal.aborted || verdict.kind === "not-committed") return;
    events.emit("task", { height, block: hash, ...named(info), ms, verdict: verdict.kind, by: "me" });
    if (verdict.kind === "fault") void faults.take({ by: "me", height, block: hash, evidence: verdict.evidence });
    else if (blocks.at(height)?.info.hash === hash) attester.checked(height, task);
  }

  function attestedByOther({ owner: by, session, registered }: VoterInfo, vote: BlockVote) {
    // Keys that nobody has registered anyone can make up.
    if (session === address || !registered) return;
    for (const { height, tasks } of vote.blocks) {
      const block = blocks.at(height);
      board.attested(by, height, tasks);
      for (const task of tasks) {
        const info = block?.tasks[task];
        if (block === undefined || info === undefined) continue;
        events.emit("task", { height, block: block.info.hash, ...named(info), ms: undefined, verdict: "valid", by });
      }
    }
    attestation(vote.height, vote.header, vote.blocks, by);
  }

  function attestation(height: number, header: Verifier["address"], lists: readonly TaskList[], by: "me" | Verifier["owner"]) {
    const tasks = lists.reduce((sum, list) => sum + list.tasks.length, 0);
    events.emit("attestation", { height, header, tasks, blocks: lists.length, by });
  }

  function stop() {
    if (ending.signal.aborted) return;
    ending.abort();
    stream.close();
    runner.close();
    attester.close();
    workers.close();
    status.stop();
    events.clear();
  }

  return {
    chain,
    address,
    get owner() {
      return owner;
    },
    get status() {
      return status.now();
    },
    on: events.on,
    delegationRequest: (expires) => call("delegationRequest", { expires }),
    async delegate(delegation) {
      ({ owner } = await workers.setKey(delegation));
      attester.ownerChanged();
      return owner;
    },
    pause() {
      paused = true;
      runner.pause();
      status.pause(true);
    },
    resume() {
      paused = false;
      status.pause(false);
      runner.resume();
      attester.wake();
    },
    stop,
    async [Symbol.asyncDispose]() {
      stop();
    },
  };
}

type BlockVote = {
  readonly height: number;
  readonly header: Verifier["address"];
  readonly blocks: readonly TaskList[];
};

function named({ task, kind, index }: FollowedBlock["tasks"][number]) {
  return { task, kind, index };
}
