/**
 * How far the chain is certified: certificates, each verified and joined to those before.
 *
 * A certificate says that every task of its own span was checked, and nothing of the blocks below: one of them may be a block
 * whose bodies nobody was ever shown. So nothing counts as certified before everything below it does, down to where this
 * verifier began. Where a certificate does not join the last one, as after a lost connection, those between are fetched.
 */

import type { Api, Bytes, Hex } from "./api.js";
import type { BlockInfo, CertificateSpan, CertifiedBlockInfo } from "./base/ocelli.js";
import { EndpointError, OcelliError } from "./errors.js";
import * as limits from "./limits.js";
import type { WorkerClient } from "./worker_client.js";

export type Certified = {
  readonly after: number;
  readonly height: number;
  readonly hash: Hex;
  readonly attestations: number;
};

export type CertifiedChainOptions = {
  readonly url: string;
  readonly api: Pick<Api, "certificate">;
  readonly call: WorkerClient["call"];
  readonly onCertificate: (certificate: Certified) => void;
  readonly onProblem: (error: unknown) => void;
};

export type CertifiedChain = {
  /** The height up to which blocks are certified, or were taken on trust. */
  readonly height: () => number;
  /** Takes the next block that was opened. */
  readonly push: (block: BlockInfo) => Promise<void>;
  /** Forgets the blocks above `height`, none of which is certified. */
  readonly rewind: (height: number) => void;
  /** Begins anew: what is up to `height` is taken on trust. */
  readonly restart: (height: number) => void;
  /** Takes a certificate that was announced. */
  readonly take: (certificate: Bytes, span: CertificateSpan) => Promise<void>;
};

export function createCertifiedChain({ url, api, call, onCertificate, onProblem }: CertifiedChainOptions): CertifiedChain {
  let height = 0;
  /** The blocks above, without a gap. */
  let waiting: CertifiedBlockInfo[] = [];

  /** Fetches what covers the blocks up to `after`, as far as it is to be had. */
  async function joinUpTo(after: number): Promise<void> {
    for (let fetched = 0; height < after && fetched < limits.JOINED_CERTIFICATES; fetched += 1) {
      const certificate = await api.certificate(height + 1);
      if (!(await join(certificate, await call("readCertificate", { certificate })))) return;
    }
  }

  /** Verifies a certificate, and says whether more is certified than was. */
  async function join(certificate: Bytes, span: CertificateSpan): Promise<boolean> {
    const blocks = waiting.slice(0, Math.max(0, span.top - height));
    // What has votes for blocks that are not here yet is verified later, with the next one.
    if (span.height > height && blocks.at(-1)?.height !== span.top) return false;
    const verdict = await call("verifyCertificate", { certificate, certified: height, blocks });
    if (verdict.kind === "invalid") {
      onProblem(new EndpointError("ENDPOINT_LIED", `A certificate does not hold: ${verdict.reason}`, { url }));
      return false;
    }
    waiting = waiting.slice(verdict.height - height);
    height = verdict.height;
    onCertificate({ after: verdict.after, height, hash: verdict.block, attestations: verdict.attestations });
    return true;
  }

  /** An endpoint that does not have what is missing, or not now, is no reason to stop following it. */
  async function tolerant(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof OcelliError)) throw error;
      onProblem(error);
    }
  }

  return {
    height: () => height,
    async push({ height: at, term, hash, timeMs, rows, columns }) {
      // Who follows a long chain from its genesis sees no announcement for as long.
      if (waiting.length >= limits.UNCERTIFIED_BLOCKS) await tolerant(() => joinUpTo(at - 1));
      if (waiting.length < limits.UNCERTIFIED_BLOCKS) waiting.push({ height: at, term, hash, timeMs, rows, columns });
    },
    rewind(to) {
      waiting = waiting.filter((block) => block.height <= to);
    },
    restart(at) {
      height = at;
      waiting = [];
    },
    take: (certificate, span) =>
      tolerant(async () => {
        if (span.height <= height) return;
        await joinUpTo(span.after);
        if (span.after <= height && span.height > height) await join(certificate, span);
      }),
  };
}
