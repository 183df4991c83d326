/**
 * Foundry's anvil, the Ethereum node that Ocelli is compared with: rules of Osaka, one block for each transaction.
 */

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createTestClient, http, publicActions, type Hex } from "viem";
import { foundry } from "viem/chains";

const START_MS = 30_000;

export type AnvilOptions = {
  /** Most gas of a block. */
  readonly gasLimit: bigint;
  /** Who gets the tips. */
  readonly coinbase: Hex;
};

export type Anvil = AsyncDisposable & {
  readonly url: string;
  readonly client: ReturnType<typeof clientOf>;
};

/**
 * Starts anvil with the accounts of the test mnemonic. Its clock begins at 1: each block gets the time it is told.
 *
 * @throws if it does not start.
 */
export async function startAnvil({ gasLimit, coinbase }: AnvilOptions): Promise<Anvil> {
  const args = ["--port", "0", "--hardfork", "osaka", "--enable-tx-gas-limit", "--timestamp", "1", "--gas-limit", `${gasLimit}`];
  const anvil = spawn(anvilBinary(), args, { stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => anvil.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => anvil.once("close", () => resolve()));
  const stop = async () => {
    kill();
    await ended;
    process.removeListener("exit", kill);
  };
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("anvil did not start in time")), START_MS);
      let printed = "";
      anvil.once("error", reject);
      anvil.once("exit", () => reject(new Error(`anvil ended:\n${printed}`)));
      anvil.stdout.setEncoding("utf8").on("data", (part: string) => {
        printed += part;
        const address = /Listening on (\S+)/.exec(printed)?.[1];
        if (address === undefined) return;
        clearTimeout(late);
        resolve(`http://${address}`);
      });
    });
    const client = clientOf(url);
    await client.setCoinbase({ address: coinbase });
    return { url, client, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function clientOf(url: string) {
  return createTestClient({ mode: "anvil", chain: foundry, transport: http(url) }).extend(publicActions);
}

/** The binary itself: npm's package has it in a package for each platform. */
function anvilBinary(): string {
  const { resolve } = createRequire(import.meta.url);
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  return join(dirname(resolve(`@foundry-rs/anvil-${process.platform}-${arch}/package.json`)), "bin", "anvil");
}
