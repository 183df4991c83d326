//! The base fee: EIP-1559's idea as a fixed integer function of gas used and time elapsed.
//!
//! Blocks come every 100 ms while there is work and not at all while there is none, so the target is gas a second, not gas
//! a block. A block that used more than its time's share raises the fee by up to an eighth for each second's worth of gas
//! above it; a second without gas lowers it by an eighth, and a chain that slept wakes up at the minimum.

use crate::hash::Preimage;
use serde::{Deserialize, Serialize};

/// A change of the base fee is at most one part in this many for a second's worth of gas (EIP-1559's
/// `BASE_FEE_MAX_CHANGE_DENOMINATOR`).
const CHANGE_DENOMINATOR: u128 = 8;

/// Seconds of sleep after which any 64-bit base fee is gone: (7/8)^333 < 2^-64, so after 333 fewer than 8 wei are left, and
/// those go by one wei a second.
const SECONDS_TO_MINIMUM: u128 = 512;

/// The numbers of a chain's base fee rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFeeRule {
    /// The base fee of the first block, in wei.
    pub initial: u64,
    /// The lowest base fee, in wei, at least 1.
    pub minimum: u64,
    /// The gas a second at which the base fee stays.
    pub target_gas_per_second: u64,
}

impl BaseFeeRule {
    pub(crate) const fn is_usable(&self) -> bool {
        self.minimum > 0 && self.target_gas_per_second > 0 && self.initial >= self.minimum
    }

    pub(crate) fn append_to(&self, preimage: Preimage) -> Preimage {
        preimage.u64(self.initial).u64(self.minimum).u64(self.target_gas_per_second)
    }

    /// The base fee, in wei, of a block that comes `elapsed_ms` after a parent with base fee `parent` and `gas_used` gas.
    pub fn next(&self, parent: u64, gas_used: u64, elapsed_ms: u64) -> u64 {
        let target = u128::from(self.target_gas_per_second.max(1));
        // Both sides in thousandths of gas: the first below 2^74, the second at most (2^64 - 1)^2, which is below 2^128.
        let used = u128::from(gas_used) * 1_000;
        let share = target * u128::from(elapsed_ms);
        let fee = if used > share {
            let above = used - share;
            // Below 2^64 · 2^74 = 2^138 if multiplied at once, so divide by the second's worth first, in 1/2^16 parts.
            let parts = ((above << 16) / (target * 1_000)).min(u128::from(u32::MAX));
            let increase = (u128::from(parent) * parts / CHANGE_DENOMINATOR) >> 16;
            u128::from(parent) + increase.max(1)
        } else {
            decay(u128::from(parent), share - used, target * 1_000)
        };
        u64::try_from(fee).unwrap_or(u64::MAX).max(self.minimum)
    }
}

/// `fee` after `unused` gas went unused, at `second` gas a second: an eighth less, but no less than a wei, for each full
/// second, and its share for what is left over.
fn decay(fee: u128, unused: u128, second: u128) -> u128 {
    let seconds = (unused / second).min(SECONDS_TO_MINIMUM);
    let slept = (0..seconds).fold(fee, |fee, _| fee - (fee / CHANGE_DENOMINATOR).max(1).min(fee));
    let parts = ((unused % second) << 16) / second;
    slept - ((slept * parts / CHANGE_DENOMINATOR) >> 16)
}
