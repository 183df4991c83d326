//! Lanes: transactions that must be ordered among themselves.
//!
//! Two transactions conflict when one writes a key that the other uses. A lane is a set of transactions connected by
//! conflicts, so transactions of different lanes may be executed in any order, or at once. Readers of a key that nobody
//! writes are not connected by it.

use crate::key::Key;
use alloc::vec::Vec;

/// The keys that a transaction uses, each with whether the transaction writes it.
#[derive(Clone, Copy, Debug)]
pub struct Footprint<'a, K = Key> {
    /// What the caller knows the transaction by.
    pub index: usize,
    /// The keys, or whatever stands for each of them; in any order, and as often as one likes.
    pub keys: &'a [(K, bool)],
}

/// Lists of transactions, by the indexes that the caller knows them by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The transactions of all lanes, lane after lane.
    members: Vec<usize>,
    /// Where those of each lane end.
    ends: Vec<usize>,
}

impl Lanes {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The transactions of each lane.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let lane = self.members.get(from..*end).unwrap_or_default();
            from = *end;
            lane
        })
    }
}

/// One use of one key, by the transaction at a place of the list.
#[derive(Clone, Copy)]
struct Use<K> {
    key: K,
    place: u32,
    writes: bool,
}

/// Groups `transactions` into lanes: those with the same index of the result are connected, others are not.
///
/// A lane holds the transactions' indexes in the order given, and lanes are in the order of their first transactions.
/// Takes `n log n` steps in the number of uses.
pub fn lanes<K: Copy + Ord>(transactions: &[Footprint<'_, K>]) -> Lanes {
    let mut uses: Vec<Use<K>> = Vec::with_capacity(transactions.iter().map(|footprint| footprint.keys.len()).sum());
    for (footprint, place) in transactions.iter().zip(0..) {
        uses.extend(footprint.keys.iter().map(|&(key, writes)| Use { key, place, writes }));
    }
    uses.sort_unstable_by_key(|used| used.key);
    let mut connected = Connected::new(transactions.len());
    for of_key in uses.chunk_by(|a, b| a.key == b.key) {
        if of_key.iter().any(|used| used.writes) {
            of_key.windows(2).for_each(|pair| connected.join(pair[0].place, pair[1].place));
        }
    }
    connected.lanes(transactions.iter().map(|footprint| footprint.index))
}

/// [`lanes`] of fewer than 2^32 transactions whose keys are numbered, below `keys`: no other number stands for a key. Takes as many
/// steps as there are uses and keys.
pub fn lanes_of_numbered(transactions: &[Footprint<'_, u32>], keys: usize) -> Lanes {
    let mut is_written = alloc::vec![false; keys];
    for (key, _) in transactions.iter().flat_map(|footprint| footprint.keys).filter(|(_, writes)| *writes) {
        if let Some(is_written) = is_written.get_mut(*key as usize) {
            *is_written = true;
        }
    }
    let mut connected = Connected::new(transactions.len());
    // Who used each key last.
    let mut last: Vec<Option<u32>> = alloc::vec![None; keys];
    for (footprint, place) in transactions.iter().zip(0..) {
        for key in footprint.keys.iter().map(|(key, _)| *key as usize) {
            let joins = is_written.get(key).is_some_and(|written| *written);
            if joins && let Some(before) = last.get_mut(key).and_then(|last| last.replace(place)) {
                connected.join(before, place);
            }
        }
    }
    connected.lanes(transactions.iter().map(|footprint| footprint.index))
}

/// Groups `0..count` into lanes: those that a chain of `pairs` leads to from one another are connected. Pairs that name others are
/// passed over. In the order of [`lanes`].
pub fn lanes_of_pairs(count: u32, pairs: impl IntoIterator<Item = (u32, u32)>) -> Lanes {
    let mut connected = Connected::new(count as usize);
    for (a, b) in pairs {
        if a < count && b < count {
            connected.join(a, b);
        }
    }
    connected.lanes(0..count as usize)
}

/// Disjoint sets of places `0..n` (union-find).
struct Connected {
    /// A place of the same set that is not after this one; the first place of a set is its own.
    before: Vec<u32>,
}

impl Connected {
    fn new(places: usize) -> Self {
        Self { before: (0..places as u32).collect() }
    }

    /// The first place of the set that holds `place`.
    fn first(&mut self, mut place: u32) -> u32 {
        while self.before[place as usize] != place {
            // Halve the way for those who come after.
            self.before[place as usize] = self.before[self.before[place as usize] as usize];
            place = self.before[place as usize];
        }
        place
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first(a), self.first(b));
        self.before[a.max(b) as usize] = a.min(b);
    }

    /// The sets in the order of their first places, each ascending, with the index of each place.
    fn lanes(mut self, indexes: impl ExactSizeIterator<Item = usize>) -> Lanes {
        // The set that each place belongs to. The first place of a set comes before all others of it.
        let mut set_of: Vec<u32> = Vec::with_capacity(self.before.len());
        let mut lengths: Vec<usize> = Vec::with_capacity(self.before.len());
        for place in 0..self.before.len() as u32 {
            let first = self.first(place);
            let set = if first == place { lengths.len() as u32 } else { set_of[first as usize] };
            if first == place {
                lengths.push(0);
            }
            lengths[set as usize] += 1;
            set_of.push(set);
        }
        // Where each set's next place goes; in the end, where the set ends.
        let mut next = lengths;
        let mut from = 0;
        for next in &mut next {
            from += core::mem::replace(next, from);
        }
        let mut members = alloc::vec![0; indexes.len()];
        for (set, index) in set_of.iter().zip(indexes) {
            let next = &mut next[*set as usize];
            members[*next] = index;
            *next += 1;
        }
        Lanes { members, ends: next }
    }
}
