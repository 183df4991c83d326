/** Where transcripts are replayed: in Node, and in a page of a real Chromium, by the same code. */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { basename, extname, join } from "node:path";
import { root, targetDir, wasmDist } from "../../tools/paths.js";
import { findChromium, noWideArithmetic, takesWideArithmetic, wideArithmetic } from "../../tools/chromium.js";
import { launchBrowser } from "../e2e/browser.js";
import type { Page } from "./page.js";
import { Replay } from "./replay.js";

export type Outcome = { readonly checks: number; readonly differences: readonly string[] };

/** A transcript is named by its file. */
export type Machine = {
  readonly name: string;
  readonly replay: (file: string, name: string) => Promise<Outcome>;
  readonly flip: (file: string, name: string, kind: "row" | "column", index: number) => Promise<Outcome>;
  readonly close: () => Promise<void>;
};

export type Chromium = Machine & {
  readonly variant: ChromiumVariant;
  /** The paths of the module that the package takes there by itself, and of the one for wide arithmetic if it offers that. */
  readonly modules: () => Promise<{ taken: string; offered: string | undefined }>;
};

export const transcripts = process.env.OCELLI_TRANSCRIPTS ?? join(targetDir, "transcripts");
const PAGE = '<!doctype html><script type="module" src="/code/page.js"></script>';
/** The bindings, which all modules share. */
const bindings = join(wasmDist, "base");
const moduleOf = (variant: string) => join(wasmDist, variant, "ocelli_bg.wasm");

/** The transcript with this name, with the plain module in this process. */
export async function openTranscript(file: string): Promise<Replay> {
  const core = await import("../../wasm/dist/base/ocelli.js");
  await core.default({ module_or_path: await readFile(moduleOf("base")) });
  return new Replay(core, await readFile(join(transcripts, file)));
}

export async function startNode(): Promise<Machine> {
  const opened = new Map<string, Promise<Replay>>();
  const open = (file: string) => {
    const replay = opened.get(file) ?? openTranscript(file);
    opened.set(file, replay);
    return replay;
  };
  return {
    name: "Node, base",
    replay: async (file, name) => (await open(file)).replay(name),
    flip: async (file, name, kind, index) => (await open(file)).flip(name, kind, index),
    close: async () => {},
  };
}

/** The modules that Node lacks the features for: relaxed SIMD before version 22, wide arithmetic in all versions so far. */
export type ChromiumVariant = "simd" | "wide";

/** Those that the Chromium here takes, all features switched on. */
export async function chromiumVariants(): Promise<ChromiumVariant[]> {
  return (await takesWideArithmetic(findChromium() ?? "")) ? ["simd", "wide"] : ["simd"];
}

export async function startChromium(variant: ChromiumVariant): Promise<Chromium> {
  const server = await serve(variant);
  const browser = await launchBrowser({ args: [variant === "wide" ? wideArithmetic : noWideArithmetic] });
  const page = await browser.newPage();
  await page.goto(server.url);
  type Opened = typeof globalThis & Page;
  return {
    name: `Chromium, ${variant}`,
    variant,
    modules: () =>
      page.evaluate(async () => {
        // The path of whoever serves the page.
        const script = "/package/module_url.js";
        const { moduleUrl, wideModuleUrl } = await import(script);
        return { taken: moduleUrl().pathname, offered: wideModuleUrl()?.pathname };
      }),
    replay: (file, name) =>
      page.evaluate(
        async ([file, name]) => (await (globalThis as Opened).openTranscript(file)).replay(name),
        [file, name] as const,
      ),
    flip: (file, name, kind, index) =>
      page.evaluate(
        async ([file, name, kind, index]) => (await (globalThis as Opened).openTranscript(file)).flip(name, kind, index),
        [file, name, kind, index] as const,
      ),
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** What the page loads: a document, and by folder the bindings, a module, the package, the code that replays, transcripts. */
async function serve(variant: string) {
  const folders = new Map([
    ["core", bindings],
    ["module", join(wasmDist, variant)],
    ["package", wasmDist],
    ["code", join(root, "tests", "verdicts")],
    ["transcripts", transcripts],
  ]);
  const types = new Map([
    [".js", "text/javascript"],
    [".wasm", "application/wasm"],
  ]);
  const server = createServer(async (request, response) => {
    const [, name = "", file = ""] = (request.url ?? "/").split("/");
    const folder = folders.get(name);
    if (folder === undefined) return void response.setHeader("content-type", "text/html").end(PAGE);
    try {
      const bytes = await readFile(join(folder, basename(file)));
      response.setHeader("content-type", types.get(extname(file)) ?? "application/octet-stream").end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
