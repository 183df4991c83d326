import { EndpointError, OcelliError, createVerifier, type Verifier, type VerifierStatus } from "ocelli";
import { Blocks } from "./blocks.js";
import { delegateOnDevelopmentChain } from "./delegate.js";
import { describe, element, say } from "./elements.js";
import { showFault } from "./fault.js";
import { Figures } from "./figures.js";
import { Payments } from "./payments.js";
import { quietLine } from "./quiet_line.js";
import { Trouble } from "./trouble.js";

/** `?url=` names another chain than the one that serves the page; `?workers=` how many workers check. */
const query = new URLSearchParams(location.search);
const url = query.get("url") ?? location.origin;

const IDLE_MS = 1_500;
const STATUS_WORDS: Readonly<Record<VerifierStatus["state"], string>> = {
  connecting: "connecting",
  following: "checking",
  paused: "paused",
  stopped: "stopped",
};

const blocks = new Blocks();
const figures = new Figures();
const trouble = new Trouble();
let isFaulty = false;
let hasVote = false;
let sayIdle: ReturnType<typeof setTimeout> | undefined;

async function main(): Promise<void> {
  element<HTMLAnchorElement>("another").href = location.href;
  element("another").addEventListener("click", openBeside);
  const workers = Number(query.get("workers") ?? 0);
  const verifier = await createVerifier({ url, ...(workers > 0 ? { workers } : {}), cpu: 1 });
  addEventListener("pagehide", () => verifier.stop(), { once: true });
  show(verifier);
  offerPause(verifier);
  const payments = new Payments(url, verifier.chain.chainId);
  verifier.on("certificate", ({ height }) => payments.attested(height));
  const owner = await delegateOnDevelopmentChain(verifier, showTrouble).catch(showTrouble);
  hasVote = owner !== undefined;
  about(verifier, owner);
  await payments.start();
}

function show(verifier: Verifier): void {
  verifier.on("status", showStatus);
  showStatus(verifier.status);
  verifier.on("problem", ({ error }) => {
    // Without a vote of its own a tab is refused one, which the page says elsewhere; without a connection there is one trouble.
    const isKnown = error instanceof EndpointError && error.reason === "not_registered" && !hasVote;
    if (!isKnown && verifier.status.state !== "connecting") showTrouble(error);
  });
  verifier.on("block", ({ block, tasks }) => {
    blocks.add(block, tasks);
    figures.opened(block.height, tasks.length);
    showWork(verifier);
  });
  verifier.on("task", ({ height, task, kind, ms, verdict, by }) => {
    const who = by === "me" ? "me" : "other";
    blocks.mark(height, task, { by: who, verdict, ms });
    figures.checked(height, task, kind, who, ms);
    if (!isFaulty && figures.tally.counts.mine > 0) say(element("headline"), "This tab checks the chain.");
    showWork(verifier);
  });
  verifier.on("certificate", ({ height }) => {
    blocks.attested(height);
    figures.attested(height);
  });
  verifier.on("rewind", ({ height }) => {
    blocks.rewind(height);
    figures.rewind(height);
  });
  verifier.on("fault", (fault) => {
    isFaulty = true;
    blocks.faulty(fault.block);
    showFault(fault, url);
    showStatus(verifier.status);
  });
}

function showStatus(status: VerifierStatus): void {
  const pill = element("status");
  const error = "error" in status ? status.error : undefined;
  pill.dataset["state"] = isFaulty ? "fault" : status.state;
  say(pill, isFaulty ? "fault found" : error ? "connecting again" : STATUS_WORDS[status.state]);
  pill.title = error?.message ?? "";
  if (status.state !== "following") trouble.clear();
  showWork({ status });
}

/** Something has happened; if nothing more does for a while, that is said. */
function showWork(verifier: Pick<Verifier, "status">): void {
  const sayLine = (isIdle: boolean) =>
    say(element("idle"), quietLine({ status: verifier.status, isFaulty, isIdle, isEmpty: blocks.isEmpty }));
  sayLine(false);
  clearTimeout(sayIdle);
  sayIdle = setTimeout(() => sayLine(figures.isIdle), IDLE_MS);
}

function showTrouble(error: unknown): undefined {
  trouble.show({ message: error instanceof Error ? error.message : String(error) });
}

function offerPause(verifier: Verifier): void {
  const button = element<HTMLButtonElement>("pause");
  button.disabled = false;
  button.addEventListener("click", () => {
    const pausing = button.textContent === "Pause";
    if (pausing) verifier.pause();
    else verifier.resume();
    say(button, pausing ? "Resume" : "Pause");
  });
}

/** In a window at the side, where there is room for one: a tab in the background shows nothing. */
function openBeside(event: Event): void {
  const width = Math.floor(screen.availWidth / 2);
  if (width < 480) return;
  const features = `popup,noopener,width=${width},height=${screen.availHeight},left=${width},top=0`;
  event.preventDefault();
  window.open(location.href, "_blank", features);
}

function about(verifier: Verifier, owner: string | undefined): void {
  describe(element("about"), [
    ["Chain", `id ${verifier.chain.chainId}, named by the hash of its genesis, ${verifier.chain.genesisHash}`],
    ["It asks", `${url}, which it believes in nothing that it can check`],
    ["It signs as", `${verifier.address}, with a key made for this visit`],
    ["Its vote counts for", owner ?? "nobody: its checks find lies all the same"],
    ["It believes", "a payment's receipt and the balance, which the node tells"],
  ]);
}

function fail(error: unknown): void {
  const pill = element("status");
  pill.dataset["state"] = "stopped";
  say(pill, "stopped");
  say(element("headline"), "This tab cannot check the chain.");
  say(element("lead"), error instanceof Error ? error.message : String(error));
  say(element("idle"), error instanceof OcelliError ? `${error.code}. Load the page again to try once more.` : "");
}

// A page that comes out of the browser's memory has no verifier any more.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
main().catch(fail);
