import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointError, type OcelliError } from "./errors.js";
import * as limits from "./limits.js";
import { openStream } from "./stream.js";
import { createFakeSocket, type FakeSocket } from "./testing/fake_socket.js";
import { createManualClock } from "./testing/manual_clock.js";
import { settled } from "./testing/settled.js";

function follow({ onFrame = async () => {} }: { onFrame?: (frame: Uint8Array) => Promise<void> } = {}) {
  const clock = createManualClock();
  const sockets: FakeSocket[] = [];
  const lost: OcelliError[] = [];
  const state = { have: 0, opened: 0, reachable: true, asked: 0, hasMissed: async () => true };
  const stream = openStream({
    url: "https://chain.example/",
    clock,
    random: () => 1,
    openSocket(url) {
      const socket = createFakeSocket(url);
      sockets.push(socket);
      return socket;
    },
    async prepare() {
      if (!state.reachable) throw new EndpointError("CONNECTION_LOST", "not there", { url: "" });
      return state.have;
    },
    hasMissed() {
      state.asked += 1;
      return state.hasMissed();
    },
    onOpen: () => void (state.opened += 1),
    onLost: (error) => void lost.push(error),
    onFrame,
  });
  const last = () => {
    const socket = sockets.at(-1);
    assert.ok(socket, "a socket was opened");
    return socket;
  };
  return { clock, sockets, lost, state, stream, last };
}

const frame = (...bytes: number[]) => Uint8Array.from(bytes).buffer;

test("a connection asks for what comes after the height that is there", async () => {
  const { state, last, clock, sockets } = follow();
  await settled();
  assert.equal(last().url, "wss://chain.example/v1/stream?from=0");
  assert.equal(last().binaryType, "arraybuffer");
  last().server.open();
  assert.equal(state.opened, 1);
  state.have = 7;
  last().server.close(1001, "down");
  await settled();
  clock.advance(limits.RETRY_MIN_MS);
  await settled();
  assert.equal(sockets.length, 2);
  assert.equal(last().url, "wss://chain.example/v1/stream?from=7");
});

test("whoever listens is told why a connection was lost", async () => {
  const { lost, last } = follow();
  await settled();
  last().server.close(4001, "too far behind");
  await settled();
  assert.equal(lost.length, 1);
  assert.equal(lost[0]?.code, "CONNECTION_LOST");
  assert.match(String(lost[0]?.message), /4001, too far behind/);
});

test("waits between connections grow, and shrink when frames come again", async () => {
  const { clock, sockets, last } = follow();
  await settled();
  for (const wait of [1, 2, 4]) {
    const before = sockets.length;
    last().server.fail();
    await settled();
    clock.advance(wait * limits.RETRY_MIN_MS - 1);
    await settled();
    assert.equal(sockets.length, before, "not before its time");
    clock.advance(1);
    await settled();
    assert.equal(sockets.length, before + 1);
  }
  last().server.send(frame(1));
  await settled();
  last().server.close();
  await settled();
  clock.advance(limits.RETRY_MIN_MS);
  await settled();
  assert.equal(sockets.length, 5);
});

test("an endpoint that is not there is tried again", async () => {
  const { state, clock, sockets, lost } = follow();
  state.reachable = false;
  await settled();
  const before = sockets.length;
  sockets.at(-1)?.server.close();
  await settled();
  clock.advance(limits.RETRY_MIN_MS);
  await settled();
  assert.equal(sockets.length, before);
  assert.equal(lost.at(-1)?.code, "CONNECTION_LOST");
  state.reachable = true;
  clock.advance(limits.RETRY_MAX_MS);
  await settled();
  assert.equal(sockets.length, before + 1);
});

test("frames are dealt with one after the other", async () => {
  const log: string[] = [];
  const gates: (() => void)[] = [];
  const { last } = follow({
    async onFrame([first]) {
      log.push(`begin ${first}`);
      await new Promise<void>((resolve) => gates.push(resolve));
      log.push(`end ${first}`);
    },
  });
  await settled();
  last().server.send(frame(1));
  last().server.send(frame(2));
  await settled();
  assert.deepEqual(log, ["begin 1"]);
  gates.shift()?.();
  await settled();
  assert.deepEqual(log, ["begin 1", "end 1", "begin 2"]);
});

test("a frame that cannot be dealt with ends the connection, and no other frame of it is looked at", async () => {
  const seen: number[] = [];
  const { last, lost } = follow({
    async onFrame([first]) {
      seen.push(first ?? 0);
      throw new EndpointError("ENDPOINT_LIED", "not so", { url: "" });
    },
  });
  await settled();
  last().server.send(frame(1));
  last().server.send(frame(2));
  await settled();
  assert.deepEqual(seen, [1]);
  assert.equal(last().isClosed(), true);
  assert.equal(lost[0]?.code, "ENDPOINT_LIED");
});

test("no more frames wait than may", async () => {
  const { last, lost } = follow({ onFrame: () => new Promise(() => {}) });
  await settled();
  for (let count = 0; count <= limits.WAITING_FRAMES + 1; count += 1) last().server.send(frame(1));
  await settled();
  assert.equal(lost[0]?.code, "FELL_BEHIND");
});

test("what is no frame ends the connection", async () => {
  const { last, lost } = follow();
  await settled();
  last().server.send("text");
  await settled();
  assert.equal(lost[0]?.code, "TOO_LARGE");
});

test("bytes of frames that wait are bounded too", async () => {
  const { last, lost } = follow({ onFrame: () => new Promise(() => {}) });
  await settled();
  const large = new ArrayBuffer(limits.FRAME_BYTES);
  const most = Math.floor(limits.WAITING_BYTES / limits.FRAME_BYTES) + 1;
  for (let count = 0; count < most; count += 1) last().server.send(large);
  await settled();
  assert.equal(lost.length, 0);
  last().server.send(large);
  await settled();
  assert.equal(lost[0]?.code, "FELL_BEHIND");
});

test("no connection is prepared while a frame of the one before is dealt with", async () => {
  let dealt = () => {};
  const { clock, sockets, last } = follow({ onFrame: () => new Promise((resolve) => (dealt = resolve)) });
  await settled();
  last().server.send(frame(1));
  last().server.close();
  await settled();
  clock.advance(limits.RETRY_MAX_MS);
  await settled();
  assert.equal(sockets.length, 1);
  dealt();
  await settled();
  assert.equal(sockets.length, 2);
});

test("a connection that is silent because nothing happens is kept", async () => {
  const { clock, state, lost, sockets, last } = follow();
  await settled();
  last().server.open();
  state.hasMissed = async () => false;
  for (let minute = 0; minute < 3; minute += 1) {
    clock.advance(limits.SILENCE_MS);
    await settled();
  }
  assert.deepEqual([state.asked, lost.length, sockets.length], [3, 0, 1]);
  state.hasMissed = () => Promise.reject(new EndpointError("CONNECTION_LOST", "gone", { url: "" }));
  clock.advance(limits.SILENCE_MS);
  await settled();
  assert.equal(lost[0]?.code, "CONNECTION_LOST");
});

test("what comes while it is asked why nothing does is what counts", async () => {
  const { clock, state, lost, last } = follow();
  await settled();
  last().server.open();
  let answer = (_missed: boolean) => {};
  state.hasMissed = () => new Promise((resolve) => (answer = resolve));
  clock.advance(limits.SILENCE_MS);
  last().server.send(frame(1));
  answer(true);
  await settled();
  assert.equal(lost.length, 0);
});

test("a connection that never opens is given up", async () => {
  const { clock, state, lost } = follow();
  state.hasMissed = async () => false;
  await settled();
  clock.advance(limits.SILENCE_MS);
  await settled();
  assert.equal(lost.length, 1);
});

test("a silent connection over which something should have come is made again", async () => {
  const { clock, lost, last } = follow();
  await settled();
  last().server.open();
  clock.advance(limits.SILENCE_MS - 1);
  last().server.send(frame(1));
  await settled();
  clock.advance(limits.SILENCE_MS - 1);
  await settled();
  assert.equal(lost.length, 0);
  clock.advance(1);
  await settled();
  assert.equal(lost.length, 1);
});

test("after close nothing is opened and nobody is told anything", async () => {
  const { clock, stream, sockets, lost, last } = follow();
  await settled();
  const socket = last();
  stream.close();
  assert.equal(socket.isClosed(), true);
  socket.server.close();
  await settled();
  clock.advance(limits.SILENCE_MS);
  await settled();
  assert.deepEqual([sockets.length, lost.length, clock.waiting()], [1, 0, 0]);
});
