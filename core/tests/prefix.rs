//! Prefixes: their order, their encoding, and when they cover the space of paths once.

use alloy_primitives::B256;
use ocelli_core::{
    prefix::{Prefix, covers_once, path_bit},
    wire::{self, WireError},
};
use proptest::prelude::*;

fn path() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (path(), 0_u16..=256).prop_map(|(path, length)| Prefix::of(&path, length).unwrap())
}

/// A partition of the space: the root, split at random.
fn partition() -> impl Strategy<Value = Vec<Prefix>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..40).prop_map(|splits| {
        let mut prefixes = vec![Prefix::root()];
        for split in splits {
            let at = split.index(prefixes.len());
            let halves = [false, true].map(|bit| prefixes[at].child(bit).unwrap());
            prefixes.splice(at..=at, halves);
        }
        prefixes
    })
}

/// The bits of a prefix, one by one.
fn bits(prefix: &Prefix) -> Vec<bool> {
    (0..prefix.length()).map(|depth| path_bit(&prefix.bits(), depth)).collect()
}

#[test]
fn only_prefixes_that_are_zero_beyond_their_length_exist() {
    let one = |byte: usize, value: u8| {
        let mut path = B256::ZERO;
        path.0[byte] = value;
        path
    };
    assert_eq!(Prefix::new(0, B256::ZERO), Some(Prefix::root()));
    assert_eq!(Prefix::new(0, one(0, 0x80)), None);
    assert_eq!(Prefix::new(3, one(0, 0x20)).map(|p| bits(&p)), Some(vec![false, false, true]));
    assert_eq!(Prefix::new(3, one(0, 0x10)), None);
    assert_eq!(Prefix::new(256, one(31, 1)).map(|p| p.length()), Some(256));
    assert_eq!(Prefix::new(255, one(31, 1)), None);
    assert_eq!(Prefix::new(257, B256::ZERO), None);
    assert_eq!(Prefix::of(&B256::ZERO, u16::MAX), None);
}

#[test]
fn a_whole_path_has_no_halves_and_the_root_no_parent() {
    let whole = Prefix::of(&B256::repeat_byte(0xff), 256).unwrap();
    assert_eq!([whole.child(false), whole.child(true)], [None, None]);
    assert_eq!(Prefix::root().parent(), None);
    assert!(!path_bit(&B256::repeat_byte(0xff), 256) && !path_bit(&B256::repeat_byte(0xff), u16::MAX));
}

#[test]
fn the_root_is_one_byte_and_a_whole_path_thirty_three() {
    assert_eq!(wire::encode(&Prefix::root()), [wire::VERSION, 1, 0x80]);
    let whole = wire::encode(&Prefix::of(&B256::repeat_byte(7), 256).unwrap());
    assert_eq!(whole, [&[wire::VERSION, 33], &[7; 32][..], &[0x80]].concat());
}

#[test]
fn bytes_that_are_no_prefix_are_refused() {
    let [none, no_end, too_long] = [vec![], vec![0], [&[7; 32][..], &[0x40]].concat()];
    for content in [none, no_end, too_long, vec![0x80; 34], vec![1, 0]] {
        let bytes = [&[wire::VERSION, content.len() as u8], &content[..]].concat();
        assert_eq!(wire::decode::<Prefix>(&bytes, 1 << 10), Err(WireError::Malformed), "{content:?}");
    }
}

#[test]
fn nothing_and_gaps_and_overlaps_do_not_cover_the_space() {
    let of = |bits: &[bool]| bits.iter().fold(Prefix::root(), |prefix, bit| prefix.child(*bit).unwrap());
    let [left, right] = [of(&[false]), of(&[true])];
    assert!(!covers_once(&[]));
    assert!(covers_once(&[Prefix::root()]));
    assert!(covers_once(&[left, right]));
    assert!(covers_once(&[left, of(&[true, false]), of(&[true, true])]));
    assert!(!covers_once(&[left]));
    assert!(!covers_once(&[right]));
    assert!(!covers_once(&[right, left]));
    assert!(!covers_once(&[left, right, right]));
    assert!(!covers_once(&[Prefix::root(), Prefix::root()]));
    assert!(!covers_once(&[left, of(&[true, false])]));
    assert!(!covers_once(&[left, of(&[false, true]), right]));
}

proptest! {
    #[test]
    fn a_prefix_is_its_bits(path in path(), length in 0_u16..=256) {
        let prefix = Prefix::of(&path, length).unwrap();
        prop_assert_eq!(bits(&prefix), (0..length).map(|depth| path_bit(&path, depth)).collect::<Vec<_>>());
        prop_assert_eq!(Prefix::new(length, prefix.bits()), Some(prefix));
        let walked = bits(&prefix).iter().try_fold(Prefix::root(), |prefix, bit| prefix.child(*bit));
        prop_assert_eq!(walked, Some(prefix));
        if let Some((parent, bit)) = prefix.parent() {
            prop_assert_eq!(parent.child(bit), Some(prefix));
        }
    }

    #[test]
    fn a_prefix_contains_the_paths_that_begin_with_its_bits(
        a in path(), b in path(), length in 0_u16..=256, same in 0_u16..=256,
    ) {
        // A path that agrees with `a` on its first `same` bits and differs in the next.
        let mut near = a;
        for depth in same..256 {
            let (byte, mask) = (usize::from(depth / 8), 0x80 >> (depth % 8));
            near.0[byte] =
                if depth == same { near.0[byte] ^ mask } else { near.0[byte] & !mask | b.0[byte] & mask };
        }
        let prefix = Prefix::of(&a, length).unwrap();
        prop_assert!(prefix.contains(&a));
        prop_assert_eq!(prefix.contains(&near), same >= length);
        prop_assert!(prefix.covers(&Prefix::of(&a, 256).unwrap()));
        prop_assert_eq!(prefix.covers(&Prefix::of(&near, 256).unwrap()), same >= length);
        prop_assert_eq!(Prefix::of(&near, 256).unwrap().covers(&prefix), same == 256 && length == 256);
    }

    #[test]
    fn prefixes_are_ordered_like_their_bits(a in prefix(), b in prefix()) {
        prop_assert_eq!(a.cmp(&b), bits(&a).cmp(&bits(&b)));
    }

    #[test]
    fn every_prefix_has_one_encoding(prefix in prefix(), flip in any::<prop::sample::Index>()) {
        let mut bytes = wire::encode(&prefix);
        prop_assert_eq!(wire::decode::<Prefix>(&bytes, 64), Ok(prefix));
        let bit = flip.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(wire::decode::<Prefix>(&bytes, 64), Ok(prefix));
    }

    #[test]
    fn a_partition_covers_the_space_and_stops_doing_so_when_altered(
        prefixes in partition(), at in any::<prop::sample::Index>(), other in prefix(),
    ) {
        prop_assert!(covers_once(&prefixes));
        prop_assert!(prefixes.is_sorted_by(|a, b| a < b));
        let at = at.index(prefixes.len());
        let mut missing = prefixes.clone();
        missing.remove(at);
        prop_assert!(!covers_once(&missing));
        let mut more = prefixes.clone();
        more.insert(at, other);
        prop_assert!(!covers_once(&more));
        let mut replaced = prefixes.clone();
        replaced[at] = other;
        prop_assert_eq!(covers_once(&replaced), replaced == prefixes);
    }

    #[test]
    fn the_range_of_a_prefix_is_what_it_contains(
        mut paths in prop::collection::vec(path(), 0..60), near in any::<prop::sample::Index>(), length in 0_u16..9,
    ) {
        paths.sort();
        let prefix = Prefix::of(paths.get(near.index(paths.len().max(1))).unwrap_or(&B256::ZERO), length).unwrap();
        let expected: Vec<B256> = paths.iter().copied().filter(|path| prefix.contains(path)).collect();
        prop_assert_eq!(prefix.range_of(&paths, |path| path), &expected[..]);
    }
}
