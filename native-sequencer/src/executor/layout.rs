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

/// Kinds of calls that are known; then all are forgotten.
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
    known: HashMap<Kind, Vec<Entry>>,
}

impl Layouts {
    /// For each transaction, the slots that it is expected to use, of the contract that it calls.
    pub(super) fn slots<'t>(&self, transactions: impl Iterator<Item = &'t Recovered>) -> Slots {
        let (mut preimages, mut owners, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for transaction in transactions {
            if let Some(kind) = kind(transaction) {
                for entry in self.known.get(&kind).into_iter().flatten() {
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
            let Some(kind) = kind(transaction) else { continue };
            if self.known.contains_key(&kind) {
                continue;
            }
            if left == 0 {
                return;
            }
            left -= 1;
            if self.known.len() >= KINDS {
                self.known.clear();
            }
            self.known.insert(kind, entries(transaction, kind.0, accesses));
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

/// The entries of mappings among what a transaction used of the contract that it called.
fn entries(transaction: &Recovered, contract: Address, accesses: &[Access]) -> Vec<Entry> {
    let of_contract = |access: &Access| match access.key {
        Key::Slot(owner, slot) if owner == contract => Some(slot),
        _ => None,
    };
    let used: Vec<U256> = accesses.iter().filter_map(of_contract).collect();
    if used.is_empty() {
        return Vec::new();
    }
    let bys = std::iter::once(By::Sender).chain((0..ARGUMENTS).map(By::Argument));
    let entries = bys.flat_map(|by| (0..PLACES).map(move |place| Entry { by, place }));
    let (entries, preimages): (Vec<Entry>, Vec<Preimage>) =
        entries.filter_map(|entry| Some((entry, entry.preimage(transaction)?))).unzip();
    let found = entries.into_iter().zip(Hashed::each(preimages)).filter(|(_, hashed)| used.contains(&slot(hashed)));
    found.map(|(entry, _)| entry).take(ENTRIES).collect()
}
