/**
 * The contracts that tests deploy: compiled from the folder `contracts` and OpenZeppelin's sources, and Uniswap V2 as it was
 * published, bytecode and all.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { concatHex, encodeDeployData, type Abi, type Hex } from "viem";

const require = createRequire(import.meta.url);

export type Contract = {
  readonly abi: Abi;
  /** What creates it, without arguments. */
  readonly bytecode: Hex;
};

/** What creates a contract with these arguments. */
export function initcode({ abi, bytecode }: Contract, args: readonly unknown[] = []): Hex {
  return args.length === 0 ? bytecode : encodeDeployData({ abi, bytecode, args });
}

const UNISWAP = {
  factory: "@uniswap/v2-core/build/UniswapV2Factory.json",
  pair: "@uniswap/v2-core/build/UniswapV2Pair.json",
  router: "@uniswap/v2-periphery/build/UniswapV2Router02.json",
  weth: "@uniswap/v2-periphery/build/WETH9.json",
} as const;

/** A contract of Uniswap V2, from its npm packages. */
export function uniswap(name: keyof typeof UNISWAP): Contract {
  type Published = { abi: Abi; bytecode?: string; evm?: { bytecode: { object: string } } };
  const { abi, bytecode, evm } = require(UNISWAP[name]) as Published;
  const code = evm?.bytecode.object ?? bytecode;
  if (code === undefined) throw new Error(`${UNISWAP[name]} has no bytecode`);
  return { abi, bytecode: concatHex([code.startsWith("0x") ? (code as Hex) : `0x${code}`]) };
}

/** A contract that was compiled here. */
export type CompiledContract = Contract & {
  /** The code that stays, if it has no immutables. */
  readonly runtime: Hex;
};

/** The contracts of our own, by name. */
export type Compiled = Readonly<Record<"Coin" | "Token" | "Machine" | "Mortal" | "Delegate", CompiledContract>>;

const SOURCES = ["Coin.sol", "Token.sol", "Machine.sol", "Delegate.sol"];

/** @throws what the compiler says. */
export function compile(): Compiled {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(SOURCES.map((name) => [name, { content: read(join(import.meta.dirname, "contracts", name)) }])),
    settings: {
      evmVersion: "osaka",
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const solc = require("solc") as { compile(input: string, options: object): string };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport })) as Output;
  const errors = output.errors?.filter(({ severity }) => severity === "error") ?? [];
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  const contracts = SOURCES.flatMap((name) => Object.entries(output.contracts?.[name] ?? {}));
  return Object.fromEntries(
    contracts.map(([name, { abi, evm }]) => {
      const [bytecode, runtime] = [evm.bytecode, evm.deployedBytecode].map(({ object }) => `0x${object}`);
      return [name, { abi, bytecode, runtime }];
    }),
  ) as Compiled;
}

type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, { abi: Abi; evm: Code }>>>>;
};

type Code = Readonly<Record<"bytecode" | "deployedBytecode", { readonly object: string }>>;

function findImport(path: string): { contents: string } | { error: string } {
  try {
    return { contents: read(require.resolve(path)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
