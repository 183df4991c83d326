/**
 * A sequencer that lies in one row of one block, by its hidden test switch: a tab finds the lie and shows it, and the
 * evidence that it offers convinces the native verifier, alone.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createWalletClient, http, publicActions } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { ocelliBinary } from "../../tools/paths.js";
import { launchBrowser } from "./browser.js";
import { startOcelli } from "./ocelli.js";
import { sealed } from "./sealed.js";

const LYING_HEIGHT = 3;
const MNEMONIC = "test test test test test test test test test test test junk";
const FOUND_A_FAULT = 3;

test("a tab shows the fault, and its evidence convinces the native verifier", { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "ocelli-evidence-"));
  try {
    await using chain = await startOcelli({ args: ["--test-lie", `${LYING_HEIGHT}`] });
    await using browser = await launchBrowser();
    const page = await browser.newPage();
    await page.goto(chain.url);
    await page.locator('#status[data-state="following"]').waitFor({ timeout: 60_000 });
    // The sequencer stops once the lie is proved, which may be before the last of these has a receipt.
    await transfers(chain.url, LYING_HEIGHT).catch(() => {});

    await page.locator("#fault").waitFor({ state: "visible", timeout: 60_000 });
    assert.match(await page.locator("#fault-text").innerText(), new RegExp(`in block ${LYING_HEIGHT}: row \\d+`));
    const offered = page.waitForEvent("download");
    await page.locator("#fault-evidence").click();
    const evidence = join(folder, "evidence.bin");
    await (await offered).saveAs(evidence);

    const verdict = await run(["verify", "--url", chain.url, "--evidence", evidence]);
    assert.equal(verdict.code, FOUND_A_FAULT, verdict.output);
    assert.match(verdict.output, /row \d+/);

    const ready = await fetch(`${chain.url}/readyz`);
    assert.equal(ready.status, 503, "the sequencer stopped making blocks");
    assert.match(await ready.text(), /faulty/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function transfers(url: string, count: number): Promise<void> {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: 2 });
  const chain = { id: 31_337, name: "Ocelli", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [url] } } };
  const client = createWalletClient({ account, chain, transport: http(url), pollingInterval: 20 }).extend(publicActions);
  for (let sent = 0; sent < count; sent += 1) {
    const hash = await client.sendTransaction({ to: account.address, value: 1n });
    await sealed(client, hash, 5_000);
  }
}

async function run(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(ocelliBinary("dev"), args, { timeout: 60_000 });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
