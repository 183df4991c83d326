// What a test says that has nothing to run on, like vectors that are not on this machine; whoever started it sees it succeed.

const SKIPPED = /^(?:test \S+ \.\.\. )?SKIPPED: (.+)$/;

/**
 * The reason, if this line of a test's output says that it was skipped.
 * @param {string} line
 * @returns {string | undefined}
 */
export function skipReason(line) {
  return line.match(SKIPPED)?.[1];
}
