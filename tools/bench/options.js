// What `npm run bench` and `npm run bench:browser` are told.

import { parseArgs } from "node:util";

const USAGE = `npm run bench [-- OPTIONS]          measures everything, and writes docs/benchmarks.md
npm run bench:browser [-- OPTIONS]  what tasks and what they are made of cost in a tab, and tasks natively

  --json      print each figure as a JSON object on a line of stdout (npm run -s keeps npm's own lines from it)
  --quick     measure everything for a moment, to see that it runs, and write nothing
  --rounds N  how often each browser checks each task [7]
  --help      print this, and do nothing`;

/**
 * @typedef {object} Options
 * @property {"native" | "browser"} part
 * @property {boolean} json
 * @property {boolean} quick
 * @property {string} rounds
 */

/**
 * Ends the process where there is nothing to measure: help was asked for, or the arguments are none.
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  try {
    const options = parseOptions(args);
    if (options !== undefined) return options;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

/**
 * @param {string[]} args
 * @returns {Options | undefined} nothing if help is asked for
 */
export function parseOptions(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      rounds: { type: "string", default: "7" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { help, ...options } = values;
  if (help) return undefined;
  const [part, ...others] = positionals;
  if ((part !== "native" && part !== "browser") || others.length > 0) {
    throw new Error(`"native" or "browser" is measured, and not "${positionals.join(" ")}"`);
  }
  if (!/^[1-9]\d{0,3}$/.test(options.rounds)) throw new Error(`--rounds is from 1 to 9999, and not ${options.rounds}`);
  return { part, ...options };
}
