import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToHex } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { DEV_ACCOUNT_KEY, DEV_PAYEE, DEV_VERIFIER_KEY } from "./dev_chain.js";

const MNEMONIC = "test test test test test test test test test test test junk";

function key(path: { readonly accountIndex?: number }): string {
  return bytesToHex(mnemonicToAccount(MNEMONIC, path).getHdKey().privateKey ?? new Uint8Array());
}

test("the keys are those of the test mnemonic", () => {
  assert.equal(DEV_ACCOUNT_KEY, key({}));
  assert.equal(DEV_VERIFIER_KEY, key({ accountIndex: 1 }));
  assert.equal(DEV_PAYEE, mnemonicToAccount(MNEMONIC, { addressIndex: 1 }).address);
});
