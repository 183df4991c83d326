import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hex } from "./api.js";
import type { StreamEvent, Verdict, VoterInfo } from "./base/ocelli.js";
import type { Certified } from "./certified_chain.js";
import { CoreError, EndpointError, OcelliError } from "./errors.js";
import { createFollowedBlocks } from "./followed_blocks.js";
import { type From, createFollower } from "./follower.js";
import * as limits from "./limits.js";
import type { CallName, Calls } from "./protocol.js";
import { blockInfo } from "./testing/block_info.js";
import { settled } from "./testing/settled.js";

/** A block of a chain that the test makes up; its encodings are its name. */
type Fake = { readonly height: number; readonly hash: Hex; readonly parent: Hex; readonly term: number; readonly verdict: Verdict; readonly signed: boolean };

const valid: Verdict = { kind: "valid" };
const encode = (name: string) => new TextEncoder().encode(name);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const genesis = "0xgenesis";

function fake(height: number, { branch = "a", term = 0, verdict = valid, parent = "", signed = true } = {}): Fake {
  const before = parent === "" ? (height === 1 ? genesis : `0x${height - 1}${branch}`) : parent;
  return { height, hash: `0x${height}${branch}`, parent: before as Hex, term, verdict, signed };
}

/** A follower of an endpoint that serves these blocks, with a core that believes them. */
function follow(served: readonly Fake[], { from = "latest" as From, attested = 0 } = {}) {
  const all = new Map(served.map((block) => [block.hash, block]));
  const canonical = new Map(served.map((block) => [block.height, block]));
  const log: string[] = [];
  const problems: unknown[] = [];
  const votes: VoterInfo[] = [];
  const state = { genesis: genesis as Hex, faults: [] as Hex[], room: (_height: number) => Promise.resolve() };
  const certificates: Certified[] = [];
  const fetched: (Hex | number)[] = [];
  const blocks = createFollowedBlocks();
  const core = {
    voter: (): VoterInfo => ({ owner: "0xowner", session: "0xsession", registered: true }),
    certificate: (): Calls["verifyCertificate"]["answer"] => ({ kind: "valid", after: 0, height: 1, block: "0x1a", attestations: 3 }),
  };
  const find = (name: Uint8Array) => all.get(decode(name) as Hex) ?? assert.fail(`no block ${decode(name)}`);
  const info = ({ height, hash, parent, term }: Fake) => blockInfo({ height, hash, parent, term });
  const opened = (block: Fake) => ({
    info: info(block),
    header: encode(block.hash),
    signedHeader: encode(block.hash),
  });
  const handlers: Partial<{ [Name in CallName]: (given: Calls[Name]["given"]) => Calls[Name]["answer"] }> = {
    decode: ({ frame }) => JSON.parse(decode(frame), (_, value: unknown) => (value === "other" ? encode(value) : value)) as StreamEvent,
    open({ parent, document }) {
      const block = find(document);
      const fits = (parent === undefined ? genesis : decode(parent)) === block.parent;
      const verdict: Verdict = fits ? block.verdict : { kind: "not-committed", part: "parent", reason: "not the parent" };
      return { ...opened(block), verdict, tasks: [], order: new Uint32Array() };
    },
    anchor({ document }) {
      const block = find(document);
      if (!block.signed) throw new CoreError("OTHER_CHAIN", "not the sequencer's");
      return opened(block);
    },
    equivocation: ({ one, other }) => encode(`${decode(one)} and ${decode(other)}`),
    voter: () => core.voter(),
    verifyCertificate: () => core.certificate(),
  };
  const follower = createFollower({
    url: "http://chain.example",
    api: {
      summary: async () => ({ head: Math.max(0, ...canonical.keys()), attested, genesis: state.genesis, faults: state.faults }),
      async block(name) {
        fetched.push(name);
        const block = typeof name === "number" ? canonical.get(name) : all.get(name);
        if (block === undefined) throw new EndpointError("HTTP_STATUS", "no block", { url: "", status: 404 });
        return encode(block.hash);
      },
      certificate: (height) => assert.fail(`nothing is missing from ${height} on`),
    },
    call: (async (name: CallName, given: never) => handlers[name]?.(given)) as never,
    blocks,
    genesis,
    verifier: "0xme",
    from,
    room: (height) => state.room(height),
    onBlock: (block) => void log.push(block.info.hash),
    onRewind: (height) => void log.push(`rewind ${height}`),
    onChecked: (voter) => void votes.push(voter),
    onCertificate: (certificate) => void certificates.push(certificate),
    onRestart: () => void log.push("restart"),
    onFault: (fault) =>
      void log.push(fault.by === "me" ? `fault ${fault.height} ${fault.block} ${decode(fault.evidence)}` : `evidence ${fault.evidence}`),
    onProblem: (error) => void problems.push(error),
  });
  /** The endpoint has one more block. */
  const serve = (block: Fake) => {
    all.set(block.hash, block);
    canonical.set(block.height, block);
  };
  const take = (event: unknown) => follower.take(encode(JSON.stringify(event)));
  const sealed = (block: Fake) => take({ kind: "sealed", height: block.height, term: block.term, hash: block.hash, header: [] });
  return { follower, blocks, log, problems, votes, certificates, fetched, core, state, canonical, serve, take, sealed };
}

const chain = (length: number) => Array.from({ length }, (_, at) => fake(at + 1));
const lied = (error: unknown) => error instanceof EndpointError && error.code === "ENDPOINT_LIED";

test("a young chain is followed from its genesis, then block by block", async () => {
  const { follower, log, serve, sealed } = follow(chain(2));
  assert.equal(await follower.catchUp(), 2);
  serve(fake(3));
  await sealed(fake(3));
  await sealed(fake(3));
  assert.deepEqual(log, ["0x1a", "0x2a", "0x3a"]);
});

test("an old chain is followed from what is certified, which is taken on the sequencer's word", async () => {
  const length = limits.FROM_GENESIS_BLOCKS + 10;
  const { follower, blocks, fetched } = follow(chain(length), { attested: length - 2 });
  assert.equal(await follower.catchUp(), length);
  assert.deepEqual(fetched, [length - 2, length - 1, length]);
  assert.equal(blocks.at(length - 2)?.isAnchor, true);
  assert.equal(blocks.votable(length - 1, Infinity), undefined, "nobody votes for what it has not opened");
  assert.equal(blocks.votable(Infinity, Infinity)?.height, length);
});

test("from the genesis means from the genesis", async () => {
  const length = limits.FROM_GENESIS_BLOCKS + 10;
  const { follower, log } = follow(chain(length), { from: "genesis", attested: length });
  await follower.catchUp();
  assert.equal(log.length, length);
});

test("a block that the endpoint has and has not told of was missed", async () => {
  const { follower, serve, sealed } = follow(chain(2));
  await follower.catchUp();
  assert.equal(await follower.hasMissed(), false);
  serve(fake(3));
  assert.equal(await follower.hasMissed(), true);
  await sealed(fake(3));
  assert.equal(await follower.hasMissed(), false);
});

test("blocks that a frame skips are fetched", async () => {
  const { follower, log, serve, sealed } = follow(chain(1));
  await follower.catchUp();
  for (const height of [2, 3, 4]) serve(fake(height));
  await sealed(fake(4));
  assert.deepEqual(log, ["0x1a", "0x2a", "0x3a", "0x4a"]);
});

test("a faulty block is told once and never stood on", async () => {
  const bad = fake(2, { verdict: { kind: "fault", description: "block", evidence: encode("evidence") } });
  const { follower, log, blocks, serve, sealed } = follow([fake(1)]);
  await follower.catchUp();
  serve(bad);
  await sealed(bad);
  serve(fake(3));
  await sealed(fake(3));
  await sealed(bad);
  assert.deepEqual(log, ["0x1a", "fault 2 0x2a evidence"]);
  assert.equal(blocks.height(), 1);
});

test("two headers of one height and term are evidence", async () => {
  const { follower, log, take } = follow(chain(2));
  await follower.catchUp();
  await take({ kind: "sealed", height: 2, term: 0, hash: "0x2b", header: "other" });
  assert.deepEqual(log.at(-1), "fault 2 0x2a 0x2a and other");
});

test("a second header is found too when only the block on it is seen", async () => {
  const { follower, log, blocks, serve, sealed } = follow(chain(2));
  await follower.catchUp();
  serve(fake(2, { branch: "b", parent: "0x1a" }));
  serve(fake(3, { branch: "b" }));
  await sealed(fake(3, { branch: "b" }));
  assert.equal(log.at(-1), "fault 2 0x2a 0x2a and 0x2b");
  assert.equal(blocks.head()?.info.hash, "0x2a");
});

test("a higher term replaces blocks that are not certified", async () => {
  const { follower, log, serve, sealed } = follow(chain(3));
  await follower.catchUp();
  const [two, three] = [fake(2, { branch: "b", term: 1, parent: "0x1a" }), fake(3, { branch: "b", term: 1 })];
  serve(two);
  await sealed(two);
  serve(three);
  await sealed(three);
  assert.deepEqual(log.slice(3), ["rewind 1", "0x2b", "0x3b"]);
});

test("a higher term is followed too when only its newest block is seen", async () => {
  const { follower, log, serve, sealed } = follow(chain(3));
  await follower.catchUp();
  serve(fake(2, { branch: "b", term: 1, parent: "0x1a" }));
  serve(fake(3, { branch: "b", term: 1 }));
  serve(fake(4, { branch: "b", term: 1 }));
  await sealed(fake(4, { branch: "b", term: 1 }));
  assert.deepEqual(log.slice(3), ["rewind 2", "rewind 1", "0x2b", "0x3b", "0x4b"]);
});

test("what is certified is not replaced", async () => {
  const { follower, certificates, take, serve, sealed } = follow(chain(2));
  await follower.catchUp();
  await take({ kind: "attested", certificate: [], after: 0, height: 1, top: 2 });
  assert.deepEqual(certificates, [{ after: 0, height: 1, hash: "0x1a", attestations: 3 }]);
  const other = fake(1, { branch: "b", term: 1 });
  serve(other);
  await assert.rejects(sealed(other), lied);
});

test("a certificate is verified only if all its blocks are here, and told only if it holds", async () => {
  const { follower, core, certificates, problems, take } = follow(chain(2));
  await follower.catchUp();
  await take({ kind: "attested", certificate: [], after: 0, height: 1, top: 3 });
  core.certificate = () => ({ kind: "invalid", reason: "too few" });
  await take({ kind: "attested", certificate: [], after: 0, height: 1, top: 2 });
  assert.deepEqual(certificates, []);
  assert.equal(problems.length, 1);
});

test("attestations count for the blocks that are followed, and only with a signature", async () => {
  const { follower, core, votes, problems, take } = follow(chain(1));
  await follower.catchUp();
  const checked = { kind: "checked", attestation: [], height: 1, header: "0x1a", blocks: [] };
  await take(checked);
  await take({ ...checked, header: "0x1b" });
  await take({ ...checked, height: 9 });
  assert.equal(votes.length, 1);
  core.voter = () => {
    throw new CoreError("NOT_ATTESTED", "nobody's");
  };
  await take(checked);
  assert.deepEqual([votes.length, problems.length], [1, 1]);
});

test("evidence that others have is told of, also if it was there before the connection", async () => {
  const { follower, state, log, take } = follow(chain(1));
  state.faults = ["0xd"];
  await follower.catchUp();
  await take({ kind: "fault", height: 1, evidence: "0xe" });
  assert.deepEqual(log, ["evidence 0xd", "0x1a", "evidence 0xe"]);
});

test("an endpoint that serves another chain now is not followed", async () => {
  const { follower, state, log } = follow(chain(1));
  state.genesis = "0xother";
  await assert.rejects(follower.catchUp(), (error) => error instanceof OcelliError && error.code === "OTHER_CHAIN");
  assert.deepEqual(log, []);
});

test("a higher term that the sequencer has not signed replaces nothing", async () => {
  const { follower, log, blocks, serve, sealed } = follow(chain(3));
  await follower.catchUp();
  const forged = fake(2, { branch: "b", term: 9, parent: "0x1a", signed: false });
  await assert.rejects(sealed(forged), (error) => error instanceof EndpointError);
  serve(forged);
  await assert.rejects(sealed(forged), (error) => error instanceof CoreError);
  serve(fake(3));
  await assert.rejects(sealed({ ...fake(3), hash: "0x2a", term: 9 }), lied, "nor does a frame that claims another term");
  assert.equal(blocks.head()?.info.hash, "0x3a");
  assert.deepEqual(log, ["0x1a", "0x2a", "0x3a"]);
});

test("no block is opened before there is room for it", async () => {
  const { follower, state, log } = follow(chain(3));
  let makeRoom = () => {};
  state.room = (height) => (height < 3 ? Promise.resolve() : new Promise((resolve) => (makeRoom = resolve)));
  const caughtUp = follower.catchUp();
  await settled();
  assert.deepEqual(log, ["0x1a", "0x2a"]);
  makeRoom();
  await caughtUp;
  assert.deepEqual(log, ["0x1a", "0x2a", "0x3a"]);
});

/** A follower that stands on block 3 of a chain that has gone on for too long to catch up. */
async function leftBehind(options = {}) {
  const followed = follow(chain(3));
  await followed.follower.catchUp();
  const length = limits.CATCH_UP_BLOCKS + 10;
  for (let height = 4; height <= length; height += 1) followed.serve(fake(height, options));
  return { ...followed, length };
}

test("who is too far behind begins anew, and what was checked before is not counted for what comes", async () => {
  const { follower, blocks, log, length } = await leftBehind();
  assert.equal(await follower.catchUp(), length);
  const began = length - limits.CATCH_UP_BLOCKS;
  assert.deepEqual(log.slice(3, 5), ["restart", `0x${began + 1}a`]);
  assert.equal(blocks.at(3), undefined);
});

test("who begins anew sees whether the chain still has the block that it stood on", async () => {
  const replaced = await leftBehind({ branch: "b", term: 1 });
  replaced.serve(fake(3, { branch: "b", term: 1, parent: "0x2a" }));
  await replaced.follower.catchUp();
  assert.deepEqual(replaced.log.slice(3, 5), ["rewind 2", "restart"]);

  const twice = await leftBehind({ branch: "b" });
  twice.serve(fake(3, { branch: "b", parent: "0x2a" }));
  await twice.follower.catchUp();
  assert.deepEqual(twice.log.slice(3, 5), ["fault 3 0x3a 0x3a and 0x3b", "restart"]);

  const certified = await leftBehind({ branch: "b", term: 1 });
  await certified.take({ kind: "attested", certificate: [], after: 0, height: 1, top: 1 });
  for (const height of [1, 2, 3]) certified.serve(fake(height, { branch: "b", term: 1 }));
  await assert.rejects(certified.follower.catchUp(), lied, "what is certified is not replaced");
});

test("an endpoint that answers with a block of another height lies", async () => {
  const { follower, canonical, log, length } = await leftBehind();
  canonical.set(length - limits.CATCH_UP_BLOCKS, fake(3));
  await assert.rejects(follower.catchUp(), lied);
  assert.equal(log.includes("restart"), false);
});

test("who is told that it missed something connects anew", async () => {
  const { take } = follow(chain(1));
  await assert.rejects(take({ kind: "lagged" }), (error) => error instanceof EndpointError && error.code === "FELL_BEHIND");
});

test("an endpoint that never sends the block it names lies", async () => {
  const { follower, fetched } = follow([fake(1, { verdict: { kind: "not-committed", part: "manifest", reason: "another" } })]);
  await assert.rejects(follower.catchUp(), lied);
  assert.equal(fetched.length, limits.FETCH_ATTEMPTS);
});
