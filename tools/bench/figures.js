// Figures as measurements print them: one JSON object a line.

/**
 * @typedef {object} Figure
 * @property {string} name what was measured; parts of it come after a dot
 * @property {number} ours what Ocelli did: the median
 * @property {number | null} peer what the peer did in the same run
 * @property {string | null} peer_name
 * @property {string} unit of both
 * @property {number | null} ratio how many times better Ocelli did: above 1 it is faster or smaller
 */

/**
 * A figure without a peer.
 * @param {string} name
 * @param {number} ours
 * @param {string} unit
 * @returns {Figure}
 */
export function alone(name, ours, unit) {
  return { name, ours, peer: null, peer_name: null, unit, ratio: null };
}

/**
 * A figure beside what a peer did in the same run. Both are rates: more is better.
 * @param {Figure} figure
 * @param {string} peer_name
 * @param {number} peer
 * @returns {Figure}
 */
export function beside(figure, peer_name, peer) {
  return { ...figure, peer, peer_name, ratio: figure.ours / peer };
}

/**
 * @param {string} line
 * @returns {Figure | undefined} nothing if the line is something else: progress, a warning
 */
export function parseFigure(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    const figure = JSON.parse(line);
    return typeof figure.name === "string" && typeof figure.ours === "number" ? figure : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number[]} values @returns {number} the value that half of them lie below */
export function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** A number with three digits or all before the point. @param {number} value */
export function readable(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number.isInteger(value) ? grouped(value.toString()) : grouped(value.toFixed(digits));
}

/** @param {string} digits */
function grouped(digits) {
  const [whole, part] = digits.split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? thousands : `${thousands}.${part}`;
}
