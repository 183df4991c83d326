//! Which slots a call will use, as far as that can be told beforehand: entries of mappings that what the call names stands for, in
//! the contract that it calls or in one among its arguments.
//!
//! Solidity keeps what a mapping has for a key at the slot `keccak256(key ‖ place of the mapping)`, places count from zero, and a
//! mapping in a mapping has such a slot for its place (Solidity's documentation, "Layout of State Variables in Storage"). So a
//! transfer of tokens names the slots of two balances before it runs, and a swap those of balances and an allowance in two
//! tokens. They can be hashed in vector lanes and looked up together, while memory answers for others. Which mappings calls of a
//! kind use is learned from one that ran. What is wrong about it costs time and nothing else.

use alloy_primitives::{Address, B256, U256, map::HashMap};
use ocelli_core::{
    access::Access,
    evm::hashes::{Hashed, Preimage, REMEMBERED},
    key::Key,
    transaction::Recovered,
};

/// Kinds of calls that are remembered; then those are forgotten that were learned before as many others.
const KINDS: usize = 1 << 12;
/// Transactions of a block that are looked at for kinds of calls that are not known, and how many of those are learned.
const LOOKED_AT: usize = 1_024;
const LEARNED_AT_ONCE: usize = 16;
/// Places where a mapping is looked for.
const PLACES: u64 = 16;
/// Arguments that are looked at, in words of calldata: a router's path stands behind what comes before it.
const ARGUMENTS: usize = 8;
/// Entries that are known of a kind of call, each named by two hashes at most: no more than the EVM remembers.
const ENTRIES: usize = REMEMBERED / 2;
/// Slots of one call that are looked at for entries.
const SLOTS: usize = 256;

/// A callee and a selector.
type Kind = (Address, [u8; 4]);

/// What a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Sender,
    Callee,
    Argument(usize),
}

/// An entry that calls of a kind use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The contract that has it.
    owner: Name,
    /// Where the mapping is.
    place: u64,
    key: Name,
    /// The key in the mapping that stands there, if one does.
    inner_key: Option<Name>,
}

/// The entries that kinds of calls use.
#[derive(Clone, Debug, Default)]
pub(super) struct Layouts {
    recent: HashMap<Kind, Vec<Entry>>,
    /// Those that were learned before the recent ones. Of these, the next call that is looked at teaches again.
    older: HashMap<Kind, Vec<Entry>>,
}

impl Layouts {
    /// For each transaction, the slots that it is expected to use.
    pub(super) fn slots<'t>(&self, transactions: impl Iterator<Item = &'t Recovered>) -> Slots {
        let (mut foreseen, mut ends) = (Foreseen::default(), Vec::new());
        for transaction in transactions {
            foreseen.begin();
            let known = kind(transaction).and_then(|kind| self.recent.get(&kind).or_else(|| self.older.get(&kind)));
            for entry in known.into_iter().flatten() {
                foreseen.add(*entry, transaction);
            }
            ends.push(foreseen.slots.len());
        }
        foreseen.hash(&ends)
    }

    /// Learns from transactions that succeeded, each with what it did.
    pub(super) fn learn<'t>(&mut self, did: impl Iterator<Item = (&'t Recovered, &'t [Access])>) {
        let mut left = LEARNED_AT_ONCE;
        for (transaction, accesses) in did.take(LOOKED_AT) {
            let Some(kind) = kind(transaction).filter(|kind| !self.recent.contains_key(kind)) else { continue };
            let used = used(transaction, accesses);
            // What uses no slot of what it names teaches nothing and costs little.
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
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) keys: Vec<Key>,
    /// Where those of each transaction end.
    pub(super) ends: Vec<usize>,
    /// The hashes that name them.
    pub(super) hashes: Vec<Hashed>,
    /// Where those of each transaction end.
    pub(super) hash_ends: Vec<usize>,
}

/// Slots that are foreseen, before they are hashed.
#[derive(Debug, Default)]
struct Foreseen {
    /// What hashes of outer mappings' entries are of, each once in a transaction.
    preimages: Vec<Preimage>,
    /// Where those of the transaction begin that is looked at.
    from: usize,
    slots: Vec<ForeseenSlot>,
}

#[derive(Debug, PartialEq, Eq)]
struct ForeseenSlot {
    owner: Address,
    /// Which of the preimages is the outer mapping's.
    outer: usize,
    /// The key in the mapping that stands there.
    inner_key: Option<B256>,
}

impl Foreseen {
    /// Goes on to the next transaction.
    fn begin(&mut self) {
        self.from = self.preimages.len();
    }

    /// Adds what the transaction uses by this entry, if it names all of it.
    fn add(&mut self, entry: Entry, transaction: &Recovered) {
        let word = |name| word(name, transaction);
        let inner_key = entry.inner_key.map(word);
        let (Some(owner), Some(key)) = (owner(entry.owner, transaction), word(entry.key)) else { return };
        if inner_key == Some(None) {
            return;
        }
        let preimage = preimage(key, B256::from(U256::from(entry.place)));
        let same = self.preimages[self.from..].iter().position(|other| *other == preimage);
        let outer = same.map_or(self.preimages.len(), |at| self.from + at);
        if same.is_none() {
            self.preimages.push(preimage);
        }
        let slot = ForeseenSlot { owner, outer, inner_key: inner_key.flatten() };
        // Preimages of the transactions before stand before `from`.
        let is_known = self.slots.iter().rev().take_while(|slot| slot.outer >= self.from).any(|other| *other == slot);
        if !is_known {
            self.slots.push(slot);
        }
    }

    /// The slots, of which those of each transaction end at `ends`.
    fn hash(self, ends: &[usize]) -> Slots {
        let outer = Hashed::each(self.preimages);
        let inner = |slot: &ForeseenSlot| Some(preimage(slot.inner_key?, outer[slot.outer].hash()));
        let mut inner = Hashed::each(self.slots.iter().filter_map(inner)).into_iter();
        let mut slots = Slots { ends: ends.to_vec(), ..Slots::default() };
        let (mut rest, mut hashed) = (self.slots.as_slice(), 0);
        for end in ends {
            let (now, later) = rest.split_at(end - slots.keys.len());
            rest = later;
            for slot in now {
                // Whatever comes first of a transaction is new to it.
                slots.hashes.extend(outer.get(hashed..=slot.outer).into_iter().flatten());
                hashed = hashed.max(slot.outer + 1);
                let named_by = slot.inner_key.and_then(|_| inner.next());
                slots.hashes.extend(named_by);
                slots.keys.push(Key::Slot(slot.owner, number(&named_by.unwrap_or(outer[slot.outer]))));
            }
            slots.hash_ends.push(slots.hashes.len());
        }
        slots
    }
}

/// The number of the slot that a hash names.
fn number(hashed: &Hashed) -> U256 {
    U256::from_be_bytes(hashed.hash().0)
}

/// What the number of a mapping's entry is the hash of.
fn preimage(key: B256, place: B256) -> Preimage {
    let mut preimage = [0; 64];
    preimage[..32].copy_from_slice(key.as_slice());
    preimage[32..].copy_from_slice(place.as_slice());
    preimage
}

fn kind(transaction: &Recovered) -> Option<Kind> {
    let to = transaction.to().to().copied()?;
    Some((to, *transaction.input().first_chunk()?))
}

/// What stands in a transaction under a name.
fn word(name: Name, transaction: &Recovered) -> Option<B256> {
    match name {
        Name::Sender => Some(transaction.sender().into_word()),
        Name::Callee => transaction.to().to().map(Address::into_word),
        Name::Argument(at) => {
            let arguments = transaction.input().get(4..)?;
            arguments.chunks_exact(32).nth(at).map(B256::from_slice)
        }
    }
}

/// The contract that stands in a transaction under a name.
fn owner(name: Name, transaction: &Recovered) -> Option<Address> {
    match name {
        Name::Argument(_) => word(name, transaction).and_then(|word| address_in(word.as_slice())),
        Name::Callee => transaction.to().to().copied(),
        // Who signs has code only where it delegates to some.
        Name::Sender => None,
    }
}

/// The address that a word of calldata may be. Small numbers are none.
pub(super) fn address_in(word: &[u8]) -> Option<Address> {
    let (zeros, address) = word.split_at_checked(12)?;
    let (high, _) = address.split_at_checked(8)?;
    (zeros.iter().all(|byte| *byte == 0) && high.iter().any(|byte| *byte != 0)).then(|| Address::from_slice(address))
}

/// All names, of which several can stand for the same.
fn names() -> impl Iterator<Item = Name> {
    [Name::Sender, Name::Callee].into_iter().chain((0..ARGUMENTS).map(Name::Argument))
}

/// The slots among accesses, up to so many, that belong to contracts that the transaction names, each with the owner's first name;
/// ascending.
fn used(transaction: &Recovered, accesses: &[Access]) -> Vec<(U256, Name)> {
    let owners: Vec<(Name, Address)> = names().filter_map(|name| Some((name, owner(name, transaction)?))).collect();
    let slot = |access: &Access| {
        let Key::Slot(of, slot) = access.key else { return None };
        let (owner, _) = owners.iter().find(|(_, address)| *address == of)?;
        Some((slot, *owner))
    };
    let mut used: Vec<(U256, Name)> = accesses.iter().filter_map(slot).take(SLOTS).collect();
    used.sort_unstable_by_key(|(slot, _)| *slot);
    used
}

/// The entries of mappings among the slots that a transaction used.
fn entries(transaction: &Recovered, used: &[(U256, Name)]) -> Vec<Entry> {
    // Under all of its names: who sends to itself teaches what the receiver's slot is, too.
    let names: Vec<(Name, B256)> = names().filter_map(|name| Some((name, word(name, transaction)?))).collect();
    let places = || 0..PLACES;
    let outer = names.iter().flat_map(|(name, word)| places().map(move |place| (*name, *word, place)));
    let hashes = Hashed::each(outer.clone().map(|(_, word, place)| preimage(word, B256::from(U256::from(place)))));
    let outer = || outer.clone().zip(&hashes).map(|((key, _, place), hashed)| (key, place, hashed));
    // Who has an allowance, or holds a role, is an address.
    let addresses = names.iter().filter(|(_, word)| address_in(word.as_slice()).is_some());
    let inner = || outer().flat_map(|outer| addresses.clone().map(move |(name, word)| (outer, *name, *word)));
    let inner_hashes = Hashed::each(inner().map(|((_, _, hashed), _, word)| preimage(word, hashed.hash())));

    let simple = outer().map(|(key, place, hashed)| (key, place, None, number(hashed)));
    let nested = inner().zip(&inner_hashes);
    let nested = nested.map(|(((key, place, _), inner_key, _), hashed)| (key, place, Some(inner_key), number(hashed)));
    let entries = simple.chain(nested).flat_map(|(key, place, inner_key, slot)| {
        let from = used.partition_point(|(used, _)| *used < slot);
        let of_slot = used[from..].iter().take_while(move |(used, _)| *used == slot);
        of_slot.map(move |(_, owner)| Entry { owner: *owner, place, key, inner_key })
    });
    entries.take(ENTRIES).collect()
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

    /// The entry of the mapping that an entry of an outer one is.
    fn nested(owner: Address, key: Address, place: u64, inner_key: Address) -> Key {
        let Key::Slot(_, outer) = entry(owner, key, place) else { unreachable!("an entry is a slot") };
        Key::Slot(owner, keccak256([inner_key.into_word().0, outer.to_be_bytes()].concat()).into())
    }

    fn slots(layouts: &Layouts, transactions: &[Recovered]) -> Vec<Vec<Key>> {
        let slots = layouts.slots(transactions.iter());
        assert_eq!((slots.ends.len(), slots.hash_ends.len()), (transactions.len(), transactions.len()));
        let starts = std::iter::once(0).chain(slots.ends.iter().copied());
        starts.zip(&slots.ends).map(|(start, end)| slots.keys[start..*end].to_vec()).collect()
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
    fn slots_of_contracts_among_the_arguments_and_of_mappings_in_mappings_are_foreseen() {
        const ROUTER: Address = Address::repeat_byte(0xaa);
        const BEHIND: Address = Address::repeat_byte(0xbb);
        let (mut one, mut other) = (Wallet::new(1), Wallet::new(2));
        let swap = |wallet: &mut Wallet, path: [Address; 2]| {
            // What is behind the eighth word is not looked at.
            let small = Address::left_padding_from(&[7]);
            let words = [small, small, wallet.address(), path[0], path[1], small, small, small, BEHIND];
            wallet.send(TxKind::Call(ROUTER), U256::ZERO, calldata(1, &words), 100_000)
        };
        let expected = |from: Address, [paid, got]: [Address; 2]| {
            vec![entry(paid, from, 2), entry(got, from, 2), nested(paid, from, 3, ROUTER)]
        };
        let known = swap(&mut one, [TOKEN, OTHER]);
        let others = nested(TOKEN, Address::repeat_byte(9), 3, ROUTER);
        let behind = entry(BEHIND, one.address(), 2);
        let used = [expected(one.address(), [TOKEN, OTHER]), vec![others, behind, entry(ROUTER, OTHER, 16)]].concat();
        let accesses: Vec<Access> = used.into_iter().map(read).collect();
        let mut layouts = Layouts::default();
        layouts.learn([(&known, accesses.as_slice())].into_iter());

        let path = [Address::repeat_byte(0xee), TOKEN];
        let like = [swap(&mut one, [OTHER, TOKEN]), swap(&mut other, path)];
        let expected = [expected(one.address(), [OTHER, TOKEN]), expected(other.address(), path)];
        assert_eq!(slots(&layouts, &like), expected);
        // Each hash that the contract will take is there once.
        let hashes: Vec<B256> = layouts.slots(like.iter()).hashes.iter().map(Hashed::hash).collect();
        let named_by = expected.iter().flat_map(|keys| {
            let Key::Slot(owner, outer) = keys[0] else { unreachable!("an entry is a slot") };
            let Key::Slot(_, inner) = keys[2] else { unreachable!("an entry is a slot") };
            let sender = if owner == OTHER { one.address() } else { other.address() };
            let Key::Slot(_, allowances) = entry(owner, sender, 3) else { unreachable!("an entry is a slot") };
            [outer, allowances, inner].map(B256::from)
        });
        assert_eq!(hashes, named_by.collect::<Vec<_>>());
    }

    #[test]
    fn what_a_call_does_not_name_is_not_foreseen() {
        let (mut one, mut other) = (Wallet::new(1), Wallet::new(2));
        let call = |wallet: &mut Wallet, words: &[Address]| {
            wallet.send(TxKind::Call(OTHER), U256::ZERO, calldata(1, words), 100_000)
        };
        let spender = Address::repeat_byte(1);
        let known = call(&mut one, &[TOKEN, spender]);
        let sender = known.sender();
        let accesses = [entry(TOKEN, sender, 0), nested(TOKEN, sender, 1, spender)].map(read);
        let mut layouts = Layouts::default();
        layouts.learn([(&known, accesses.as_slice())].into_iter());
        // A small number is no contract, and where a key is missing the other entries are not.
        let like = [call(&mut one, &[Address::left_padding_from(&[7]), spender]), call(&mut other, &[TOKEN])];
        assert_eq!(slots(&layouts, &like), [vec![], vec![entry(TOKEN, other.address(), 0)]]);
    }

    #[test]
    fn what_one_call_teaches_is_bounded() {
        let mut wallet = Wallet::new(1);
        let call = wallet.send(TxKind::Call(TOKEN), U256::ZERO, calldata(1, &[OTHER]), 100_000);
        let own = |place| entry(TOKEN, call.sender(), place);
        let taught = |used: Vec<Key>| {
            let accesses: Vec<Access> = used.into_iter().map(read).collect();
            let mut layouts = Layouts::default();
            layouts.learn([(&call, accesses.as_slice())].into_iter());
            slots(&layouts, std::slice::from_ref(&call)).concat()
        };
        assert_eq!(taught((0..PLACES).map(own).collect()), (0..ENTRIES as u64).map(own).collect::<Vec<_>>());
        let others =
            |count: usize| (0..count).map(|number| Key::Slot(TOKEN, U256::from(number))).chain([own(3)]).collect();
        assert_eq!(taught(others(SLOTS - 1)), [own(3)]);
        assert_eq!(taught(others(SLOTS)), []);
    }

    #[test]
    fn who_sends_to_itself_teaches_what_others_do() {
        let (mut one, mut other) = (Wallet::new(1), Wallet::new(2));
        let transfer =
            |wallet: &mut Wallet, to| wallet.send(TxKind::Call(TOKEN), U256::ZERO, calldata(1, &[to]), 100_000);
        let own = one.address();
        let known = transfer(&mut one, own);
        let mut layouts = Layouts::default();
        layouts.learn([(&known, [read(entry(TOKEN, own, 0))].as_slice())].into_iter());
        let like = [transfer(&mut one, own), transfer(&mut other, own)];
        let expected = [vec![entry(TOKEN, own, 0)], vec![entry(TOKEN, other.address(), 0), entry(TOKEN, own, 0)]];
        assert_eq!(slots(&layouts, &like), expected);
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
