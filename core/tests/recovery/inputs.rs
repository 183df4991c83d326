//! Random signatures of random hashes.

use alloy_primitives::{B256, U256};
use ocelli_core::signature::Signature;

/// A hash and a signature of it.
pub(crate) type Signed = (B256, Signature);

/// The same signatures for the same seed, of which nearly half have an r that is on no point.
pub(crate) struct Inputs(u64);

impl Inputs {
    /// Those of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed << 40)
    }

    /// SplitMix64.
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// Random bits, now and then in runs of ones and zeros, where carries go wrong if they do.
    fn number(&mut self) -> B256 {
        let limbs = [0; 4].map(|_| self.word());
        let runs = [0; 4].map(|_| [0, u64::MAX, self.word(), u64::MAX << (self.word() % 64)][self.word() as usize % 4]);
        B256::from(U256::from_limbs(if self.word().is_multiple_of(8) { runs } else { limbs }))
    }
}

impl Iterator for Inputs {
    type Item = Signed;

    fn next(&mut self) -> Option<Signed> {
        loop {
            let (hash, r, mut s, y_odd) = (self.number(), self.number(), self.number(), self.word().is_multiple_of(2));
            s[0] >>= 1;
            if let Ok(signature) = Signature::new(&r, &s, y_odd) {
                return Some((hash, signature));
            }
        }
    }
}
