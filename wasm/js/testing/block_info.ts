import type { BlockInfo } from "../base/ocelli.js";

/** A block as the core tells of it, of which only what a test says matters. */
export function blockInfo(known: Partial<BlockInfo> & { readonly height: number }): BlockInfo {
  return {
    term: 0,
    hash: `0x${known.height}`,
    parent: `0x${known.height - 1}`,
    timeMs: 0,
    stateRoot: "0x",
    gasUsed: 0,
    baseFee: 0,
    rows: 2,
    columns: 1,
    transactions: 0,
    ...known,
  };
}
