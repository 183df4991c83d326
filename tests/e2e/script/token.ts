/** OpenZeppelin's ERC-20: what wallets do with a token, and what they may not do. */

import { parseSignature } from "viem";
import type { Compiled } from "../contracts.js";
import { account, CHAIN_ID, ETHER, type Deployed, type Script } from "../script.js";

export const SUPPLY = 1_000_000n * ETHER;
/** A time that does not come. */
export const NEVER = 2n ** 255n;

export async function token(script: Script, { Coin }: Compiled): Promise<Deployed> {
  const [alice, bob, carol] = [account(0), account(1), account(2)];
  const coin = await script.deploy("a token is created", Coin, ["Coin", "COIN", SUPPLY]);
  await script.call("a token transfer", coin, ["transfer", bob.address, 100n * ETHER]);
  await script.call("a token transfer to one who has some", coin, ["transfer", bob.address, 1n]);
  await script.call("a token transfer of nothing", coin, ["transfer", carol.address, 0n]);
  await script.call("a token transfer of more than there is", coin, ["transfer", bob.address, 1n], { from: carol, ending: "reverted" });
  await script.call("an allowance", coin, ["approve", carol.address, 10n * ETHER], { from: bob });
  await script.call("a transfer by allowance", coin, ["transferFrom", bob.address, carol.address, 4n * ETHER], { from: carol });
  await script.call("a transfer above the allowance", coin, ["transferFrom", bob.address, carol.address, 7n * ETHER], {
    from: carol,
    ending: "reverted",
  });
  await script.call("an allowance without limit", coin, ["approve", carol.address, 2n ** 256n - 1n], { from: bob });
  await script.call("a transfer by that allowance", coin, ["transferFrom", bob.address, alice.address, ETHER], { from: carol });
  await script.call("a permit", coin, await permit(coin, 0n), { from: carol });
  await script.call("a permit again", coin, await permit(coin, 0n), { from: carol, ending: "reverted" });
  await script.call("tokens are burnt", coin, ["burn", ETHER]);
  await script.call("ether sent to the token", coin, ["transfer", bob.address, 1n], { transaction: { value: 1n }, ending: "reverted" });
  return coin;
}

/** The first account lets the second one spend, by signature (EIP-2612). */
async function permit({ address }: Deployed, nonce: bigint) {
  const [owner, spender] = [account(0), account(1)];
  const message = { owner: owner.address, spender: spender.address, value: 5n * ETHER, nonce, deadline: NEVER };
  const signature = await owner.signTypedData({
    domain: { name: "Coin", version: "1", chainId: CHAIN_ID, verifyingContract: address },
    primaryType: "Permit",
    types: {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    },
    message,
  });
  const { r, s, v } = parseSignature(signature);
  return ["permit", message.owner, message.spender, message.value, NEVER, Number(v), r, s] as const;
}
