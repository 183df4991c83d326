/**
 * What everybody knows of a development chain: it is the one with this id, and its keys come from the test mnemonic
 * `test test … junk`. They stand here derived, because deriving them takes a phone a noticeable while.
 */

import type { Hex } from "viem";

export const DEV_CHAIN_ID = 31_337;

/** m/44'/60'/0'/0/0: an account with money. */
export const DEV_ACCOUNT_KEY: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/** m/44'/60'/0'/0/1: who is paid. */
export const DEV_PAYEE: Hex = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/** m/44'/60'/1'/0/0: the owner whose vote the page's tabs cast. */
export const DEV_VERIFIER_KEY: Hex = "0x7797c0f3db8b946604ec2039dfd9763e4ffdc53174342a2ed9b14fa3eda666a5";
