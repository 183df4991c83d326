/** The package in Node. */

import type { VerifierOptions } from "./options.js";
import { nodePlatform } from "./platform_node.js";
import { startVerifier } from "./start_verifier.js";
import type { Verifier } from "./verifier.js";

export * from "./public.js";

/**
 * Connects to an endpoint and checks the chain's blocks from now on.
 *
 * @throws OcelliError if an option is wrong, the environment lacks something, or the endpoint does not answer or serves
 * another chain than the one pinned
 */
export function createVerifier(options: VerifierOptions): Promise<Verifier> {
  return startVerifier(options, nodePlatform);
}
