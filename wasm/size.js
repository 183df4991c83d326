// Prints the sizes of what a tab downloads: `npm run size -w ocelli`, after a build.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const dist = join(import.meta.dirname, "dist");
const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => /\.(js|wasm)$/.test(file));

/** @param {string[]} group */
function sizes(group) {
  const bytes = Buffer.concat(group.map((file) => readFileSync(join(dist, file))));
  return [bytes, gzipSync(bytes, { level: 9 }), brotliCompressSync(bytes)].map(({ length }) => length);
}

const own = files.filter((file) => file.endsWith(".js") && !file.includes("node") && !file.includes("/"));
const groups = [
  ...files.filter((file) => file.endsWith(".wasm")).map((file) => ({ name: file, group: [file] })),
  ...files.filter((file) => file.endsWith("/ocelli.js")).map((file) => ({ name: file, group: [file] })),
  { name: "the package's own scripts, not minified", group: own },
];
console.log(["raw", "gzip", "brotli"].map((name) => name.padStart(10)).join(""));
for (const { name, group } of groups) {
  console.log(`${sizes(group).map((size) => String(size).padStart(10)).join("")}  ${name}`);
}
