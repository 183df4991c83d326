//! The cases that do not end as the vectors say, each with the reason why not.
//!
//! A case of this list must end in what its reason says: if it comes to end as the vectors say, or in something else, it
//! fails like any other.

use super::{
    case::StateTest,
    judge::{NotTaken, Wrong},
};
use alloy_primitives::Address;
use ocelli_core::{
    genesis::{GenesisAccount, GenesisError, genesis_state},
    transaction::TransactionError,
};
use std::{collections::BTreeMap, fmt};

/// Why a case does not end as the vectors say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// A contract is created where there is storage but neither nonce nor code, which EIP-7610 forbids and revm does not.
    /// No transaction makes such an account, and genesis refuses it.
    StorageWithoutAccount,
    /// The fee is above 2^128 - 1 wei. No field holds it, so that the transaction is refused as malformed, before it is known
    /// that nobody could pay it.
    FeeAbove128Bits,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StorageWithoutAccount => "creates a contract on storage that genesis refuses (EIP-7610)",
            Self::FeeAbove128Bits => "refused as malformed: a fee above 128 bits",
        })
    }
}

const LISTED: [(&str, Exception); 11] = [
    ("stCreate2/RevertInCreateInInitCreate2Paris.json: Cancun/d0g0v0", Exception::StorageWithoutAccount),
    ("stCreate2/create2collisionStorageParis.json: Cancun/d0g0v0", Exception::StorageWithoutAccount),
    ("stCreate2/create2collisionStorageParis.json: Cancun/d1g0v0", Exception::StorageWithoutAccount),
    ("stCreate2/create2collisionStorageParis.json: Cancun/d2g0v0", Exception::StorageWithoutAccount),
    ("stExtCodeHash/dynamicAccountOverwriteEmpty_Paris.json: Cancun/d0g0v0", Exception::StorageWithoutAccount),
    ("stRevertTest/RevertInCreateInInit_Paris.json: Cancun/d0g0v0", Exception::StorageWithoutAccount),
    ("stSStoreTest/InitCollisionParis.json: Cancun/d0g0v0", Exception::StorageWithoutAccount),
    ("stSStoreTest/InitCollisionParis.json: Cancun/d1g0v0", Exception::StorageWithoutAccount),
    ("stSStoreTest/InitCollisionParis.json: Cancun/d2g0v0", Exception::StorageWithoutAccount),
    ("stSStoreTest/InitCollisionParis.json: Cancun/d3g0v0", Exception::StorageWithoutAccount),
    ("stTransactionTest/HighGasPriceParis.json: Cancun/d0g0v0", Exception::FeeAbove128Bits),
];

/// What the list says of the case with this name in this file of an archive.
pub fn listed(file: &str, case: &str) -> Option<Exception> {
    let is_it = |listed: &str| {
        listed.split_once(": ").is_some_and(|(in_file, name)| {
            name == case && file.strip_suffix(in_file).is_some_and(|folder| folder.ends_with('/'))
        })
    };
    LISTED.iter().find(|(name, _)| is_it(name)).map(|(_, exception)| *exception)
}

impl Exception {
    /// Whether this is why a case of `test` ends in `wrong`.
    pub fn explains(self, test: &StateTest, wrong: &Wrong) -> bool {
        match (self, wrong) {
            (Self::StorageWithoutAccount, Wrong::StateRoot { .. }) => {
                matches!(genesis_state(&accounts(test)), Err(GenesisError::StorageWithoutAccount(_)))
            }
            (Self::FeeAbove128Bits, Wrong::Refused { by, .. }) => {
                matches!(by, NotTaken::Decoding(TransactionError::Malformed))
            }
            _ => false,
        }
    }
}

fn accounts(test: &StateTest) -> BTreeMap<Address, GenesisAccount> {
    let account = |(address, before): (&Address, &super::case::PreAccount)| {
        let nonce = u64::try_from(before.nonce).ok()?;
        let (balance, code, slots) = (before.balance, before.code.clone(), before.storage.clone());
        Some((*address, GenesisAccount { nonce, balance, code, slots }))
    };
    test.pre.iter().filter_map(account).collect()
}
