//! Which slots a call will use, as far as that can be told beforehand: entries of mappings that its sender, or an address among its
//! arguments, stands for.
//!
//! Solidity keeps what a mapping has for a key at the slot `keccak256(key ‖ place of the mapping)`, and places count from zero
//! (Solidity's documentation, "Layout of State Variables in Storage"). So a transfer of tokens names the slots of two balances
//! before it runs, and they can be hashed in vector lanes and looked up together, while memory answers for others. Which mappings
//! calls of a kind use is learned from one that ran. What is wrong about it costs time and nothing else.

use alloy_primitives::{Address, B256, U256, map::HashMap};
use ocelli_core::{
    access::Access,
    evm::hashes::{Hashed, Preimage},
    key::Key,
    transaction::Recovered,
};

/// Kinds of calls that are remembered; then those are forgotten that were learned before as many others.
const KINDS: usize = 1 << 12;
/// Transactions of a block that are looked at for kinds of calls that are not known, and how many of those are learned.
const LOOKED_AT: usize = 1_024;
const LEARNED_AT_ONCE: usize = 32;
/// Places where a mapping is looked for.
const PLACES: u64 = 16;
/// Arguments that are looked at.
const ARGUMENTS: usize = 4;
/// Entries that are known of a kind of call.
const ENTRIES: usize = 4;

/// A callee and a selector.
type Kind = (Address, [u8; 4]);

/// What the key of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Sender,
    Argument(usize),
}

/// An entry that calls of a kind use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    by: By,
    /// Where the mapping is.
    place: u64,
}

/// The entries that kinds of calls use.
#[derive(Clone, Debug, Default)]
pub(super) struct Layouts {
    recent: HashMap<Kind, Vec<Entry>>,
    /// Those that were learned before the recent ones. Of these, the next call that is looked at teaches again.
    older: HashMap<Kind, Vec<Entry>>,
}

impl Layouts {
    /// For each transaction, the slots that it is expected to use, of the contract that it calls.
    pub(super) fn slots<'t>(&self, transactions: impl Iterator<Item = &'t Recovered>) -> Slots {
        let (mut preimages, mut owners, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for transaction in transactions {
            if let Some(kind) = kind(transaction) {
                for entry in self.recent.get(&kind).or_else(|| self.older.get(&kind)).into_iter().flatten() {
                    preimages.extend(entry.preimage(transaction));
                    owners.resize(preimages.len(), kind.0);
                }
            }
            ends.push(owners.len());
        }
        Slots { hashes: Hashed::each(preimages), owners, ends }
    }

    /// Learns from transactions that succeeded, each with what it did.
    pub(super) fn learn<'t>(&mut self, did: impl Iterator<Item = (&'t Recovered, &'t [Access])>) {
        let mut left = LEARNED_AT_ONCE;
        for (transaction, accesses) in did.take(LOOKED_AT) {
            let Some(kind) = kind(transaction).filter(|kind| !self.recent.contains_key(kind)) else { continue };
            let used = slots_of(kind.0, accesses);
            // What calls no contract, or one that uses nothing of its own, teaches nothing and costs nothing.
            if used.is_empty() {
                continue;
            }
            if left == 0 {
                return;
            }
            left -= 1;
            if self.recent.len() >= KINDS {
                self.older = std::mem::take(&mut self.recent);
            }
            self.recent.insert(kind, entries(transaction, &used));
        }
    }
}

/// The slots that transactions are expected to use, one transaction after the other.
#[derive(Debug)]
pub(super) struct Slots {
    /// Their numbers, each with what it is the hash of.
    pub(super) hashes: Vec<Hashed>,
    /// Whose slots they are.
    owners: Vec<Address>,
    /// Where those of each transaction end.
    pub(super) ends: Vec<usize>,
}

impl Slots {
    /// Their keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.owners.iter().zip(&self.hashes).map(|(owner, hashed)| Key::Slot(*owner, slot(hashed)))
    }
}

fn slot(hashed: &Hashed) -> U256 {
    U256::from_be_bytes(hashed.hash().0)
}

impl Entry {
    /// What the number of its slot is the hash of, for this transaction.
    fn preimage(self, transaction: &Recovered) -> Option<Preimage> {
        let key = match self.by {
            By::Sender => transaction.sender().into_word(),
            By::Argument(at) => {
                let arguments = transaction.input().get(4..)?;
                arguments.chunks_exact(32).nth(at).map(B256::from_slice)?
            }
        };
        let mut preimage = [0; 64];
        preimage[..32].copy_from_slice(key.as_slice());
        preimage[56..].copy_from_slice(&self.place.to_be_bytes());
        Some(preimage)
    }
}

fn kind(transaction: &Recovered) -> Option<Kind> {
    let to = transaction.to().to().copied()?;
    Some((to, *transaction.input().first_chunk()?))
}

/// The slots of `contract` among accesses.
fn slots_of(contract: Address, accesses: &[Access]) -> Vec<U256> {
    let of_contract = |access: &Access| match access.key {
        Key::Slot(owner, slot) if owner == contract => Some(slot),
        _ => None,
    };
    accesses.iter().filter_map(of_contract).collect()
}

/// The entries of mappings among the slots that a transaction used of the contract that it called.
fn entries(transaction: &Recovered, used: &[U256]) -> Vec<Entry> {
    let bys = std::iter::once(By::Sender).chain((0..ARGUMENTS).map(By::Argument));
    let entries = bys.flat_map(|by| (0..PLACES).map(move |place| Entry { by, place }));
    let (entries, preimages): (Vec<Entry>, Vec<Preimage>) =
        entries.filter_map(|entry| Some((entry, entry.preimage(transaction)?))).unzip();
    let found = entries.into_iter().zip(Hashed::each(preimages)).filter(|(_, hashed)| used.contains(&slot(hashed)));
    found.map(|(entry, _)| entry).take(ENTRIES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, TxKind, keccak256};
    use ocelli_core::value::Value;
    use ocelli_tests::wallet::Wallet;

    const TOKEN: Address = Address::repeat_byte(0xcc);
    const OTHER: Address = Address::repeat_byte(0xdd);

    fn calldata(selector: u8, arguments: &[Address]) -> Bytes {
        let arguments = arguments.iter().flat_map(|argument| argument.into_word().0);
        [selector; 4].into_iter().chain(arguments).collect::<Vec<u8>>().into()
    }

    fn entry(owner: Address, key: Address, place: u64) -> Key {
        let place = U256::from(place).to_be_bytes::<32>();
        Key::Slot(owner, keccak256([key.into_word().0, place].concat()).into())
    }

    fn read(key: Key) -> Access {
        Access { key, version: 0, before: Value::absent(&key), after: None }
    }

    fn slots(layouts: &Layouts, transactions: &[Recovered]) -> Vec<Vec<Key>> {
        let slots = layouts.slots(transactions.iter());
        let keys: Vec<Key> = slots.keys().collect();
        let starts = std::iter::once(0).chain(slots.ends.iter().copied());
        starts.zip(&slots.ends).map(|(start, end)| keys[start..*end].to_vec()).collect()
    }

    #[test]
    fn what_one_call_used_tells_what_others_will() {
        let (mut one, mut other) = (Wallet::new(1), Wallet::new(2));
        let call = |wallet: &mut Wallet, selector, arguments: &[Address]| {
            wallet.send(TxKind::Call(TOKEN), U256::ZERO, calldata(selector, arguments), 100_000)
        };
        let to = [1, 2, 3].map(Address::repeat_byte);
        let known = call(&mut one, 7, &to[..2]);
        let used = [
            entry(TOKEN, known.sender(), 3),
            entry(TOKEN, to[1], 15),
            // Too far behind, somebody else's, and no mapping's.
            entry(TOKEN, to[0], 16),
            entry(OTHER, to[0], 3),
            Key::Slot(TOKEN, U256::from(5)),
            Key::Account(to[0]),
        ];
        let accesses = used.map(read);
        let mut layouts = Layouts::default();
        layouts.learn([(&known, accesses.as_slice())].into_iter());

        let like = call(&mut other, 7, &[to[2], to[0], to[1]]);
        // Another selector, an argument that is missing, no selector.
        let unlike = [call(&mut other, 8, &to), call(&mut other, 7, &to[..1]), other.transfer(TOKEN, 1)];
        let sender = other.address();
        let expected =
            [vec![entry(TOKEN, sender, 3), entry(TOKEN, to[0], 15)], vec![], vec![entry(TOKEN, sender, 3)], vec![]];
        assert_eq!(slots(&layouts, &[vec![like], unlike.to_vec()].concat()), expected);
    }

    #[test]
    fn what_is_learned_of_one_block_and_kept_is_bounded() {
        let mut wallet = Wallet::new(1);
        let mut layouts = Layouts::default();
        for block in 0..(2 * KINDS / LEARNED_AT_ONCE + 2) {
            let callee = |at: usize| Address::left_padding_from(&(block * LEARNED_AT_ONCE * 2 + at + 1).to_be_bytes());
            let mut call = |at| wallet.send(TxKind::Call(callee(at)), U256::ZERO, calldata(1, &[]), 100_000);
            let calls: Vec<Recovered> = (0..2 * LEARNED_AT_ONCE).map(&mut call).collect();
            let used: Vec<[Access; 1]> =
                (0..calls.len()).map(|at| [read(Key::Slot(callee(at), U256::from(block)))]).collect();
            // Plain transfers with calldata come first, and keep nothing from being learned.
            let before = calls.iter().map(|call| (call, [].as_slice()));
            layouts.learn(before.chain(calls.iter().zip(&used).map(|(call, used)| (call, used.as_slice()))));
            let known = |at: usize| layouts.recent.contains_key(&(callee(at), [1; 4]));
            assert_eq!((0..calls.len()).filter(|at| known(*at)).count(), LEARNED_AT_ONCE);
            assert!(layouts.recent.len() <= KINDS && layouts.older.len() <= KINDS);
        }
        assert_eq!(layouts.older.len(), KINDS);
    }

    #[test]
    fn what_was_learned_long_ago_is_learned_again() {
        let mut wallet = Wallet::new(1);
        let call = wallet.send(TxKind::Call(TOKEN), U256::ZERO, calldata(1, &[OTHER]), 100_000);
        let used = [1, 2].map(|place| [read(entry(TOKEN, OTHER, place))]);
        let mut layouts = Layouts::default();
        let learn = |layouts: &mut Layouts, at: usize| layouts.learn([(&call, used[at].as_slice())].into_iter());
        let expected = |layouts: &Layouts| slots(layouts, std::slice::from_ref(&call)).concat();
        learn(&mut layouts, 0);
        learn(&mut layouts, 1);
        assert_eq!(expected(&layouts), [used[0][0].key], "what is known is not looked at again");
        layouts.older = std::mem::take(&mut layouts.recent);
        assert_eq!(expected(&layouts), [used[0][0].key]);
        learn(&mut layouts, 1);
        assert_eq!(expected(&layouts), [used[1][0].key]);
    }
}
