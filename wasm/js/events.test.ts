import assert from "node:assert/strict";
import { test } from "node:test";
import { createEmitter } from "./events.js";

type Events = { number: number; text: string };

test("handlers are called in order, with their own events only, until they are removed", () => {
  const events = createEmitter<Events>();
  const seen: unknown[] = [];
  const off = events.on("number", (number) => seen.push(["one", number]));
  events.on("number", (number) => seen.push(["two", number]));
  events.on("text", (text) => seen.push(text));
  events.emit("number", 1);
  off();
  off();
  events.emit("number", 2);
  events.emit("text", "a");
  assert.deepEqual(seen, [["one", 1], ["two", 1], ["two", 2], "a"]);
});

test("a handler added twice is there twice, and each is removed by itself", () => {
  const events = createEmitter<Events>();
  let calls = 0;
  const handler = () => void (calls += 1);
  const off = events.on("number", handler);
  events.on("number", handler);
  events.emit("number", 0);
  off();
  events.emit("number", 0);
  assert.equal(calls, 3);
});

test("a handler that throws stops nobody, and its error is not swallowed", async () => {
  const events = createEmitter<Events>();
  let reached = false;
  events.on("number", () => {
    throw new Error("mine");
  });
  events.on("number", () => void (reached = true));
  const uncaught = new Promise<Error>((resolve) => {
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => {
      for (const listener of before) process.on("uncaughtException", listener);
      resolve(error);
    });
  });
  events.emit("number", 1);
  assert.equal(reached, true);
  assert.equal((await uncaught).message, "mine");
});

test("a handler removed while an event goes round may still be called by that event, and by none after", () => {
  const events = createEmitter<Events>();
  let calls = 0;
  const offs = [events.on("number", () => offs[1]?.()), events.on("number", () => void (calls += 1))];
  events.emit("number", 1);
  events.emit("number", 2);
  assert.equal(calls, 1);
});
