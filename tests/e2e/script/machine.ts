/** The parts of the machine: precompiled contracts, opcodes, creation, refunds, and every way to fail. */

import { concatHex, encodeAbiParameters, getContractAddress, padHex, toHex, type Hex } from "viem";
import type { Compiled } from "../contracts.js";
import { account, callData, ETHER, type Deployed, type Script } from "../script.js";
import { bytes, precompiled } from "./transfers.js";

export async function machine(script: Script, compiled: Compiled): Promise<Deployed> {
  const machine = await script.deploy("the machine is created", compiled.Machine, [], { transaction: { value: ETHER } });
  await opcodes(script, machine);
  await storage(script, machine);
  await creation(script, machine, compiled);
  await failures(script, machine);
  for (const { name, number, input, refused } of questions()) {
    // A precompiled contract that refuses takes all the gas that it was given.
    await script.call(`${name} is asked`, machine, ["ask", precompiled(number), input], { dependsOn: refused ? "gas" : undefined });
  }
  return machine;
}

async function opcodes(script: Script, machine: Deployed): Promise<void> {
  await script.call("logs of each number of topics", machine, ["log", 2n ** 255n + 7n]);
  await script.call("transient storage, memory, leading zeros", machine, ["recent", 0xabcdefn]);
  await script.call("transient storage is forgotten", machine, ["forgotten"]);
  await script.call("calls as deep as gas allows", machine, ["deep", 1_100n], { dependsOn: "gas", transaction: { gas: 8_000_000n } });
  await script.send("the machine is given ether", { transaction: { to: machine.address, value: 5n, gas: 30_000n } });
}

async function storage(script: Script, machine: Deployed): Promise<void> {
  await script.call("storage is filled", machine, ["fill", 0n, 40n, 1n]);
  await script.call("storage is overwritten", machine, ["fill", 0n, 40n, 2n]);
  await script.call("storage is overwritten with what is there", machine, ["fill", 0n, 40n, 2n]);
  await script.call("storage is cleared, which gives gas back", machine, ["clear", 0n, 40n]);
  await script.call("storage is written and written back", machine, ["restore", 3n]);
  await script.call("storage is used with an access list", machine, ["fill", 1n, 4n, 9n], {
    transaction: { accessList: [{ address: machine.address, storageKeys: [padHex("0x0"), padHex("0x2")] }] },
  });
}

async function creation(script: Script, machine: Deployed, { Mortal }: Compiled): Promise<void> {
  const salted = (last: number) => padHex(toHex(last), { size: 32 });
  const born = (salt: Hex) =>
    getContractAddress({ opcode: "CREATE2", from: machine.address, salt, bytecode: Mortal.bytecode });
  await script.call("a contract ends where it began", machine, ["create", salted(1), true], { transaction: { value: 3n } });
  await script.call("it can be created again", machine, ["create", salted(1), false], { transaction: { value: 3n } });
  await script.call("it cannot be created twice", machine, ["create", salted(1), false], { ending: "reverted" });
  await script.call("a contract that ends later stays", machine, ["end", born(salted(1)), account(8).address]);
  await script.call("a contract ends for itself", machine, ["end", born(salted(1)), born(salted(1))]);

  const gas = 7_000_000n;
  await script.send("a contract without code", { transaction: { data: "0x", gas } });
  await script.send("a creation that reverts", { transaction: { data: "0x600160005260206000fd", gas }, ending: "reverted" });
  await script.send("code that begins with 0xef", { transaction: { data: "0x60ef60005360016000f3", gas }, ending: "reverted" });
  await script.send("the longest code", { transaction: { data: codeOf(0x6000), gas } });
  await script.send("code that is too long", { transaction: { data: codeOf(0x6001), gas }, ending: "reverted" });
  await script.send("the longest initcode", { transaction: { data: concatHex(["0x00", bytes(0xc000 - 1)]), gas } });
  await script.send("a creation without gas for the code", { transaction: { data: codeOf(0x1000), gas: 200_000n }, ending: "reverted" });
}

/** What creates code of this many zeros. */
function codeOf(length: number): Hex {
  return concatHex(["0x62", toHex(length, { size: 3 }), "0x6000f3"]);
}

async function failures(script: Script, machine: Deployed): Promise<void> {
  const fail = { ending: "reverted" } as const;
  await script.call("a call that reverts inside one that does not", machine, ["survive", 7n]);
  await script.call("a revert with an error of its own", machine, ["refuse", 7n], fail);
  await script.call("a revert with a reason", machine, ["require_", false], fail);
  await script.call("a revert without a reason", machine, ["revertWithNothing"], fail);
  await script.call("a division by zero", machine, ["panic", 0n], fail);
  await script.call("an invalid opcode", machine, ["invalid"], fail);
  await script.call("a loop without end", machine, ["spin"], { ...fail, transaction: { gas: 300_000n } });
  await script.call("gas that is just too little", machine, ["fill", 50n, 60n, 1n], { ...fail, transaction: { gas: 200_000n } });
  await script.send("a function that is not there", { ...fail, transaction: { to: machine.address, data: "0x12345678", gas: 50_000n } });
  const data = callData(machine, ["log", 1n]);
  await script.send("ether that a function does not take", { ...fail, transaction: { to: machine.address, value: 1n, data, gas: 50_000n } });
}

type Question = { readonly name: string; readonly number: number; readonly input: Hex; readonly refused?: boolean };

/** Inputs for the precompiled contracts: some that they answer, some that they refuse. */
function questions(): readonly Question[] {
  const word = (value: bigint) => toHex(value, { size: 32 });
  const one = concatHex([word(1n), word(2n)]);
  const signed = concatHex([
    "0x456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3",
    word(28n),
    "0x9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
    "0x4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
  ]);
  const power = concatHex([word(3n), word(2n), word(3n), "0x010001", "0xffff", "0xfffff1"]);
  const blake = concatHex([toHex(12, { size: 4 }), bytes(64 + 128 + 16), "0x01"]);
  return [
    { name: "ecrecover", number: 1, input: signed },
    { name: "ecrecover of nonsense", number: 1, input: bytes(128) },
    { name: "sha256", number: 2, input: bytes(333) },
    { name: "ripemd160", number: 3, input: bytes(77) },
    { name: "identity", number: 4, input: bytes(1_000) },
    { name: "modexp", number: 5, input: power },
    { name: "modexp of nothing", number: 5, input: "0x" },
    { name: "bn254 addition", number: 6, input: concatHex([one, one]) },
    { name: "bn254 addition off the curve", number: 6, input: concatHex([one, word(1n), word(1n)]), refused: true },
    { name: "bn254 multiplication", number: 7, input: concatHex([one, word(12_345n)]) },
    { name: "bn254 pairing", number: 8, input: "0x" },
    { name: "blake2f", number: 9, input: blake },
    { name: "point evaluation", number: 10, input: bytes(192), refused: true },
    { name: "bls12-381 addition of infinities", number: 11, input: padHex("0x", { size: 256 }) },
    { name: "bls12-381 multiplication of infinity", number: 12, input: padHex("0x", { size: 160 }) },
    { name: "bls12-381 mapping", number: 16, input: padHex("0x01", { size: 64 }) },
    { name: "secp256r1", number: 0x100, input: secp256r1() },
    { name: "secp256r1 of nonsense", number: 0x100, input: bytes(160) },
    { name: "an address without code", number: 0x1234, input: encodeAbiParameters([{ type: "uint256" }], [7n]) },
  ];
}

/** A valid signature, from the tests of EIP-7951. */
function secp256r1(): Hex {
  return concatHex([
    "0x4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d",
    "0xa73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac",
    "0x36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60",
    "0x4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3",
    "0x7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e",
  ]);
}
