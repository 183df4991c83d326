//! The keys that the planned transactions of a block use, numbered.
//!
//! Keys are hashed when they get their numbers; from there on the number stands for the key. Keys are spread over tables by their
//! hashes, and each table is filled by one core, in the order of the transactions. Which number a key has is random.

use super::speculate::Attempt;
use alloy_primitives::map::DefaultHashBuilder;
use hashbrown::{HashTable, hash_table::Entry};
use ocelli_core::{
    access::Access,
    key::Key,
    value::{Value, Version},
};
use rayon::prelude::*;
use std::{
    hash::BuildHasher,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Accesses that pay a table of their own, and the most tables, as a power of two. Few in tests, so that a small block has several.
const ACCESSES_A_TABLE: usize = if cfg!(test) { 8 } else { 512 };
const TABLE_BITS_MOST: u32 = 3;
/// Transactions whose keys one core hashes at a time; few in tests, too.
const HASHED_AT_ONCE: usize = if cfg!(test) { 4 } else { 256 };

/// The number of a key, and whether the key is changed.
pub(super) type Use = (u32, bool);

/// The keys of some transactions.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub(super) keys: Keys,
    /// Of each access, in order, transaction after transaction.
    uses: Vec<Use>,
    /// Where those of each transaction end.
    ends: Vec<usize>,
    /// How long hashing took, for some transactions each, and filling each table.
    pub(super) took: [Vec<Duration>; 2],
}

/// Keys by their numbers, and numbers by their keys. They stand where transactions used them, so what these did is given to whoever
/// asks.
#[derive(Default)]
pub(super) struct Keys {
    hashing: DefaultHashBuilder,
    /// Two to the power of `bits` of them. A number is a key's place in its table, and in so many lowest bits the table.
    tables: Vec<Table>,
    bits: u32,
}

/// Some of the keys.
#[derive(Default)]
struct Table {
    /// Places only: small enough to stay near the CPU.
    places: HashTable<u32>,
    known: Vec<Known>,
}

/// Where a key is met first: what used it found it as it was before the block.
#[derive(Clone, Copy)]
struct Known {
    hash: u64,
    /// The transaction, and which of its accesses.
    by: (u32, u32),
}

/// An access, where it is, and the hash of its key.
struct Met<'a> {
    access: &'a Access,
    known: Known,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("bound", &self.bound()).finish_non_exhaustive()
    }
}

impl Numbered {
    /// Numbers the keys of what transactions did.
    pub(super) fn of(did: &[OnceLock<Attempt>]) -> Self {
        let hashing = DefaultHashBuilder::default();
        let hash = |(chunk, some)| Hashed::of(&hashing, chunk * HASHED_AT_ONCE, some);
        let hashed: Vec<Hashed<'_>> = did.par_chunks(HASHED_AT_ONCE).enumerate().map(hash).collect();
        let (mut count, mut ends) = (0, Vec::with_capacity(did.len()));
        for some in &hashed {
            ends.extend(some.ends.iter().map(|end| count + end));
            count += some.met.len();
        }
        let bits = (count / ACCESSES_A_TABLE).checked_ilog2().unwrap_or_default().min(TABLE_BITS_MOST);
        let met = || hashed.iter().flat_map(|some| &some.met).enumerate();
        let fill = |number| {
            let of_table = met().filter(|(_, met)| table_of(met.known.hash, bits) == number);
            Filled::of(did, of_table, number, bits, count >> bits)
        };
        let filled: Vec<Filled> = (0..1_u32 << bits).into_par_iter().map(fill).collect();
        let took = [hashed.iter().map(|some| some.took).collect(), filled.iter().map(|table| table.took).collect()];
        let mut uses = vec![(0, false); count];
        let mut tables = Vec::with_capacity(filled.len());
        for Filled { table, uses: of_table, .. } in filled {
            tables.push(table);
            of_table.into_iter().for_each(|(at, of_key)| uses[at] = of_key);
        }
        Self { keys: Keys { hashing, tables, bits }, uses, ends, took }
    }

    /// Those of the transaction at a place of the list.
    pub(super) fn of_transaction(&self, at: usize) -> &[Use] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.uses[start..self.ends[at]]
    }
}

/// Accesses of some transactions.
struct Hashed<'a> {
    met: Vec<Met<'a>>,
    /// Where those of each transaction end.
    ends: Vec<usize>,
    took: Duration,
}

impl<'a> Hashed<'a> {
    /// Of transactions from the one at `first` on.
    fn of(hashing: &DefaultHashBuilder, first: usize, did: &'a [OnceLock<Attempt>]) -> Self {
        let started = Instant::now();
        let (mut met, mut ends) = (Vec::with_capacity(4 * did.len()), Vec::with_capacity(did.len()));
        for (one, transaction) in did.iter().zip(first as u32..) {
            met.extend(accesses(one).iter().zip(0..).map(|(access, at)| {
                let known = Known { hash: hashing.hash_one(access.key), by: (transaction, at) };
                Met { access, known }
            }));
            ends.push(met.len());
        }
        Self { met, ends, took: started.elapsed() }
    }
}

fn accesses(did: &OnceLock<Attempt>) -> &[Access] {
    did.get().map_or(&[], |attempt| &attempt.did.accesses)
}

/// A table that has all its keys.
struct Filled {
    table: Table,
    /// Of its keys, with the place of each among all uses.
    uses: Vec<(usize, Use)>,
    took: Duration,
}

impl Filled {
    /// Table `number` of the keys of these accesses, of which there may be about so many.
    fn of<'a>(
        did: &[OnceLock<Attempt>],
        met: impl Iterator<Item = (usize, &'a Met<'a>)>,
        number: u32,
        bits: u32,
        about: usize,
    ) -> Self {
        let started = Instant::now();
        #[cfg(test)]
        super::schedule::hold_up();
        let mut table = Table::with_room(about);
        let mut uses = Vec::with_capacity(about);
        for (at, Met { access, known }) in met {
            let place = table.place(did, access, *known);
            uses.push((at, (place << bits | number, access.after.is_some())));
        }
        Self { table, uses, took: started.elapsed() }
    }
}

/// Which of two to the power of `bits` tables a key with this hash is in. Other bits than those that tables look at.
const fn table_of(hash: u64, bits: u32) -> u32 {
    (hash >> 32) as u32 & ((1 << bits) - 1)
}

impl Table {
    fn with_room(keys: usize) -> Self {
        Self { places: HashTable::with_capacity(keys), known: Vec::with_capacity(keys) }
    }

    /// The place of an access's key, which it gets if it has none.
    fn place(&mut self, did: &[OnceLock<Attempt>], access: &Access, met: Known) -> u32 {
        let Self { places, known } = self;
        let is_it = |place: &u32| known[*place as usize].access(did).key == access.key;
        let again = |place: &u32| known[*place as usize].hash;
        match places.entry(met.hash, is_it, again) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let place = known.len() as u32;
                entry.insert(place);
                known.push(met);
                place
            }
        }
    }
}

impl Known {
    /// The access of whoever is the first to use the key, so it found that as it was before the block: nobody of the same group
    /// whose guess is kept was earlier, and those that are kept are the first ones.
    fn access(self, did: &[OnceLock<Attempt>]) -> &Access {
        let (transaction, at) = self.by;
        &accesses(&did[transaction as usize])[at as usize]
    }
}

impl Keys {
    /// All numbers are below this.
    pub(super) fn bound(&self) -> usize {
        self.tables.iter().map(|table| table.known.len()).max().unwrap_or_default() << self.bits
    }

    /// The number of a key, if it has one.
    pub(super) fn find(&self, did: &[OnceLock<Attempt>], key: &Key) -> Option<u32> {
        let hash = self.hashing.hash_one(key);
        let number = table_of(hash, self.bits);
        let table = self.tables.get(number as usize)?;
        let is_it = |place: &u32| table.known[*place as usize].access(did).key == *key;
        table.places.find(hash, is_it).map(|place| place << self.bits | number)
    }

    /// Each key's number, and its first access.
    pub(super) fn iter<'a>(&'a self, did: &'a [OnceLock<Attempt>]) -> impl Iterator<Item = (u32, &'a Access)> {
        self.tables.iter().zip(0..).flat_map(move |(table, of_table)| {
            let known = table.known.iter().zip(0_u32..);
            known.map(move |(known, place)| (place << self.bits | of_table, known.access(did)))
        })
    }

    /// Version and value, before the block's transactions, of the key that has this number.
    pub(super) fn before(&self, did: &[OnceLock<Attempt>], number: u32) -> (Version, Value) {
        let table = number & ((1 << self.bits) - 1);
        let access = self.tables[table as usize].known[(number >> self.bits) as usize].access(did);
        (access.version, access.before)
    }
}
