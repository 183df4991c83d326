// `docs/benchmarks.md`: figures as tables.

import { readable } from "./figures.js";

/** @typedef {import("./figures.js").Figure} Figure */

/**
 * @typedef {object} Section
 * @property {string} title
 * @property {string} about what was done, and how to do it again
 * @property {(name: string) => boolean} holds
 */

/** What figures mean: by their names, or by the last part of them, after a dot. @type {Record<string, string>} */
const MEANINGS = {
  recover: "recover signers of 32-byte hashes, in batches",
  keccak: "Keccak-256 of 64 bytes",
  tree: "update a key of the state, in batches of 10,000 over 1 M keys",
  "tree.10m": "the same over 10 M keys",
  "tree.10m.memory": "memory for a key, all included",
  transfers: "ether transfers, the whole pipeline",
  erc20: "OpenZeppelin's ERC-20, transfers, the whole pipeline",
  swaps: "Uniswap V2, swaps at 100 pairs, the whole pipeline",
  ".1m": "the whole pipeline, a million accounts",
  ".10m": "the whole pipeline, ten million accounts",
  "network.send": "eth_sendRawTransaction, 128 connections",
  "network.send_sync": "eth_sendRawTransactionSync, 2,000 connections",
  "network.promise": "promises asked for at 10,000 a second",
  "network.promise_beside_hot_lane": "the same beside an account with 1,000 waiting",
  "network.bulk": "taken in bulk over one WebSocket",
  "network.bulk.sealed": "the same, until all are in blocks",
  restart: "open a chain",
  "restart.10m": "open a chain of ten million accounts",
  "restart.transactions": "in the chain",
  "restart.10m.transactions": "in that chain",
  ".blocks": "blocks since its newest snapshot, or since its first state",
  ".recover": "decode, recover the senders",
  ".execute": "plan lanes and rows, execute; the peer: execute in order",
  ".assemble": "columns, roots, bodies, signed header; the peer: its root",
  ".p50": "half of the answers take less",
  ".p99": "99 of 100 answers take less",
  ".disk": "on disk",
  ".two_threads": "two threads",
  ".computed_2": "two cores, computed",
  ".computed_4": "four cores, computed",
  ".computed_16": "16 cores, computed",
  ".computed_64": "64 cores, computed",
  ".ran_once": "of the transactions did in rows what they did when they were tried, and ran once",
  ".store": "open as served, append durably",
  ".row_body": "row bodies",
  ".column_body": "column bodies",
  ".column_body_top_8mb": "column bodies for who keeps 8 MB of the tree's top, computed",
  ".column_body_top_32mb": "the same with 32 MB",
  ".top_8mb": "changes of these 8 MB",
  ".top_32mb": "changes of these 32 MB",
  ".log": "durable log",
  ".native": "check, natively",
  ".chromium": "check, in Chromium",
  ".firefox": "check, in Firefox",
  ".simd": "the same, by the module for relaxed SIMD",
  ".wide": "the same, by the module for wide arithmetic",
  "tab.recover_one": "recover one key after the other",
  "tab.recover_many": "recover keys, 256 at once",
  "tab.keccak": "Keccak-256 of 64 bytes, 1,024 at once",
  "tab.multiply": "multiply words of 256 bits",
  "tab.modexp": "modular exponentiation, 256 bytes, to the power of 2^16 + 1",
  "tab.bn254_pairing": "pairing of two pairs over BN254",
  "tab.point_evaluation": "point evaluation",
  "tab.p256": "verify over P-256",
  ".transactions": "in one row",
  ".accesses": "in one column",
  ".body": "its body",
  ".raw": "as it is",
  ".gzip": "by gzip -9",
  ".brotli": "by brotli -11",
};

/** @type {Section[]} */
const SECTIONS = [
  {
    title: "Kernels",
    about:
      "The core's public functions, one thread each, by whatever backend they choose on this machine. `recover` beside " +
      "libsecp256k1, both from hash and signature to address; `keccak` beside the crate sha3; `tree` beside nomt (BLAKE3, on " +
      "disk, each batch durable) and jmt (SHA-256, in memory), which get the same keys and values of the same length. Over ten " +
      "million keys (`10m`) the tree is measured alone. By itself: `ocelli bench kernels`.",
    holds: (name) => /^(recover|keccak|tree)(\.|$)/.test(name),
  },
  {
    title: "The pipeline",
    about:
      "Raw signed bytes in; a durable, verifiable block with every body out, without a network, a pool and its journal before it " +
      "(`network.bulk.sealed` has these). Blocks of 10,000 " +
      "transactions over 100,000 accounts. The first line of each workload is all of its transactions over the time that their " +
      "blocks took, eight in a line and then a break to sign the next eight, each made while the one before became durable, and " +
      "the senders of the next one were recovered where that left " +
      "a core without work; the peer's so too, but for what it does not do. The stages are medians over blocks made one stage " +
      "after the other. The peer `rust-node-stack` gets the same bytes, eight blocks at a time, by turns: alloy's decoding and " +
      "libsecp256k1 on all cores, revm in order over an in-memory " +
      "database, and the keccak Merkle-Patricia root of the state by alloy-trie's nodes, all of which stay in memory with " +
      "their hashes, so that a block hashes only the paths that it changed, on all cores. It writes nothing to disk and makes " +
      "neither receipts nor proofs. By itself: `ocelli bench pipeline`, with `--accounts` and `--seconds`.",
    holds: (name) => /^(transfers|erc20|swaps)(\.(?!1m|10m)|$)/.test(name),
  },
  {
    title: "The pipeline, sustained",
    about:
      "The same for 60 s of our own time each, with a million accounts (`1m`) and with ten million (`10m`). By itself: `ocelli " +
      "bench pipeline --seconds 60 --accounts 1000000`.",
    holds: (name) => /^(transfers|erc20|swaps)\.(1m|10m)\b/.test(name),
  },
  {
    title: "The executor's use of cores",
    about:
      "The same blocks of 10,000 transactions executed by one thread and by two, by turns, after two blocks like them; *times " +
      "better* is over one thread. `transfers` are independent, `zipf` are ERC-20 transfers to accounts after Zipf's law, all of " +
      "`hot_pair` are swaps at one pair, `mix` has all of them. What more cores would give is computed from the trace of the run " +
      "in one thread: the longest pieces first, each on the core that is free, and all that is not in the trace on one. By " +
      "itself: `ocelli bench executor`.",
    holds: (name) => name.startsWith("executor."),
  },
  {
    title: "Network and restart",
    about:
      "JSON-RPC over HTTP on loopback, a closed loop on each connection; Ocelli answers the first method when the transaction " +
      "is in its pool, and the second when its block is durable. anvil, as it comes, mines a block for each transaction and " +
      "keeps nothing; each of its turns has a process of its own. What is opened has a million accounts, or ten million (`10m`). By themselves: `ocelli bench " +
      "network`, `ocelli bench restart`.",
    holds: (name) => /^(network|restart)(\.|$)/.test(name),
  },
  {
    title: "Tasks",
    about:
      "The largest rows and columns of one block, checked over and over: `ocelli bench tasks` natively, in one thread, and " +
      "`npm run bench:browser` in a tab, by the package's own worker. Names say what the transactions do and how many " +
      "accounts there are.",
    holds: (name) => /^(row|column)\./.test(name),
  },
  {
    title: "Kernels in a tab",
    about:
      "What tasks are made of, by each module that the browser takes, by turns: the plain one, the one for relaxed SIMD (`simd`), " +
      "and the one for wide arithmetic besides (`wide`), which Chromium has behind a switch. " +
      "`tab.recover_one` and `tab.recover_many`, from hash and signature to address, beside `ox/wasm`, which has libsecp256k1 and " +
      "gets the same one after the other, as bytes and only to the public key; `tab.keccak` beside the crate sha3 in the same " +
      "module, one after the other. By themselves: `npm run bench:browser`.",
    holds: (name) => name.startsWith("tab."),
  },
  {
    title: "What a tab downloads",
    about:
      "Each module, its bindings, and the scripts of the package, which are not minified; as they are, by `gzip -9` and by " +
      "`brotli -11`. By itself: `npm run size -w ocelli`.",
    holds: (name) => /^(wasm|bindings|scripts)\b/.test(name),
  },
];

/**
 * @param {{ facts: [string, string][], figures: Figure[], remarks: string[] }} measured
 * @returns {string} Markdown
 */
export function report({ facts, figures, remarks }) {
  const rest = figures.filter(({ name }) => !SECTIONS.some(({ holds }) => holds(name)));
  const parts = SECTIONS.map(({ holds, ...section }) => ({ ...section, of: figures.filter(({ name }) => holds(name)) }));
  const sections = [...parts, { title: "Further figures", about: "", of: rest }].filter(({ of }) => of.length > 0);
  return [
    "# Benchmarks",
    "Written by `npm run bench`; not to be edited. [benchmarks.jsonl](benchmarks.jsonl) holds the same figures as they were " +
      "printed, one a line, and [benchmarks.log](benchmarks.log) all that the commands said.",
    "## Where",
    table(["", ""], facts.map((fact) => [...fact]), 2),
    "## How to read it",
    "Figures are medians of one run on this machine. It may have had other work to do meanwhile, as the load says: absolute " +
      "figures are worth as much as that allows, ratios more, because ours and the peer's are taken by turns. *Times better* is " +
      "above 1 where Ocelli is faster or smaller. Nothing here is asserted by a test.",
    ...remarks.map((remark) => `- ${remark}`),
    ...sections.flatMap(({ title, about, of }) => [`## ${title}`, about, figureTable(of)]),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
    .replaceAll(/\n\n(?=- )/g, "\n")
    .concat("\n");
}

/** @param {Figure[]} figures */
function figureTable(figures) {
  const withPeers = figures.some(({ peer }) => peer !== null);
  const rows = figures.map(({ name, ours, unit, peer, peer_name, ratio }) => {
    const own = [`\`${name}\``, meaning(name), readable(ours), unit];
    if (!withPeers) return own;
    return [...own, peer === null ? "" : readable(peer), peer_name ?? "", ratio === null ? "" : ratio.toFixed(2)];
  });
  const head = ["name", "what", "Ocelli", "unit"];
  return table(withPeers ? [...head, "peer", "who", "times better"] : head, rows, 2);
}

/** @param {string} name */
function meaning(name) {
  const kernel = /^tab\.\w+/.exec(name)?.[0] ?? name;
  return MEANINGS[kernel] ?? MEANINGS[`.${name.split(".").at(-1)}`] ?? "";
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {number} words how many columns from the left are words, which stand on the left
 */
function table(head, rows, words) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((name, at) => (at < words || name === "unit" || name === "who" ? "---" : "---:"));
  return [line(head), `|${rule.join("|")}|`, ...rows.map(line)].join("\n");
}
