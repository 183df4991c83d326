/**
 * A chain is started, its page opened in a real Chromium, and transactions sent: the tabs check every task of every block,
 * certificates form from their attestations alone, and the page shows it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright-core";
import { createWalletClient, http, parseEther, publicActions } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { launchBrowser } from "./browser.js";
import { startOcelli } from "./ocelli.js";
import { sealed } from "./sealed.js";

const BLOCKS = 50;
const TABS = 2;
const MNEMONIC = "test test test test test test test test test test test junk";
const PATIENCE_MS = 60_000;

test(`every task of ${BLOCKS} blocks is checked and attested by tabs`, { timeout: 300_000 }, async () => {
  await using chain = await startOcelli();
  await using browser = await launchBrowser();
  const errors: string[] = [];
  for (let tab = 0; tab < TABS; tab += 1) {
    const page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(chain.url);
    await page.locator('#status[data-state="following"]').waitFor({ timeout: PATIENCE_MS });
  }

  await makeBlocks(chain.url, BLOCKS);
  const head = await height(chain.url);
  assert.ok(head >= BLOCKS, `only ${head} blocks were made`);
  await until(async () => (await attested(chain.url)) >= head, `block ${head} attested`);

  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    // Each tab shows the newest blocks attested, and has done its part.
    await page.locator(".block").first().waitFor({ timeout: PATIENCE_MS });
    await until(async () => (await page.locator('.block:not([data-level="attested"])').count()) === 0, "all attested");
    const [mine = 0, both = 0] = await Promise.all(["mine", "both"].map(async (by) => shownNumber(page, `#count-${by}`)));
    assert.ok(mine + both > 0, "a tab that checked nothing");
    assert.equal(await page.locator("#fault").isVisible(), false);
  }
  assert.deepEqual(errors, [], "the pages reported errors");
});

test("a visitor's payment is shown as sealed, then as attested", { timeout: 120_000 }, async () => {
  await using chain = await startOcelli();
  await using browser = await launchBrowser();
  const page = await browser.newPage();
  await page.goto(chain.url);
  await page.locator("#send:enabled").click({ timeout: PATIENCE_MS });
  await page.locator('.rung[data-level="sealed"][data-reached]').waitFor({ timeout: PATIENCE_MS });
  await page.locator('.rung[data-level="attested"][data-reached]').waitFor({ timeout: PATIENCE_MS });
});

async function shownNumber(page: Page, selector: string): Promise<number> {
  return Number((await page.locator(selector).innerText()).replace(/\D/g, ""));
}

async function makeBlocks(url: string, count: number): Promise<void> {
  const account = mnemonicToAccount(MNEMONIC, { addressIndex: 3 });
  const chain = { id: 31_337, name: "Ocelli", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [url] } } };
  const client = createWalletClient({ account, chain, transport: http(url), pollingInterval: 20 }).extend(publicActions);
  for (let block = 0; block < count; block += 1) {
    const hash = await client.sendTransaction({ to: account.address, value: parseEther("1") });
    await sealed(client, hash);
  }
}

async function height(url: string): Promise<number> {
  return Number(await tagged(url, "latest"));
}

async function attested(url: string): Promise<number> {
  return Number(await tagged(url, "safe"));
}

async function tagged(url: string, tag: string): Promise<string> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_getBlockByNumber", params: [tag, false] });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const { result } = (await answer.json()) as { result: { number: string } };
  return result.number;
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not within ${PATIENCE_MS / 1_000} s: ${what}`);
    await pause(100);
  }
}
