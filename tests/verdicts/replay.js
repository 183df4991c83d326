// @ts-check

/**
 * Replays a transcript with the built modules: asks them every check, and says where they answer otherwise than the native core
 * did. The same code in Node and in a browser, which is why it is JavaScript and imports nothing.
 *
 * `tests/src/transcript.rs` draws the format.
 *
 * @typedef {typeof import("../../wasm/dist/base/ocelli.js")} Core
 * @typedef {import("../../wasm/dist/base/ocelli.js").Block} Block
 * @typedef {import("../../wasm/dist/base/ocelli.js").Chain} Chain
 * @typedef {import("../../wasm/dist/base/ocelli.js").Verdict} Verdict
 *
 * @typedef {{ verdict: string, evidence?: string }} Answer
 * @typedef {{ kind: "row" | "column", index: number, bytes: number, answer: Answer }} Task
 * @typedef {object} Case
 * @property {string} name
 * @property {number} height
 * @property {number} config
 * @property {number} parent
 * @property {number} document
 * @property {Record<string, number>} codes by their hashes
 * @property {Answer} block
 * @property {Task[]} tasks
 */

const MAGIC = "OCSCRIPT";
const VERSION = 1;
const HEAD_BYTES = 16;
const CHUNK_BYTES = 512;
const NOT_THE_BODY = "not committed: not the body that the block commits to";

export class Replay {
  /** @type {Core} */ #core;
  /** @type {Uint8Array} */ #chunks;
  /** @type {number[][]} */ #blobs;
  /** @type {Map<number, Chain>} */ #chains = new Map();

  /**
   * @param {Core} core initialised
   * @param {Uint8Array} bytes a transcript
   */
  constructor(core, bytes) {
    const head = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
    const text = (/** @type {Uint8Array} */ part) => new TextDecoder("utf-8", { fatal: true }).decode(part);
    if (text(bytes.subarray(0, 8)) !== MAGIC || head.getUint32(8, true) !== VERSION) {
      throw new Error("not a transcript, or of another version");
    }
    const chunksAt = HEAD_BYTES + head.getUint32(12, true);
    const index = JSON.parse(text(bytes.subarray(HEAD_BYTES, chunksAt)));
    this.#core = core;
    this.#blobs = index.blobs;
    this.#chunks = bytes.subarray(chunksAt);
    /** @type {Case[]} */
    this.cases = index.cases;
  }

  /** The names of the cases, each once. */
  get names() {
    return [...new Set(this.cases.map(({ name }) => name))];
  }

  /**
   * Asks every check of the cases with this name.
   * @param {string} name
   */
  replay(name) {
    const cases = this.cases.filter((one) => one.name === name);
    const asked = cases.map((one) => this.#ask(one));
    return { checks: asked.reduce((sum, { checks }) => sum + checks, 0), differences: asked.flatMap((one) => one.differences) };
  }

  /**
   * Flips every bit of a body, one at a time, as if on the way to here.
   * @param {string} name of the first case that has the task
   * @param {"row" | "column"} kind
   * @param {number} index
   */
  flip(name, kind, index) {
    const one = this.cases.find((candidate) => candidate.name === name);
    const task = one?.tasks.find((candidate) => candidate.kind === kind && candidate.index === index);
    if (one === undefined || task === undefined) throw new Error(`no ${kind} ${index} in ${name}`);
    const block = this.#open(one);
    const bytes = this.#blob(task.bytes);
    const { start, end } = kind === "row" ? bodyOfTask(bytes) : { start: 0, end: bytes.length };
    const differences = [];
    for (let bit = start * 8; bit < end * 8; bit += 1) {
      flipBit(bytes, bit);
      const verdict = inWords(kind === "row" ? block.checkRow(index, bytes, []) : block.checkColumn(index, bytes));
      flipBit(bytes, bit);
      if (verdict !== NOT_THE_BODY) differences.push(`bit ${bit}: ${verdict}`);
    }
    block.free();
    return { checks: (end - start) * 8, differences };
  }

  /** @param {Case} one */
  #ask(one) {
    /** @type {string[]} */
    const differences = [];
    const compare = (/** @type {string} */ check, /** @type {Answer} */ here, /** @type {Answer} */ there) => {
      if (here.verdict === there.verdict && here.evidence === there.evidence) return;
      differences.push(`block ${one.height}, ${check}: ${describe(here)}, natively ${describe(there)}`);
    };
    /** @type {Block} */
    let block;
    try {
      block = this.#open(one);
    } catch (error) {
      compare("the document", thrown(error), one.block);
      return { checks: 1, differences };
    }
    const chain = this.#chain(one.config);
    compare("the rules", answer(chain, block.verdict), one.block);
    for (const task of one.tasks) {
      compare(`${task.kind} ${task.index}`, this.#askTask(chain, block, one, task), task.answer);
    }
    block.free();
    return { checks: 1 + one.tasks.length, differences };
  }

  /**
   * @param {Chain} chain
   * @param {Block} block
   * @param {Case} one
   * @param {Task} task
   * @returns {Answer}
   */
  #askTask(chain, block, { codes }, { kind, index, bytes: number }) {
    const bytes = this.#blob(number);
    try {
      if (kind === "column") return answer(chain, block.checkColumn(index, bytes));
      // As a verifier does: fetches what the body names, as far as it is to be had.
      const wanted = block.rowCodes(index, bytes).map((hash) => codes[hash]);
      const found = wanted.filter((blob) => blob !== undefined).map((blob) => this.#blob(blob));
      return answer(chain, block.checkRow(index, bytes, found));
    } catch (error) {
      return thrown(error);
    }
  }

  /** @param {Case} one */
  #open({ config, parent, document }) {
    return this.#chain(config).openBlock(this.#blob(parent), this.#blob(document));
  }

  /** @param {number} config */
  #chain(config) {
    const open = this.#chains.get(config) ?? new this.#core.Chain(this.#blob(config), undefined);
    this.#chains.set(config, open);
    return open;
  }

  /**
   * A copy of its own.
   * @param {number} number
   */
  #blob(number) {
    const [length = 0, ...chunks] = this.#blobs[number] ?? [];
    const bytes = new Uint8Array(chunks.length * CHUNK_BYTES);
    chunks.forEach((chunk, at) => {
      bytes.set(this.#chunks.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES), at * CHUNK_BYTES);
    });
    return bytes.subarray(0, length);
  }
}

/**
 * @param {Chain} chain
 * @param {Verdict} verdict
 * @returns {Answer}
 */
function answer(chain, verdict) {
  if (verdict.kind !== "fault") return { verdict: inWords(verdict) };
  const proved = chain.checkEvidence(verdict.evidence);
  return { verdict: inWords(verdict), evidence: proved.kind === "fault" ? proved.description : proved.reason };
}

/** In the words of `tests/src/verdicts.rs`. @param {Verdict} verdict */
function inWords(verdict) {
  switch (verdict.kind) {
    case "valid":
      return "valid";
    case "fault":
      return `fault: ${verdict.description}`;
    case "not-committed":
      return `not committed: ${verdict.reason}`;
  }
}

/** @param {unknown} error @returns {Answer} */
function thrown(error) {
  // After a trap the module is in a state that nobody knows, and every answer from then on would say nothing.
  if (error instanceof WebAssembly.RuntimeError) throw error;
  return { verdict: `thrown: ${error instanceof Error ? error.message : error}` };
}

/** @param {Answer} answer */
function describe({ verdict, evidence }) {
  return evidence === undefined ? verdict : `${verdict} (evidence: ${evidence})`;
}

/**
 * Where the body stands in an encoded row task: behind the version byte and its length, seven bits a byte.
 * @param {Uint8Array} task
 */
function bodyOfTask(task) {
  let at = 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = task[at++] ?? 0;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { start: at, end: at + length };
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} bit
 */
function flipBit(bytes, bit) {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}
