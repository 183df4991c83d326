// Being told to stop.

const CHECK_PARENT_MS = 500;

/**
 * Calls back once when this process is told to stop: by a signal, or by the end of the npm that runs it. (npm passes
 * signals on to a shell between the two, which ends without passing them on.)
 * @param {(signal: NodeJS.Signals) => void} stop
 */
export function onInterrupt(stop) {
  let stopped = false;
  const once = (/** @type {NodeJS.Signals} */ signal) => {
    if (!stopped) stop(signal);
    stopped = true;
  };
  for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, once);
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && once("SIGTERM"), CHECK_PARENT_MS).unref();
}
