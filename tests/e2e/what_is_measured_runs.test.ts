/** Every measurement of `ocelli bench`, small: it ends in figures, which it does only if every block and task was valid. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parseFigure } from "../../tools/bench/figures.js";
import { ocelliBinary, root } from "../../tools/paths.js";

let folder = "";

before(async () => void (folder = await mkdtemp(join(tmpdir(), "ocelli-bench-"))));
after(() => rm(folder, { recursive: true, force: true }));

/** The figures of a measurement, by name. */
async function measure(args: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const all = ["--log", "error", "bench", ...args, "--data-dir", join(folder, "chain"), "--json"];
  const { stdout } = await promisify(execFile)(ocelliBinary("dev"), all, { cwd: root });
  const figures = stdout.trim().split("\n").map((line) => parseFigure(line));
  for (const figure of figures) assert.ok(figure && figure.ours > 0, stdout);
  return new Map(figures.flatMap((figure) => (figure ? [[figure.name, figure.ours]] : [])));
}

test("the pipeline makes valid blocks of every workload, transfers, tokens and swaps", { timeout: 240_000 }, async () => {
  const figures = await measure(["pipeline", "--accounts", "300", "--transactions", "100", "--seconds", "0"]);
  for (const workload of ["transfers", "erc20", "swaps"]) {
    for (const part of ["", ".recover", ".execute", ".assemble", ".store", ".row_body", ".column_body", ".log"]) {
      assert.ok(figures.has(workload + part), workload + part);
    }
  }
});

test("the executor's use of cores is measured from independent transfers to one lane", { timeout: 240_000 }, async () => {
  const figures = await measure(["executor", "--accounts", "300", "--transactions", "100", "--rounds", "1"]);
  for (const workload of ["transfers", "zipf", "hot_pair", "mix"]) {
    for (const part of ["two_threads", "computed_2", "computed_4", "computed_16", "computed_64", "ran_once"]) {
      assert.ok(figures.has(`executor.${workload}.${part}`), `${workload} ${part}`);
    }
  }
  // There is one lane, so it was foreseen once it had been seen, and more cores have nothing to do.
  assert.equal(figures.get("executor.hot_pair.ran_once"), 100);
  assert.equal(figures.get("executor.hot_pair.computed_64"), figures.get("executor.hot_pair.computed_2"));
});

test("tasks are checked, and written for others to check", { timeout: 120_000 }, async () => {
  const out = join(folder, "tasks");
  const size = ["--workload", "erc20", "--accounts", "1000", "--transactions", "300", "--rounds", "1"];
  const figures = await measure(["tasks", ...size, "--out", out]);
  const transactions = figures.get("row.erc20.1k.transactions") ?? 0;
  assert.ok(transactions > 0 && transactions <= 256, `${transactions} transactions in a row`);
  const { rows, columns, codes } = JSON.parse(await readFile(join(out, "tasks.json"), "utf8"));
  assert.ok(rows.length > 0 && columns.length > 0);
  const bodies = [...rows.map((row: number) => `row-${row}`), ...columns.map((column: number) => `column-${column}`)];
  const files = ["config", "parent", "document", ...bodies, ...Array.from({ length: codes }, (_, index) => `code-${index}`)];
  for (const file of files) assert.ok((await readFile(join(out, file))).length > 0, file);
});

test("kernels, a node on loopback and a chain that is opened again are measured", { timeout: 240_000 }, async () => {
  const kernels = await measure(["kernels", "--rounds", "1", "--keys", "2000", "--batch", "100"]);
  assert.deepEqual([...kernels.keys()], ["recover", "keccak", "tree"]);
  const alone = await measure(["kernels", "--kernel", "tree", "--alone", "--rounds", "1", "--keys", "100000", "--batch", "100"]);
  assert.deepEqual([...alone.keys()], ["tree", "tree.memory"]);
  const network = await measure(["network", "--rounds", "1", "--seconds", "1", "--connections", "4"]);
  assert.ok(network.has("network.send") && network.has("network.send_sync.p99"));
  const restart = await measure(["restart", "--accounts", "10", "--transactions", "100", "--block", "10", "--rounds", "1"]);
  assert.equal(restart.get("restart.transactions"), 100);
});
