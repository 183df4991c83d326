//! Keys: the unit of state, of conflict and of order.

use crate::hash::{Batch, keccak256};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, U256};
use core::hash::{Hash, Hasher};
use serde::{Deserialize, Serialize};

/// An account, or one slot of its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// Nonce, balance and code hash of an address.
    Account(#[serde(with = "crate::wire::raw")] Address),
    /// One storage slot of an address.
    Slot(#[serde(with = "crate::wire::raw")] Address, #[serde(with = "crate::wire::compact")] U256),
}

/// In words: hashers take several times as long for so many bytes.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let address = self.address();
        let (words, rest) = address.0.as_chunks();
        words.iter().for_each(|word| state.write_u64(u64::from_ne_bytes(*word)));
        rest.first_chunk().into_iter().for_each(|rest| state.write_u32(u32::from_ne_bytes(*rest)));
        if let Self::Slot(_, slot) = self {
            slot.as_limbs().iter().for_each(|word| state.write_u64(*word));
        }
    }
}

impl Key {
    /// The address that the key belongs to.
    pub const fn address(&self) -> Address {
        match self {
            Self::Account(address) | Self::Slot(address, _) => *address,
        }
    }

    /// The place of the key in the state tree: `keccak256(address)` or `keccak256(address ‖ slot)`.
    ///
    /// Preimages of 20 and of 52 bytes never meet, and 64 bytes are an inner node's.
    pub fn path(&self) -> B256 {
        match self {
            Self::Account(address) => keccak256(address),
            Self::Slot(address, slot) => {
                let mut preimage = [0; 52];
                preimage[..20].copy_from_slice(address.as_slice());
                preimage[20..].copy_from_slice(&slot.to_be_bytes::<32>());
                keccak256(preimage)
            }
        }
    }

    /// The path of each of `keys`, in order: cheaper than one by one.
    pub fn paths<'a>(keys: impl IntoIterator<Item = &'a Self>) -> Vec<B256> {
        let keys = keys.into_iter();
        let mut batch = Batch::new();
        batch.reserve(keys.size_hint().0);
        for key in keys {
            match key {
                Self::Account(address) => batch.push(&[address.as_slice()]),
                Self::Slot(address, slot) => batch.push(&[address.as_slice(), &slot.to_be_bytes::<32>()]),
            }
        }
        batch.into_hashes()
    }
}
