import type { VerifierEvents } from "ocelli";
import { element, say } from "./elements.js";
import { plainWords } from "./plain_words.js";
import { verifyCommand } from "./verify_command.js";

/** Shows that a block is wrong: what, why that matters, and what convinces anyone. */
export function showFault({ height, description, evidence, by }: VerifierEvents["fault"], url: string): void {
  if (!element("fault").hidden) return;
  const { where, why } = plainWords(description);
  const finder = by === "me" ? "This tab" : "Somebody else";
  say(element("headline"), by === "me" ? "This tab caught a lie." : "A lie was caught.");
  const confirmed = by === "me" ? "" : " This tab has confirmed it.";
  say(element("fault-text"), `${finder} found a fault in block ${height}: ${where}.${confirmed}`);
  say(element("fault-why"), `${why} Nothing from block ${height} on can be believed; what was attested before it stands.`);
  say(element("fault-exact"), description);
  const file = `ocelli-evidence-block-${height}.bin`;
  say(element("fault-command"), verifyCommand(url, file));
  const link = element<HTMLAnchorElement>("fault-evidence");
  link.href = URL.createObjectURL(new Blob([evidence], { type: "application/octet-stream" }));
  link.download = file;
  say(link, `Download the evidence (${kilobytes(evidence.length)})`);
  element("fault").hidden = false;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KB`;
}
