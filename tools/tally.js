// What a suite counted.

/**
 * @typedef {object} Skip
 * @property {number} count
 * @property {string} reason
 *
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {Skip[]} skipped
 * @property {string[]} failures what to look for in the output, one line each
 */

/** @returns {Counts} */
export function nothing() {
  return { passed: 0, failed: 0, skipped: [], failures: [] };
}

/**
 * @param {Counts} counts
 * @param {string} what
 * @param {number} [count]
 */
export function fail(counts, what, count = 1) {
  counts.failed += count;
  counts.failures.push(what);
}

/**
 * Adds the second to the first.
 * @param {Counts} sum
 * @param {Counts} counts
 */
export function add(sum, { passed, failed, skipped, failures }) {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped.push(...skipped);
  sum.failures.push(...failures);
}

/** @param {Counts} counts */
export function total({ passed, failed, skipped }) {
  return passed + failed + skippedCount(skipped);
}

/**
 * The line that everything ends with.
 * @param {Counts} counts
 */
export function line({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skippedCount(skipped)} skipped`;
}

/** @param {Skip[]} skipped */
function skippedCount(skipped) {
  return skipped.reduce((sum, { count }) => sum + count, 0);
}
