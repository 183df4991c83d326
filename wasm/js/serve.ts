/** The inside of a worker: answers calls with the core. Keeps blocks open and code at hand, and decides nothing. */

import initModule, { type Block, Chain, VerifierKey, decodeStreamMessage, readCertificate } from "./base/ocelli.js";
import type { Bytes, Hex } from "./api.js";
import { createByteCache } from "./byte_cache.js";
import type { OcelliErrorCode } from "./errors.js";
import * as limits from "./limits.js";
import type { BlockSource, CallName, Calls, CheckRequest, CheckResult, OpenedBlock, Reply, Request } from "./protocol.js";

/** What a worker speaks through. */
export type Port = {
  readonly post: (reply: Reply) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed: () => number;
};

type Handlers = { [Name in CallName]: (given: Calls[Name]["given"]) => Calls[Name]["answer"] | Promise<Calls[Name]["answer"]> };

/** Answers the requests that it is given, each by itself. */
export function serve(port: Port): (request: Request) => Promise<void> {
  const handlers = createHandlers(port);
  let cpu = 1;

  async function handle(request: Request): Promise<Reply> {
    const { id, name } = request;
    try {
      if (name === "init") cpu = request.given.cpu;
      // The name says of which call `given` is, which TypeScript does not follow through an index.
      const handler = handlers[name] as (given: Request["given"]) => Promise<Calls[CallName]["answer"]>;
      return { kind: "answer", id, answer: await handler(request.given) };
    } catch (error) {
      // A trap leaves the module in a state that nobody knows: the worker has to go.
      if (error instanceof WebAssembly.RuntimeError) throw error;
      return { kind: "error", id, ...describe(error) };
    }
  }

  return async (request) => {
    const began = port.elapsed();
    port.post(await handle(request));
    if (request.name !== "check") return;
    const pause = (port.elapsed() - began) * (1 / cpu - 1);
    // A worker's timers are not slowed down in hidden tabs, the page's are.
    if (pause < 1) port.post({ kind: "ready" });
    else setTimeout(() => port.post({ kind: "ready" }), pause);
  };
}

/** An error of the core has a code; any other is a mistake of this package. */
function describe(error: unknown): { readonly code: OcelliErrorCode; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? (error.code as OcelliErrorCode) : "INTERNAL";
  return { code, message };
}

function createHandlers({ elapsed }: Port): Handlers {
  let current: Chain | undefined;
  let currentKey: VerifierKey | undefined;
  const blocks = createOpenBlocks();
  const codes = createByteCache(limits.CODE_CACHE_BYTES);

  function chain(): Chain {
    if (current === undefined) throw new Error("init comes first");
    return current;
  }

  function key(): VerifierKey {
    if (currentKey === undefined) throw new Error("key comes first");
    return currentKey;
  }

  function check({ block: hash, source, kind, index, body, codes: given, fresh }: CheckRequest): CheckResult {
    const block = blocks.get(hash) ?? (source && blocks.add(hash, openValid(chain(), hash, source)));
    if (block === undefined) return { kind: "needs-block" };
    const began = elapsed();
    if (kind === "column") {
      return { kind: "checked", verdict: block.checkColumn(index, body), ms: elapsed() - began };
    }
    const hashes = block.rowCodes(index, body);
    // One of those at hand may be another one's: the check finds that together they are what was asked for, not which is which.
    const at = hashes.map((name) => (fresh ? undefined : codes.get(name)));
    const missing = hashes.filter((_, place) => at[place] === undefined);
    if (missing.length > 0 && given.length < missing.length) return { kind: "needs-codes", hashes: missing };
    const all = [...at.filter((code) => code !== undefined), ...given];
    const verdict = block.checkRow(index, body, all);
    // That they are what was missing, the check has found; otherwise nothing is known about any of them.
    if (verdict.kind === "valid") missing.forEach((name, place) => codes.set(name, given[place] as Bytes));
    return { kind: "checked", verdict, ms: elapsed() - began };
  }

  return {
    async init({ module, config, genesis }) {
      await initModule({ module_or_path: module });
      current = new Chain(config, genesis);
      const { chainId, genesisHash, redundancy } = current;
      return { chainId, genesisHash, redundancy, verifiers: current.verifiers() };
    },
    decode: ({ frame }) => decodeStreamMessage(frame),
    open: ({ verifier, ...source }) => open(chain(), source, verifier),
    anchor({ document }) {
      const block = chain().anchor(document);
      try {
        return { info: block.info, header: owned(block.header), signedHeader: owned(block.signedHeader) };
      } finally {
        block.free();
      }
    },
    check,
    checkEvidence: ({ evidence }) => chain().checkEvidence(evidence),
    equivocation({ one, other }) {
      const evidence = chain().equivocation(one, other);
      return evidence && owned(evidence);
    },
    key({ secret, delegation }) {
      const next = new VerifierKey(chain(), secret);
      try {
        if (delegation) next.delegate(delegation.expires, delegation.signature);
      } catch (error) {
        next.free();
        throw error;
      }
      currentKey?.free();
      currentKey = next;
      return { address: currentKey.address, owner: currentKey.owner };
    },
    delegationRequest: ({ expires }) => key().delegationRequest(expires),
    attest: ({ height, term, header, blocks }) => owned(key().attest(height, term, header, blocks)),
    voter: ({ attestation, timeMs }) => chain().voter(attestation, timeMs),
    readCertificate: ({ certificate }) => readCertificate(certificate),
    verifyCertificate: ({ certificate, certified, blocks }) => chain().verifyCertificate(certificate, certified, blocks),
  };
}

function open(chain: Chain, { parent, document }: BlockSource, verifier: Hex): OpenedBlock {
  const block = chain.openBlock(parent, document);
  try {
    const { verdict, info } = block;
    const [header, signedHeader] = [owned(block.header), owned(block.signedHeader)];
    return { verdict, info, header, signedHeader, tasks: block.tasks(), order: new Uint32Array(block.taskOrder(verifier)) };
  } finally {
    block.free();
  }
}

/** Opens the block with this hash, of which it is known that it holds. */
function openValid(chain: Chain, hash: Hex, { parent, document }: BlockSource): Block {
  const block = chain.openBlock(parent, document);
  if (block.verdict.kind === "valid" && block.info.hash === hash) return block;
  block.free();
  throw Object.assign(new Error(`what was sent for block ${hash} is not that block`), { code: "ENDPOINT_LIED" });
}

/** The blocks that a worker has open: those opened last. */
function createOpenBlocks() {
  const blocks = new Map<Hex, Block>();
  return {
    get: (hash: Hex) => blocks.get(hash),
    add(hash: Hex, block: Block): Block {
      blocks.set(hash, block);
      for (const [oldest, closing] of blocks) {
        if (blocks.size <= limits.OPEN_BLOCKS) break;
        blocks.delete(oldest);
        closing.free();
      }
      return block;
    },
  };
}

/** wasm-bindgen copies what it returns; its types only do not say so. */
function owned(bytes: Uint8Array): Bytes {
  return bytes as Bytes;
}
