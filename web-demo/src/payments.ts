import {
  createWalletClient,
  formatEther,
  http,
  parseEther,
  publicActions,
  TransactionReceiptNotFoundError,
  type Address,
  type Hash,
  type PublicActions,
  type TransactionReceipt,
  type WalletClient,
} from "viem";
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from "viem/accounts";
import { create, element } from "./elements.js";

/** The mnemonic of development chains, which everyone knows. */
export const DEV_MNEMONIC = "test test test test test test test test test test test junk";
/** Only there does the page know where to take money from. */
export const DEV_CHAIN_ID = 31_337;

const STORED_KEY = "ocelli.burner";
const AMOUNT = parseEther("0.001");
const FUNDS = parseEther("1");
const PAYMENTS_SHOWN = 8;
const POLL_MS = 25;
const PATIENCE_MS = 30_000;

type Level = "sealed" | "attested";

type Payment = {
  readonly sent: number;
  readonly rungs: Readonly<Record<Level, HTMLElement>>;
  height: number | undefined;
};

type Client = WalletClient & PublicActions;

/** The burner account and the payments that it has made, each with the level that it has reached. */
export class Payments {
  readonly #client: Client;
  readonly #chainId: number;
  readonly #account = privateKeyToAccount(burnerKey());
  readonly #list = element("payments");
  readonly #button = element<HTMLButtonElement>("send");
  readonly #error = element("send-error");
  readonly #payments: Payment[] = [];

  constructor(rpcUrl: string, chainId: number) {
    this.#chainId = chainId;
    this.#client = createWalletClient({ transport: http(rpcUrl, { retryCount: 1 }) }).extend(publicActions);
    element("burner").textContent = this.#account.address;
    this.#button.addEventListener("click", () => void this.#guarded(() => this.#pay()));
  }

  /** Makes sure that the burner account has money, and lets the visitor send. */
  async start(): Promise<void> {
    await this.#guarded(async () => {
      if (this.#chainId === DEV_CHAIN_ID && (await this.#balance()) < AMOUNT * 10n) await this.#fund();
      await this.#showBalance();
      this.#button.disabled = false;
    });
  }

  /** A certificate covers everything up to `height`. */
  attested(height: number): void {
    for (const payment of this.#payments) {
      if (payment.height !== undefined && payment.height <= height) reach(payment, "attested");
    }
  }

  async #pay(): Promise<void> {
    this.#button.disabled = true;
    const payment = this.#show(this.#account.address);
    try {
      const hash = await this.#send(this.#account, mnemonicToAccount(DEV_MNEMONIC, { addressIndex: 1 }).address, AMOUNT);
      const receipt = await this.#sealed(hash);
      payment.height = Number(receipt.blockNumber);
      reach(payment, "sealed", `in block ${payment.height}`);
      await this.#showBalance();
    } finally {
      this.#button.disabled = false;
    }
  }

  async #fund(): Promise<void> {
    const rich = mnemonicToAccount(DEV_MNEMONIC);
    await this.#sealed(await this.#send(rich, this.#account.address, FUNDS));
  }

  async #send(account: ReturnType<typeof mnemonicToAccount> | ReturnType<typeof privateKeyToAccount>, to: Address, value: bigint): Promise<Hash> {
    const chain = { id: this.#chainId, name: "Ocelli", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [] } } };
    return this.#client.sendTransaction({ account, chain, to, value });
  }

  /** Asks for the receipt until there is one: a chain that makes no block while idle gives no other sign. */
  async #sealed(hash: Hash): Promise<TransactionReceipt> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.#client.getTransactionReceipt({ hash });
      } catch (error) {
        if (!(error instanceof TransactionReceiptNotFoundError) || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #balance(): Promise<bigint> {
    return this.#client.getBalance({ address: this.#account.address });
  }

  async #showBalance(): Promise<void> {
    element("balance").textContent = `${Number(formatEther(await this.#balance())).toFixed(4)} ETH`;
  }

  #show(from: Address): Payment {
    const rungs = { sealed: rung("sealed"), attested: rung("attested") };
    const ladder = create("div", { class: "ladder" });
    ladder.append(rungs.sealed, rungs.attested);
    const item = create("li", { class: "payment" });
    item.append(create("span", {}, `0.001 ETH from ${from.slice(0, 8)}…`), ladder);
    this.#list.prepend(item);
    while (this.#list.children.length > PAYMENTS_SHOWN) this.#list.lastElementChild?.remove();
    const payment: Payment = { sent: performance.now(), rungs, height: undefined };
    this.#payments.push(payment);
    if (this.#payments.length > PAYMENTS_SHOWN) this.#payments.shift();
    return payment;
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    this.#error.hidden = true;
    try {
      await work();
    } catch (error) {
      this.#error.textContent = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      this.#error.hidden = false;
    }
  }
}

function rung(level: Level): HTMLElement {
  return create("span", { class: "rung", "data-level": level }, `${level} …`);
}

function reach({ sent, rungs }: Payment, level: Level, where = ""): void {
  const shown = rungs[level];
  if (shown.dataset["reached"] !== undefined) return;
  shown.dataset["reached"] = "";
  shown.textContent = [`${level} after ${Math.round(performance.now() - sent)} ms`, where].filter(Boolean).join(", ");
}

/** The key of this browser's burner account, made when it is first asked for. */
function burnerKey(): `0x${string}` {
  const stored = localStorage.getItem(STORED_KEY);
  if (stored !== null && /^0x[0-9a-f]{64}$/.test(stored)) return stored as `0x${string}`;
  const made = generatePrivateKey();
  localStorage.setItem(STORED_KEY, made);
  return made;
}
