// The peer of signature recovery: `ox/wasm`, by its function of bytes, which spares it hexadecimals and the hash for an address.

import { engine } from "ox/wasm/Secp256k1";

/** Bytes of r and s, of those and the parity, of these and the hash, and of all with the key, as `wasm/examples/kernels.rs` writes them. */
const [PARITY, HASH, KEY, END] = [64, 65, 97, 161];

/**
 * @param {Uint8Array} signatures
 * @returns {Promise<import("./kernels.js").Kernel>}
 */
export async function recoveryByOx(signatures) {
  const { recoverPublicKey } = await engine();
  const signed = Array.from({ length: signatures.length / END }, (_, at) => {
    const bytes = signatures.subarray(at * END, (at + 1) * END);
    // The parity comes first here, and a 4 before the key.
    const signature = Uint8Array.of(bytes[PARITY], ...bytes.subarray(0, PARITY));
    return { signature, hash: bytes.subarray(HASH, KEY), key: String([4, ...bytes.subarray(KEY)]) };
  });
  if (signed.some(({ signature, hash, key }) => String(recoverPublicKey(signature, hash)) !== key)) throw new Error("ox/wasm recovers another key");
  /** It throws where there is no key. */
  function run() {
    for (const { signature, hash } of signed) recoverPublicKey(signature, hash);
    return signed.length;
  }
  return { name: "ox/wasm", run };
}
