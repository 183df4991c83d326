//! Values: what a key holds.

use crate::{hash::Preimage, key::Key};
use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

/// How often a key has been written: by how many rows. Zero means never; genesis writes 1; it only grows.
pub type Version = u64;

/// Nonce, balance and code of an address.
///
/// "No code" has one encoding, a code hash of zero; the hash of empty code never stands here. The default account is the
/// absent one: an account with nonce 0, balance 0 and no code does not differ from one that was never written, except in
/// its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Transactions sent, or contracts created, as the EVM counts them.
    pub nonce: u64,
    /// Balance in wei.
    #[serde(with = "crate::wire::compact")]
    pub balance: U256,
    /// Keccak-256 of the code; zero if there is none.
    #[serde(with = "crate::wire::code_hash")]
    pub code_hash: B256,
}

impl Account {
    /// Whether the EVM sees no account here (EIP-161).
    pub fn is_absent(&self) -> bool {
        *self == Self::default()
    }
}

/// What a key holds: the variant follows the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// Of [`Key::Account`].
    Account(Account),
    /// Of [`Key::Slot`].
    Slot(#[serde(with = "crate::wire::compact")] U256),
}

impl Value {
    /// What `key` holds before anything was written to it.
    pub fn absent(key: &Key) -> Self {
        match key {
            Key::Account(_) => Self::Account(Account::default()),
            Key::Slot(..) => Self::Slot(U256::ZERO),
        }
    }

    /// Whether this is what a key holds before anything was written to it.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Account(account) => account.is_absent(),
            Self::Slot(word) => word.is_zero(),
        }
    }

    /// Whether this is a value that `key` can hold.
    pub fn fits(&self, key: &Key) -> bool {
        let same_kind = matches!((self, key), (Self::Account(_), Key::Account(_)) | (Self::Slot(_), Key::Slot(..)));
        same_kind && !self.is_empty_code()
    }

    /// Whether "no code" is spelled as the hash of empty code, which no account holds.
    pub fn is_empty_code(&self) -> bool {
        matches!(self, Self::Account(account) if account.code_hash == alloy_primitives::KECCAK256_EMPTY)
    }

    /// Appends the value's fixed layout: nonce, balance and code hash (72 bytes), or the word (32 bytes).
    pub fn append_to(&self, preimage: Preimage) -> Preimage {
        match self {
            Self::Account(account) => preimage.u64(account.nonce).u256(&account.balance).b256(&account.code_hash),
            Self::Slot(word) => preimage.u256(word),
        }
    }
}
