/** Uniswap V2 as published: pairs, liquidity, swaps. */

import { getContractAddress, encodePacked, keccak256, type Address } from "viem";
import { uniswap } from "../contracts.js";
import { account, ETHER, type Deployed, type Script } from "../script.js";
import { NEVER } from "./token.js";

/** The pair sums up prices over time, which takes two more slots if some has passed since the last block. */
const TIMED = { dependsOn: "time" } as const;

export async function exchange(script: Script, coin: Deployed): Promise<void> {
  const alice = account(0).address;
  const weth = await script.deploy("wrapped ether is created", uniswap("weth"));
  await script.call("ether is wrapped", weth, ["deposit"], { transaction: { value: 50n * ETHER } });
  await script.call("ether is unwrapped", weth, ["withdraw", ETHER]);
  await script.call("more ether is unwrapped than there is", weth, ["withdraw", 50n * ETHER], { ending: "reverted" });

  const factory = await script.deploy("the factory is created", uniswap("factory"), [alice]);
  const router = await script.deploy("the router is created", uniswap("router"), [factory.address, weth.address]);
  await script.call("a pair is created", factory, ["createPair", coin.address, weth.address]);
  await script.call("a pair is created again", factory, ["createPair", weth.address, coin.address], { ending: "reverted" });
  await script.call("the fee is switched on", factory, ["setFeeTo", account(8).address]);
  const pair = { address: pairOf(factory.address, coin.address, weth.address), abi: uniswap("pair").abi };

  await script.call("the router may spend coins", coin, ["approve", router.address, NEVER]);
  await script.call("the router may spend wrapped ether", weth, ["approve", router.address, NEVER]);
  await liquidity(script, { coin, weth, router, pair });
  await swaps(script, { coin, weth, router, pair });
  await script.call("liquidity is removed", router, ["removeLiquidityETH", coin.address, ETHER, 0n, 0n, alice, NEVER], TIMED);
  await script.call("the pair is balanced", pair, ["sync"], TIMED);
}

type Market = Readonly<Record<"coin" | "weth" | "router" | "pair", Deployed>>;

async function liquidity(script: Script, { coin, weth, router, pair }: Market): Promise<void> {
  const alice = account(0).address;
  const both = [coin.address, weth.address, 400n * ETHER, 4n * ETHER] as const;
  await script.call("liquidity is added", router, ["addLiquidity", ...both, 0n, 0n, alice, NEVER]);
  await script.call("liquidity is added too late", router, ["addLiquidity", ...both, 0n, 0n, alice, 1n], { ending: "reverted" });
  await script.call("liquidity is added with ether", router, ["addLiquidityETH", coin.address, 100n * ETHER, 0n, 0n, alice, NEVER], {
    ...TIMED,
    transaction: { value: 2n * ETHER },
  });
  await script.call("the router may spend shares", pair, ["approve", router.address, NEVER]);
}

async function swaps(script: Script, { coin, weth, router, pair }: Market): Promise<void> {
  const [alice, bob] = [account(0).address, account(1)];
  const there = [coin.address, weth.address];
  const back = [weth.address, coin.address];
  await script.call("a swap of an exact amount", router, ["swapExactTokensForTokens", ETHER, 0n, there, alice, NEVER], TIMED);
  await script.call("a swap for an exact amount", router, ["swapTokensForExactTokens", ETHER, 10n * ETHER, back, alice, NEVER], TIMED);
  await script.call("a swap of ether", router, ["swapExactETHForTokens", 1n, back, bob.address, NEVER], {
    ...TIMED,
    from: bob,
    transaction: { value: ETHER / 10n },
  });
  await script.call("a swap for ether", router, ["swapTokensForExactETH", ETHER / 100n, 100n * ETHER, there, alice, NEVER], TIMED);
  await script.call("a swap that would give too little", router, ["swapExactTokensForTokens", ETHER, ETHER, there, alice, NEVER], {
    ending: "reverted",
  });
  await script.call("a swap without allowance", router, ["swapExactTokensForTokens", 1n, 0n, there, alice, NEVER], {
    from: bob,
    ending: "reverted",
  });
  await script.call("a swap that pays nothing", pair, ["swap", 1n, 0n, alice, "0x"], { ending: "reverted" });
  await script.call("coins given to the pair", coin, ["transfer", pair.address, 12_345n]);
  await script.call("the pair gives back what it does not count", pair, ["skim", bob.address], { from: bob });
}

/** Where the factory puts the pair of two tokens: the router computes the same from the hash of the pair's code. */
export function pairOf(factory: Address, one: Address, other: Address): Address {
  const tokens = BigInt(one) < BigInt(other) ? ([one, other] as const) : ([other, one] as const);
  const salt = keccak256(encodePacked(["address", "address"], [...tokens]));
  return getContractAddress({ opcode: "CREATE2", from: factory, salt, bytecode: uniswap("pair").bytecode });
}
