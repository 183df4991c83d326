/** What a fault means, for somebody who has never seen a row. The core's description stays beside it. */

export type PlainFault = {
  /** What is wrong, as the design names it: "row 1". */
  readonly where: string;
  readonly why: string;
};

const WHY = {
  row:
    "A row lists transactions and the state they ran on. Executed again on that state, these transactions do not do what the " +
    "sequencer signed: an amount, a fee or a result in the block is made up.",
  column:
    "A column lists what the block did to one part of the state. Replayed from the state before the block, it does not lead to " +
    "the state after it that the sequencer signed.",
  block: "The header or the list of tasks that the sequencer signed breaks a rule that every block of this chain has to keep.",
  equivocation: "The sequencer signed two different blocks for one place in the chain, so that different people can be told different things.",
} as const;

/** Reads the description that comes with a `fault` event. */
export function plainWords(description: string): PlainFault {
  const [, kind, index] = /^(row|column) (\d+):/.exec(description) ?? [];
  if (kind === "row" || kind === "column") return { where: `${kind} ${index}`, why: WHY[kind] };
  if (description.startsWith("block")) return { where: "the header", why: WHY.block };
  return { where: "two signed headers", why: WHY.equivocation };
}
