/** What the visitor sends: single payments, each with the level that it has reached, and many at once. */

import { formatEther, parseEther, type Hex } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { Burst } from "./burst.js";
import { Covered } from "./covered.js";
import { DEV_ACCOUNT_KEY, DEV_CHAIN_ID, DEV_PAYEE } from "./dev_chain.js";
import { element, say } from "./elements.js";
import { Ladder } from "./ladder.js";
import { Payer, feeCap } from "./payer.js";
import { Rpc, RpcError, type Receipt } from "./rpc.js";

const STORED_KEY = "ocelli.burner";
const AMOUNT = parseEther("0.001");
const LOW = parseEther("0.1");
const FUNDS = parseEther("1");
const PAYMENTS_SHOWN = 3;
const POLL_MS = 40;
const PATIENCE_MS = 30_000;

export class Payments {
  readonly #rpc: Rpc;
  readonly #chainId: number;
  readonly #burner: Payer;
  readonly #burst: Burst;
  readonly #list = element("payments");
  readonly #buttons = [element<HTMLButtonElement>("send"), element<HTMLButtonElement>("burst")];
  readonly #note = element("send-note");
  readonly #covered = new Covered();

  constructor(rpcUrl: string, chainId: number) {
    this.#rpc = new Rpc(rpcUrl);
    this.#chainId = chainId;
    this.#burner = new Payer(this.#rpc, chainId, burnerKey());
    this.#burst = new Burst(this.#rpc, chainId, this.#burner);
    element("burner").textContent = this.#burner.address;
    element("send").addEventListener("click", () => void this.#guarded(() => this.#pay()));
    element("burst").addEventListener("click", () => void this.#guarded(() => this.#payMany()));
  }

  /** Makes sure that the burner account has money, and lets the visitor send. */
  async start(): Promise<void> {
    await this.#guarded(async () => {
      if (this.#chainId === DEV_CHAIN_ID && (await this.#burner.balance()) < LOW) await this.#fund();
      await this.#showBalance();
    });
  }

  /** A certificate covers everything up to `height`. */
  attested(height: number): void {
    this.#covered.upTo(height);
  }

  async #pay(): Promise<void> {
    const to = this.#chainId === DEV_CHAIN_ID ? DEV_PAYEE : this.#burner.address;
    const cap = await feeCap(this.#rpc);
    await this.#burner.refresh();
    const raw = await this.#burner.sign(to, AMOUNT, cap);
    const ladder = this.#show(`${formatEther(AMOUNT)} ETH to ${to.slice(0, 6)}…${to.slice(-4)}`);
    try {
      const hash = await this.#rpc.call<Hex>("eth_sendRawTransaction", raw);
      ladder.reach("accepted");
      const height = Number((await this.#receipt(hash)).blockNumber);
      ladder.reach("sealed", `block ${height}`);
      this.#covered.when(height, () => ladder.reach("attested"));
    } catch (error) {
      ladder.fail();
      throw error;
    }
    await this.#showBalance();
  }

  async #payMany(): Promise<void> {
    say(this.#note, "Giving some accounts money first…");
    await this.#receipt(await this.#burst.fund());
    const began = performance.now();
    const hashes = await this.#burst.send((sent, of) => say(this.#note, `Sending ${sent} of ${of}…`));
    await Promise.all(hashes.map((hash) => this.#receipt(hash)));
    say(this.#note, `${this.#burst.size} payments, signed here and sealed in ${((performance.now() - began) / 1_000).toFixed(1)} s.`);
    await this.#showBalance();
  }

  async #fund(): Promise<void> {
    const rich = new Payer(this.#rpc, this.#chainId, DEV_ACCOUNT_KEY);
    const raw = await rich.sign(this.#burner.address, FUNDS, await feeCap(this.#rpc));
    await this.#receipt(await this.#rpc.call<Hex>("eth_sendRawTransaction", raw));
  }

  /** Asks for the receipt until there is one: a chain that makes no block while idle gives no other sign. */
  async #receipt(hash: Hex): Promise<Receipt> {
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const receipt = await this.#rpc.call<Receipt | null>("eth_getTransactionReceipt", hash);
      if (receipt !== null) return receipt;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new RpcError(`It is in no block after ${PATIENCE_MS / 1_000} s: the chain makes none`);
  }

  async #showBalance(): Promise<void> {
    element("balance").textContent = `${Number(formatEther(await this.#burner.balance())).toFixed(3)} ETH`;
  }

  #show(what: string): Ladder {
    const ladder = new Ladder(what, performance.now());
    this.#list.prepend(ladder.item);
    if (this.#list.children.length > PAYMENTS_SHOWN) this.#list.lastElementChild?.remove();
    return ladder;
  }

  /** Does one thing at a time, and says what went wrong with it. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    for (const button of this.#buttons) button.disabled = true;
    say(this.#note, "");
    delete this.#note.dataset["error"];
    try {
      await work();
    } catch (error) {
      this.#note.dataset["error"] = "";
      say(this.#note, error instanceof RpcError ? `The chain refused: ${error.message}.` : "The chain cannot be reached just now.");
    } finally {
      for (const button of this.#buttons) button.disabled = false;
    }
  }
}

/** The key of this browser's burner account, made when it is first asked for; of this visit's, where nothing may be stored. */
function burnerKey(): Hex {
  const made = generatePrivateKey();
  try {
    const stored = localStorage.getItem(STORED_KEY);
    if (stored !== null && /^0x[0-9a-f]{64}$/.test(stored)) return stored as Hex;
    localStorage.setItem(STORED_KEY, made);
  } catch {
    // As in a frame of another site, or with storage switched off.
  }
  return made;
}
