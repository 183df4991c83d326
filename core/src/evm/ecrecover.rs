//! The precompile at 0x01: the signer of a hash, found by [`crate::signature`].
//!
//! revm's own verifies each signature again after recovering it, at two to three times the cost, and a row may call it
//! thousands of times. This one gives the same answer for the same gas on every input.

use crate::signature::{self, Signature};
use alloy_primitives::{Address, B256, Bytes};
use revm::precompile::{EthPrecompileOutput, EthPrecompileResult, PrecompileHalt, u64_to_address};

/// Where it is called.
pub const ADDRESS: Address = u64_to_address(1);

/// What a call costs, whatever comes of it.
pub const GAS: u64 = 3_000;

/// The address, filled up with zeros to 32 bytes, whose key signed; nothing if there is none. The input is hash, v, r and s of
/// 32 bytes each, zeros standing for what is missing; what is longer is cut off (Yellow Paper, appendix E.1).
///
/// # Errors
/// Out of gas.
pub fn run(input: &[u8], gas_limit: u64) -> EthPrecompileResult {
    if gas_limit < GAS {
        return Err(PrecompileHalt::OutOfGas);
    }
    let output = signer(input).map(|signer| Bytes::copy_from_slice(signer.into_word().as_slice()));
    Ok(EthPrecompileOutput::new(GAS, output.unwrap_or_default()))
}

fn signer(input: &[u8]) -> Option<Address> {
    let mut words = [[0; 32]; 4];
    for (byte, given) in words.as_flattened_mut().iter_mut().zip(input) {
        *byte = *given;
    }
    let [hash, v, r, s] = words.map(B256::new);
    let [zeros @ .., v] = v.0;
    let y_odd = match v {
        27 if zeros == [0; 31] => false,
        28 if zeros == [0; 31] => true,
        _ => return None,
    };
    // s may be in the upper half here, unlike in transactions (EIP-2).
    let signature = Signature::lowered(&r, &s, y_odd).ok()?;
    signature::recover(&hash, &signature).ok()
}
