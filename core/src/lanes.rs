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

/// One use of one key, by the transaction at a place of the list.
#[derive(Clone, Copy)]
struct Use<K> {
    key: K,
    place: usize,
    writes: bool,
}

/// Groups `transactions` into lanes: those with the same index of the result are connected, others are not.
///
/// A lane holds the transactions' indexes in the order given, and lanes are in the order of their first transactions.
/// Takes `n log n` steps in the number of uses.
pub fn lanes<K: Copy + Ord>(transactions: &[Footprint<'_, K>]) -> Vec<Vec<usize>> {
    let mut connected = Connected::new(transactions.len());
    let mut uses: Vec<Use<K>> = transactions
        .iter()
        .enumerate()
        .flat_map(|(place, footprint)| footprint.keys.iter().map(move |&(key, writes)| Use { key, place, writes }))
        .collect();
    uses.sort_unstable_by_key(|used| used.key);
    for of_key in uses.chunk_by(|a, b| a.key == b.key) {
        if of_key.iter().any(|used| used.writes) {
            of_key.windows(2).for_each(|pair| connected.join(pair[0].place, pair[1].place));
        }
    }
    connected.sets().into_iter().map(|set| set.into_iter().map(|place| transactions[place].index).collect()).collect()
}

/// Disjoint sets of places `0..n` (union-find).
struct Connected {
    /// A place of the same set that is not after this one; the first place of a set is its own.
    before: Vec<usize>,
}

impl Connected {
    fn new(places: usize) -> Self {
        Self { before: (0..places).collect() }
    }

    /// The first place of the set that holds `place`.
    fn first(&mut self, mut place: usize) -> usize {
        while self.before[place] != place {
            // Halve the way for those who come after.
            self.before[place] = self.before[self.before[place]];
            place = self.before[place];
        }
        place
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.before[a.max(b)] = a.min(b);
    }

    /// The sets in the order of their first places, each ascending.
    fn sets(mut self) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = Vec::new();
        // The set that each place belongs to. The first place of a set comes before all others of it.
        let mut set_of = Vec::with_capacity(self.before.len());
        for place in 0..self.before.len() {
            let first = self.first(place);
            let set = if first == place { sets.len() } else { set_of[first] };
            if set == sets.len() {
                sets.push(Vec::new());
            }
            sets[set].push(place);
            set_of.push(set);
        }
        sets
    }
}
