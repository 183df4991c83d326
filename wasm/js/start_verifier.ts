/** Finds out what a verifier needs before there is one: the module, the chain, its own name. */

import { type Api, createApi } from "./api.js";
import { assembleVerifier } from "./assemble_verifier.js";
import { systemClock } from "./clock.js";
import { OcelliError, asOcelliError } from "./errors.js";
import { createEmitter } from "./events.js";
import { type Settings, type VerifierOptions, readOptions } from "./options.js";
import type { Platform } from "./platform.js";
import type { Verifier, VerifierEvents } from "./verifier.js";
import { createWorkers } from "./workers.js";

/**
 * Starts a verifier on a platform.
 *
 * @throws OcelliError if an option is wrong, the environment lacks something, the endpoint does not answer or serves another
 * chain than the one pinned, or `signal` is aborted first
 */
export async function startVerifier(options: VerifierOptions, platform: Platform): Promise<Verifier> {
  const settings = readOptions(options, platform);
  const { url, signal } = settings;
  const ending = new AbortController();
  const api = createApi({ url, signal: ending.signal });
  const end = () => ending.abort();
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end, { once: true });
  try {
    const verifier = await start(settings, platform, api, ending);
    signal?.addEventListener("abort", verifier.stop, { once: true });
    return verifier;
  } catch (error) {
    if (signal?.aborted) throw new OcelliError("STOPPED", "The verifier was stopped before it began", { cause: error });
    end();
    throw asOcelliError(error);
  } finally {
    signal?.removeEventListener("abort", end);
  }
}

async function start(settings: Settings, platform: Platform, api: Api, ending: AbortController): Promise<Verifier> {
  const [module, openSocket, config] = await Promise.all([
    platform.compileModule(settings.wasmUrl),
    platform.openSocket(),
    api.chain(),
  ]);
  const clock = systemClock;
  const events = createEmitter<VerifierEvents>();
  const problem = (error: unknown) => void (ending.signal.aborted || events.emit("problem", { error: asOcelliError(error) }));
  if (ending.signal.aborted) throw new OcelliError("STOPPED", "The verifier was stopped");
  const workers = createWorkers({ settings, module, config, fetchCode: api.code, clock, onCrash: problem });
  ending.signal.addEventListener("abort", workers.close, { once: true });
  try {
    const chain = await workers.chain();
    const identity = await workers.setKey(settings.delegation);
    return assembleVerifier({ settings, api, openSocket, ending, events, problem, workers, clock, chain, identity });
  } catch (error) {
    workers.close();
    throw error;
  }
}
