import { defineConfig } from "vite";

// Relative paths, so that the page can be served from any folder; no inlined assets, so that it runs under a strict
// Content-Security-Policy.
export default defineConfig({
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: true },
  worker: { format: "es" },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8545", ws: true } } },
});
