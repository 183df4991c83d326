/** Accounts that run code (EIP-7702): set, used, sponsored, refused, replaced and taken back. */

import { zeroAddress, type Address } from "viem";
import type { PrivateKeyAccount, SignAuthorizationReturnType } from "viem/accounts";
import type { Compiled } from "../contracts.js";
import { account, callData, CHAIN_ID, ETHER, type Deployed, type Script } from "../script.js";

export async function delegation(script: Script, { Delegate }: Compiled, coin: Deployed): Promise<void> {
  const [sponsor, own, other, third] = [account(4), account(5), account(6), account(7)];
  const code = await script.deploy("code for accounts is created", Delegate);
  const calls = [
    { to: account(1).address, value: ETHER, data: "0x" },
    { to: coin.address, value: 0n, data: callData(coin, ["approve", account(1).address, 7n]) },
  ];
  const data = callData(code, ["execute", calls]);
  const to = own.address;

  // The sender's own authorization has the nonce after the transaction's.
  const mine = await authorize(own, code.address, { nonce: script.nonce(own) + 1 });
  await script.send("an account sets its code and runs it", {
    from: own,
    transaction: { type: "eip7702", authorizationList: [mine], to, data },
  });
  script.useNonce(own);
  await script.send("an account runs its code again", { from: own, transaction: { to, data } });
  await script.send("ether arrives at an account with code", { transaction: { to, value: ETHER } });
  await script.send("another one may not run an account's code", { from: sponsor, ending: "reverted", transaction: { to, data } });

  const sponsored = await authorize(other, code.address, { nonce: script.useNonce(other) });
  const anywhere = await authorize(third, code.address, { nonce: script.useNonce(third), chainId: 0 });
  await script.send("code is set for two accounts by a third", {
    from: sponsor,
    transaction: { type: "eip7702", authorizationList: [sponsored, anywhere], to: other.address, value: 1n },
  });
  await script.send("authorizations that do not hold are passed over", {
    from: sponsor,
    transaction: {
      type: "eip7702",
      authorizationList: [
        await authorize(other, coin.address, { nonce: 77 }),
        await authorize(other, coin.address, { nonce: script.nonce(other), chainId: 1 }),
        { ...(await authorize(other, coin.address, { nonce: script.nonce(other) })), s: `0x${"f".repeat(64)}` },
      ],
      to: account(1).address,
    },
  });
  const again = await authorize(other, coin.address, { nonce: script.useNonce(other) });
  const back = await authorize(other, zeroAddress, { nonce: script.useNonce(other) });
  await script.send("code is replaced and taken back", {
    from: sponsor,
    transaction: { type: "eip7702", authorizationList: [again, back], to: other.address, data: "0x00" },
  });
  await script.send("an account without its code again", { from: other, transaction: { to: sponsor.address, value: 1n } });
}

type Chosen = { readonly nonce: number; readonly chainId?: number };

function authorize(owner: PrivateKeyAccount, address: Address, chosen: Chosen): Promise<SignAuthorizationReturnType> {
  return owner.signAuthorization({ address, chainId: CHAIN_ID, ...chosen });
}
