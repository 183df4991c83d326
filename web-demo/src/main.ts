import { createVerifier, type OcelliError, type Verifier } from "ocelli";
import { delegateOnDevelopmentChain } from "./attest.js";
import { Blocks } from "./blocks.js";
import { describe, element } from "./elements.js";
import { Payments } from "./payments.js";
import { Totals } from "./totals.js";

/** `?url=` names another chain than the one that serves the page; `?workers=` how many workers check. */
const query = new URLSearchParams(location.search);
const url = query.get("url") ?? location.origin;

const blocks = new Blocks();
const totals = new Totals();

async function main(): Promise<void> {
  const workers = Number(query.get("workers") ?? 0);
  const verifier = await createVerifier({ url, ...(workers > 0 ? { workers } : {}), cpu: 1 });
  show(verifier);
  const owner = await delegateOnDevelopmentChain(verifier);
  about(verifier, owner);
  const payments = new Payments(url, verifier.chain.chainId);
  verifier.on("certificate", ({ height }) => payments.attested(height));
  addEventListener("pagehide", () => verifier.stop(), { once: true });
  await payments.start();
}

function show(verifier: Verifier): void {
  verifier.on("status", showStatus);
  showStatus(verifier.status);
  verifier.on("block", ({ block, tasks }) => {
    const rows = tasks.filter(({ kind }) => kind === "row").length;
    blocks.add(block.height, rows, tasks.length - rows);
    totals.sealed(block.height);
  });
  verifier.on("task", ({ height, task, kind, ms, verdict, by }) => {
    blocks.mark(height, task, { by: by === "me" ? "me" : "other", verdict });
    if (by === "me") totals.checked(kind, ms ?? 0);
    else totals.checkedByOthers(1);
  });
  verifier.on("certificate", ({ height }) => {
    blocks.attested(height);
    totals.attested(height);
  });
  verifier.on("fault", ({ height, description, evidence, by }) => {
    blocks.faulty(height);
    showFault(height, description, evidence, by);
  });
}

type Status = Verifier["status"];

function showStatus(status: Status): void {
  const pill = element("status");
  if (pill.dataset["state"] === "fault") return;
  pill.dataset["state"] = status.state;
  pill.textContent = status.state;
  const error = "error" in status ? status.error : undefined;
  pill.title = error?.message ?? "";
}

function showFault(height: number, description: string, evidence: Uint8Array<ArrayBuffer>, by: "me" | "network"): void {
  const pill = element("status");
  pill.dataset["state"] = "fault";
  pill.textContent = "fault found";
  const finder = by === "me" ? "This tab found a fault" : "A fault was reported, and this tab confirmed it:";
  element("fault-text").textContent = `${finder} in block ${height}: ${description}`;
  const link = element<HTMLAnchorElement>("fault-evidence");
  link.href = URL.createObjectURL(new Blob([evidence], { type: "application/octet-stream" }));
  link.download = `ocelli-evidence-block-${height}.bin`;
  element("fault").hidden = false;
}

function about(verifier: Verifier, owner: string | undefined): void {
  describe(element("about"), [
    ["chain", `${verifier.chain.chainId}, genesis ${verifier.chain.genesisHash}`],
    ["this tab signs as", verifier.address],
    ["its vote counts for", owner ?? "nobody: its checks find lies, its vote has no weight"],
    ["endpoint", url],
  ]);
}

function fail(error: unknown): void {
  const known = error as Partial<OcelliError>;
  const pill = element("status");
  pill.dataset["state"] = "stopped";
  pill.textContent = known.code ?? "stopped";
  element("headline").textContent = "This tab cannot check the chain.";
  describe(element("totals"), [["why", error instanceof Error ? error.message : String(error)]]);
}

main().catch(fail);
