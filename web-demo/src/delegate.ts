import { hexToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { Verifier } from "ocelli";
import { DEV_VERIFIER_KEY } from "./dev_chain.js";

const LIFE_S = 86_400;

/**
 * Lets this tab's verifier attest, where that is possible without asking anyone: on a development chain the owner's key is
 * public, so the page signs the delegation that a wallet would sign, and again at half of its life. Elsewhere the tab
 * checks, and finds lies, without a vote.
 *
 * @returns the owner, or undefined if the tab has no vote.
 */
export async function delegateOnDevelopmentChain(
  verifier: Verifier,
  onProblem: (error: unknown) => void,
): Promise<string | undefined> {
  const owner = privateKeyToAccount(DEV_VERIFIER_KEY);
  const registered = verifier.chain.verifiers.some((entry) => entry.owner.toLowerCase() === owner.address.toLowerCase());
  if (!registered) return undefined;
  const delegate = async () => {
    const expires = Math.floor(Date.now() / 1_000) + LIFE_S;
    const request = JSON.parse(await verifier.delegationRequest(expires)) as Parameters<typeof owner.signTypedData>[0];
    const signature = hexToBytes(await owner.signTypedData(request));
    return verifier.delegate({ expires, signature: new Uint8Array(signature) });
  };
  setInterval(() => void delegate().catch(onProblem), (LIFE_S / 2) * 1_000);
  return delegate();
}
