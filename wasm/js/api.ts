/** The verifier API of an endpoint: immutable objects by their names, as bytes. What they are, the core checks. */

import { EndpointError } from "./errors.js";
import * as limits from "./limits.js";

export type Hex = `0x${string}`;
export type Bytes = Uint8Array<ArrayBuffer>;

export type FetchOptions = {
  /** Asks past every cache, because what came from one was wrong. */
  readonly fresh?: boolean;
};

/** Nothing of it is proved: it says where to begin. */
export type ChainSummary = {
  /** The height of the newest block; 0 if there is none. */
  readonly head: number;
  /** The height up to which blocks are certified. */
  readonly attested: number;
  /** The hash of its genesis. */
  readonly genesis: Hex;
  /** The hashes of the evidence against it. */
  readonly faults: readonly Hex[];
};

export type Api = {
  /** The encoded configuration of the chain. */
  readonly chain: () => Promise<Bytes>;
  /** Where the endpoint says that the chain is. */
  readonly summary: () => Promise<ChainSummary>;
  /** The encoded document of the block with this height or hash. */
  readonly block: (name: number | Hex, options?: FetchOptions) => Promise<Bytes>;
  /** The encoded task of a row. */
  readonly row: (block: Hex, index: number, options?: FetchOptions) => Promise<Bytes>;
  /** The encoded body of a column. */
  readonly column: (block: Hex, index: number, options?: FetchOptions) => Promise<Bytes>;
  /** A piece of code. */
  readonly code: (hash: Hex, options?: FetchOptions) => Promise<Bytes>;
  /** The encoded first certificate that covers the block at this height. */
  readonly certificate: (height: number) => Promise<Bytes>;
  /** Encoded evidence. */
  readonly evidence: (hash: Hex) => Promise<Bytes>;
  /** Hands in an encoded attestation. */
  readonly postAttestation: (attestation: Bytes) => Promise<void>;
  /** Hands in encoded evidence. */
  readonly postEvidence: (evidence: Bytes) => Promise<void>;
};

export type ApiOptions = {
  /** Where the endpoint is, without `/v1`. */
  readonly url: string;
  /** Ends every request. */
  readonly signal: AbortSignal;
  readonly fetch?: typeof fetch;
};

/** What to do about a refusal, where that is something else than to look at the endpoint. */
const ADVICE: Readonly<Record<string, string>> = {
  not_registered: "Let a registered owner `delegate` to this verifier, or go on without a vote: its checks find faults all the same",
  not_kept: "Begin at a later block, or use an endpoint that keeps the bodies of columns for longer",
  too_many_requests: "Run fewer verifiers from one address; this one tries again by itself",
};

/** The API of the endpoint at `url`. Every call rejects with an {@link EndpointError} and none waits for ever. */
export function createApi({ url, signal, fetch: request = fetch }: ApiOptions): Api {
  const base = `${url.replace(/\/+$/, "")}/v1`;
  const underWay = new Set<AbortController>();
  signal.addEventListener("abort", () => underWay.forEach((request) => request.abort()), { once: true });

  async function send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await request(`${base}/${path}`, init);
    } catch (cause) {
      throw new EndpointError("CONNECTION_LOST", `No answer from ${base}/${path}`, { cause, url });
    }
  }

  /** Aborts what is done with its signal, the reading of the answer included, at the end of its time or of all requests. */
  async function within<Answer>(work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    // By hand: `AbortSignal.any` is younger than the browsers that this runs in.
    const own = new AbortController();
    const timer = setTimeout(() => own.abort(), limits.REQUEST_MS);
    if (signal.aborted) own.abort();
    underWay.add(own);
    try {
      return await work(own.signal);
    } finally {
      clearTimeout(timer);
      underWay.delete(own);
    }
  }

  async function get(path: string, limit: number, { fresh = false }: FetchOptions = {}): Promise<Bytes> {
    return within(async (signal) => {
      const response = await send(path, { cache: fresh ? "reload" : "default", signal });
      if (!response.ok) throw await refusal(response, path);
      return read(response, limit);
    });
  }

  async function post(path: string, body: Bytes): Promise<void> {
    const headers = { "content-type": "application/octet-stream" };
    await within(async (signal) => {
      const response = await send(path, { method: "POST", body, headers, signal });
      if (!response.ok) throw await refusal(response, path);
      // What it says is of no use, but a connection whose answer is read can be used again.
      await read(response, limits.REASON_BYTES);
    });
  }

  async function refusal(response: Response, path: string): Promise<EndpointError> {
    const { code, message } = readRefusal(await read(response, limits.REASON_BYTES).catch(() => new Uint8Array()));
    const text = `${base}/${path} answered ${response.status}${message && `: ${message}`}`;
    const advice = ADVICE[code];
    const { status } = response;
    const retryAfterMs = readRetryAfter(response.headers.get("retry-after"));
    return new EndpointError("HTTP_STATUS", text, { url, status, reason: code, retryAfterMs, ...(advice ? { advice } : {}) });
  }

  async function read(response: Response, limit: number): Promise<Bytes> {
    try {
      return await readAtMost(response, limit);
    } catch (cause) {
      if (cause instanceof RangeError) {
        throw new EndpointError("TOO_LARGE", `${response.url} is longer than ${limit} bytes`, { url });
      }
      throw new EndpointError("CONNECTION_LOST", `${response.url} was cut short`, { cause, url });
    }
  }

  return {
    chain: () => get("chain", limits.CONFIG_BYTES),
    async summary() {
      return readSummary(await get("chain.json", limits.SUMMARY_BYTES, { fresh: true }), url);
    },
    block: (name, options) => get(`blocks/${name}`, limits.DOCUMENT_BYTES, options),
    row: (block, index, options) => get(`blocks/${block}/rows/${index}`, limits.BODY_BYTES, options),
    column: (block, index, options) => get(`blocks/${block}/columns/${index}`, limits.BODY_BYTES, options),
    code: (hash, options) => get(`codes/${hash}`, limits.CODE_BYTES, options),
    certificate: (height) => get(`certificates/${height}`, limits.FRAME_BYTES),
    evidence: (hash) => get(`evidence/${hash}`, limits.EVIDENCE_BYTES),
    postAttestation: (attestation) => post("attestations", attestation),
    postEvidence: (evidence) => post("evidence", evidence),
  };
}

/** @throws RangeError as soon as there are more than `limit` bytes, whatever the headers say */
async function readAtMost(response: Response, limit: number): Promise<Bytes> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new RangeError();
    }
    parts.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The code and the sentence of an endpoint's refusal; both empty if it is none. */
function readRefusal(body: Bytes): { readonly code: string; readonly message: string } {
  const error = property(parseJson(body), "error");
  const [code, message] = [property(error, "code"), property(error, "message")];
  return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
}

/** Seconds, as this API says them; a date is not waited for. */
function readRetryAfter(seconds: string | null): number {
  return seconds !== null && /^\d{1,6}$/.test(seconds) ? Math.min(Number(seconds) * 1_000, limits.RETRY_MAX_MS) : 0;
}

function readSummary(body: Bytes, url: string): ChainSummary {
  const summary = parseJson(body);
  const [head, attested] = [property(property(summary, "head"), "height"), property(summary, "attestedHeight")];
  const [genesis, faults] = [property(summary, "genesis"), property(summary, "faults")];
  if (!isHeight(head) || !isHeight(attested) || !isHash(genesis) || !Array.isArray(faults)) {
    throw new EndpointError("ENDPOINT_LIED", "The endpoint does not say where its chain is", { url });
  }
  return { head, attested, genesis, faults: faults.map((fault) => property(fault, "evidence")).filter(isHash) };
}

function isHeight(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: unknown): value is Hex {
  return typeof value === "string" && /^0x[0-9a-f]{64}$/.test(value);
}

function parseJson(body: Bytes): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
