//! Ethereum's commitments to what Ocelli holds: the root of a state, the hash of logs.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Log, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use ocelli_core::{
    key::Key,
    receipt::Receipt,
    tree::Tree,
    value::{Account, Value},
};
use std::collections::BTreeMap;

/// The root of the Merkle-Patricia tree over `state`, without the accounts in `without`.
pub fn state_root(state: &Tree, without: &[Address]) -> B256 {
    let mut accounts: BTreeMap<Address, (Account, Vec<(B256, U256)>)> = BTreeMap::new();
    for leaf in state {
        match (leaf.key, leaf.value) {
            (Key::Account(address), Value::Account(account)) => accounts.entry(address).or_default().0 = account,
            // A slot once written keeps its leaf here, but not in Ethereum's tree.
            (Key::Slot(address, slot), Value::Slot(word)) if !word.is_zero() => {
                accounts.entry(address).or_default().1.push((slot.into(), word));
            }
            _ => {}
        }
    }
    let exists = |account: &Account, slots: &[_]| !account.is_absent() || !slots.is_empty();
    let held =
        accounts.into_iter().filter(|(address, (account, slots))| exists(account, slots) && !without.contains(address));
    state_root_unhashed(held.map(|(address, (account, slots))| (address, trie_account(&account, slots))))
}

fn trie_account(account: &Account, slots: Vec<(B256, U256)>) -> TrieAccount {
    TrieAccount {
        nonce: account.nonce,
        balance: account.balance,
        storage_root: storage_root_unhashed(slots),
        code_hash: if account.code_hash.is_zero() { KECCAK256_EMPTY } else { account.code_hash },
    }
}

/// Keccak-256 of the RLP of the logs of `receipts`.
pub fn logs_hash<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> B256 {
    let logs = receipts.into_iter().flat_map(|receipt| &receipt.logs);
    let logs: Vec<Log> =
        logs.map(|log| Log::new_unchecked(log.address, log.topics.clone(), log.data.clone())).collect();
    keccak256(alloy_rlp::encode(&logs))
}
