/** Everything that receipts are compared by: one script, in the order in which it is sent. */

import type { Compiled } from "./contracts.js";
import { delegation } from "./script/delegation.js";
import { exchange } from "./script/exchange.js";
import { machine } from "./script/machine.js";
import { token } from "./script/token.js";
import { transfers } from "./script/transfers.js";
import { Script, type Deployed } from "./script.js";

export type EthereumScript = { readonly script: Script; readonly coin: Deployed; readonly machine: Deployed };

export async function ethereumScript(compiled: Compiled): Promise<EthereumScript> {
  const script = new Script();
  await transfers(script);
  const coin = await token(script, compiled);
  await exchange(script, coin);
  const built = await machine(script, compiled);
  await delegation(script, compiled, coin);
  return { script, coin, machine: built };
}
