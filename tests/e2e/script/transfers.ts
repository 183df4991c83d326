/** Transfers by transactions of every type, to whatever there can be at an address. */

import { getAddress, toHex, type AccessList } from "viem";
import { account, ETHER, GWEI, type Script } from "../script.js";

const NOBODY = getAddress("0x00000000000000000000000000000000000a11ce");

/** Entries of which some are used and some are not, and one is there twice. */
const LIST: AccessList = [
  { address: account(3).address, storageKeys: [] },
  { address: NOBODY, storageKeys: [toHex(1, { size: 32 }), toHex(1, { size: 32 }), toHex(2, { size: 32 })] },
];

export async function transfers(script: Script): Promise<void> {
  const to = account(1).address;
  const gas = 100_000n;
  await script.send("a legacy transfer", { transaction: { type: "legacy", gasPrice: 20n * GWEI, to, value: ETHER, gas: 21_000n } });
  await script.send("a transfer with an access list", {
    transaction: { type: "eip2930", gasPrice: 20n * GWEI, accessList: LIST, to, value: ETHER, gas },
  });
  await script.send("a transfer", { transaction: { to, value: ETHER, gas: 21_000n } });
  await script.send("a transfer of type 2 with an access list", { transaction: { accessList: LIST, to: account(3).address, gas } });
  await script.send("a transfer whose tip is cut by its fee", {
    transaction: { maxFeePerGas: 5n * GWEI, maxPriorityFeePerGas: 5n * GWEI, to, value: 1n, gas: 21_000n },
  });
  await script.send("a transfer without a tip", { transaction: { maxPriorityFeePerGas: 0n, to, value: 1n, gas: 21_000n } });
  await script.send("a transfer with data", { transaction: { to, value: 1n, data: "0x00ff00ff00", gas } });
  await script.send("a transfer with so much data that its floor counts", { transaction: { to, data: bytes(5_000), gas: 300_000n } });
  await script.send("a transfer to itself", { transaction: { to: account(0).address, value: ETHER, gas } });
  await script.send("a transfer to nobody", { transaction: { to: NOBODY, value: 1n, gas } });
  await script.send("a transfer of nothing to nobody", { transaction: { to: getAddress("0x00000000000000000000000000000000000b0b00"), gas } });
  await script.send("a transfer to a precompiled contract", { transaction: { to: precompiled(4), value: 1n, data: bytes(100), gas } });
  await script.send("a transfer of all that is left after the fee", {
    from: account(9),
    transaction: { to, value: 10_000n * ETHER - 21_000n * 100n * GWEI, gas: 21_000n },
  });
}

/** Where a precompiled contract is. */
export function precompiled(number: number): `0x${string}` {
  return getAddress(toHex(number, { size: 20 }));
}

/** Bytes that do not repeat soon; one in 256 is zero. */
export function bytes(length: number): `0x${string}` {
  return toHex(Uint8Array.from({ length }, (_, at) => (at * 151 + (at >>> 8)) & 0xff));
}
