// What a tab downloads: `npm run size -w ocelli`, after a build.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { wasmDist } from "../paths.js";
import { variants } from "../wasm.js";
import { alone, readable } from "./figures.js";

/** Each module, the bindings that they share, and the package's own scripts, which are not minified: raw, gzip -9, brotli -11. */
export function sizes() {
  const folders = readdirSync(wasmDist).filter((name) => existsSync(join(wasmDist, name, "ocelli_bg.wasm")));
  const scripts = readdirSync(wasmDist).filter((name) => name.endsWith(".js") && !name.includes("node"));
  return [
    ...folders.flatMap((folder) => sizesOf(`wasm.${folder}`, [join(folder, "ocelli_bg.wasm")])),
    ...sizesOf("bindings", [join(variants[0].name, "ocelli.js")]),
    ...sizesOf("scripts", scripts),
  ];
}

/**
 * @param {string} name
 * @param {string[]} files
 */
function sizesOf(name, files) {
  const bytes = Buffer.concat(files.map((file) => readFileSync(join(wasmDist, file))));
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  return [
    alone(`${name}.raw`, bytes.length, "bytes"),
    alone(`${name}.gzip`, gzipSync(bytes, { level: 9 }).length, "bytes"),
    alone(`${name}.brotli`, brotli.length, "bytes"),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, ours } of sizes()) console.log(`${readable(ours).padStart(12)}  ${name}`);
}
