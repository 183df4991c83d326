//! The index by itself, on names that are made up: segments, their merging, what a crash leaves of it.

use super::{
    super::{
        Place, StoreError,
        index::Index,
        segment::Name,
        segments::{Batch, Entry, Segments},
    },
    crash::{Files, read_folder, write_folder},
};
use crate::limits::{INDEX_MERGED, INDEX_NAMES};
use alloy_primitives::{B256, Bytes};
use ocelli_core::hash::keccak256;
use proptest::prelude::*;
use std::{fs, path::Path, sync::atomic::AtomicBool};

const GENESIS: B256 = B256::repeat_byte(7);

fn open(dir: &Path) -> Segments {
    Segments::open(dir, GENESIS).expect("opens").0
}

fn hash(height: u64, index: u32) -> B256 {
    keccak256([&height.to_be_bytes()[..], &index.to_be_bytes()].concat())
}

fn place(height: u64, index: u32) -> Place {
    Place { height, row: 3, index }
}

fn code(height: u64) -> (B256, Bytes) {
    let code = Bytes::from(height.to_be_bytes().repeat(height as usize % 5));
    (keccak256(&code), code)
}

/// A block with so many transactions.
fn entry(height: u64, transactions: u32) -> Entry {
    let names = (0..transactions).map(|index| Name { hash: hash(height, index), place: place(height, index) });
    let codes = vec![code(height)];
    Entry { height, at: 1_000 * height, hash: hash(height, u32::MAX), names: names.collect(), codes }
}

fn transactions(height: u64) -> u32 {
    (height * 37 % 120) as u32
}

/// The next blocks, up to `last`.
fn batch(segments: &Segments, last: u64) -> Batch {
    let first = segments.last().expect("reads").map_or(1, |last| last.found.height + 1);
    let mut batch = Batch::default();
    (first..=last).for_each(|height| batch.add(entry(height, transactions(height))));
    batch
}

/// So many blocks in segments of two, merged as they are when there is time.
fn filled(dir: &Path, blocks: u64) -> Segments {
    let segments = open(dir);
    for last in (2..=blocks).step_by(2) {
        segments.add(&batch(&segments, last)).expect("writes");
        while segments.merge(u8::MAX, &AtomicBool::new(false)).expect("merges") {}
    }
    segments
}

/// Whether the first `blocks` blocks are found, and nothing else.
fn finds(segments: &Segments, blocks: u64) {
    for height in 1..=blocks {
        assert_eq!(segments.frame(height).expect("reads"), Some(1_000 * height));
        for index in 0..transactions(height) {
            assert_eq!(segments.find(&hash(height, index)).expect("reads"), Some(place(height, index)));
        }
        let block = segments.find(&hash(height, u32::MAX)).expect("reads");
        assert_eq!(block, Some(Name::block(B256::ZERO, height).place));
        assert_eq!(segments.find(&hash(height, transactions(height))).expect("reads"), None);
    }
    assert_eq!(segments.frame(0).expect("reads"), None);
    assert_eq!(segments.frame(blocks + 1).expect("reads"), None);
    assert_eq!(segments.find(&hash(blocks + 1, u32::MAX)).expect("reads"), None);
    let last = segments.last().expect("reads").map(|last| (last.found.height, last.found.at, last.hash));
    assert_eq!(last, (blocks > 0).then(|| (blocks, 1_000 * blocks, hash(blocks, u32::MAX))));
}

#[test]
fn every_name_is_found_however_segments_were_merged() {
    let dir = tempfile::tempdir().expect("a folder");
    finds(&filled(dir.path(), 0), 0);
    let segments = filled(dir.path(), 2 * 64 + 2 * 8 + 2);
    assert_eq!(segments.levels(), [2, 1, 0]);
    finds(&segments, 146);
    drop(segments);
    let (segments, codes) = Segments::open(dir.path(), GENESIS).expect("opens");
    assert_eq!(segments.levels(), [2, 1, 0]);
    finds(&segments, 146);
    assert_eq!(codes, (1..=146).map(code).collect::<Vec<_>>());
}

#[test]
fn there_are_few_segments_of_each_level_and_a_name_is_written_once_for_each() {
    let dir = tempfile::tempdir().expect("a folder");
    let segments = open(dir.path());
    for last in 1..=300 {
        segments.add(&batch(&segments, last)).expect("writes");
        while segments.merge(u8::MAX, &AtomicBool::new(false)).expect("merges") {}
        let levels = segments.levels();
        assert!(levels.is_sorted_by(|a, b| a >= b));
        let blocks: u64 = levels.iter().map(|level| (INDEX_MERGED as u64).pow((*level).into())).sum();
        assert_eq!(blocks, last);
        assert!(levels.chunk_by(|a, b| a == b).all(|level| level.len() < INDEX_MERGED), "{levels:?}");
    }
    assert_eq!(read_folder(dir.path()).len(), segments.levels().len());
}

/// What the folder holds before eight segments are merged, and after.
fn before_and_after() -> (Files, Files) {
    let dir = tempfile::tempdir().expect("a folder");
    let segments = filled(dir.path(), 14);
    segments.add(&batch(&segments, 16)).expect("writes");
    let before = read_folder(dir.path());
    assert!(segments.merge(u8::MAX, &AtomicBool::new(false)).expect("merges"));
    (before, read_folder(dir.path()))
}

#[test]
fn a_crash_at_any_step_of_merging_loses_nothing() {
    let (before, after) = before_and_after();
    let [(name, merged)] = &after[..] else { panic!("one segment") };
    let mut half_written = name.clone();
    half_written.push(".new");
    for written in [0, 1, 4_096, merged.len() / 2, merged.len()] {
        let dir = tempfile::tempdir().expect("a folder");
        write_folder(dir.path(), &before);
        fs::write(dir.path().join(&half_written), &merged[..written]).expect("writes");
        finds(&open(dir.path()), 16);
        assert_eq!(read_folder(dir.path()).len(), before.len());
    }
    // It has its name; any of those that it was made of may be there still.
    for left in 0..1_u32 << before.len() {
        let dir = tempfile::tempdir().expect("a folder");
        write_folder(dir.path(), &after);
        let left = before.iter().enumerate().filter(|(at, _)| left >> at & 1 == 1);
        write_folder(dir.path(), &left.map(|(_, file)| file.clone()).collect());
        let segments = open(dir.path());
        assert_eq!(segments.levels(), [1]);
        assert_eq!(read_folder(dir.path()), after);
    }
}

#[test]
fn merging_that_is_told_to_stop_leaves_everything_as_it_was() {
    let (before, _) = before_and_after();
    let dir = tempfile::tempdir().expect("a folder");
    write_folder(dir.path(), &before);
    let segments = open(dir.path());
    assert!(!segments.merge(u8::MAX, &AtomicBool::new(true)).expect("stops"));
    finds(&segments, 16);
    assert_eq!(read_folder(dir.path()).len(), before.len());
}

#[test]
fn merging_that_fails_leaves_nothing_behind_and_may_be_tried_again() {
    let (before, after) = before_and_after();
    let dir = tempfile::tempdir().expect("a folder");
    write_folder(dir.path(), &before);
    let segments = open(dir.path());
    let (name, whole) = &before[0];
    let mut damaged = whole.clone();
    damaged[4_096 + 100] ^= 1;
    fs::write(dir.path().join(name), &damaged).expect("writes");
    let failed = segments.merge(u8::MAX, &AtomicBool::new(false)).expect_err("a page is damaged");
    assert!(matches!(failed, StoreError::DamagedIndex { .. }), "{failed}");
    assert_eq!(read_folder(dir.path()).len(), before.len());
    fs::write(dir.path().join(name), whole).expect("writes");
    assert!(segments.merge(u8::MAX, &AtomicBool::new(false)).expect("merges"));
    assert_eq!(read_folder(dir.path()), after);
    finds(&segments, 16);
}

#[test]
fn what_is_behind_a_gap_or_of_another_chain_is_made_again() {
    let (before, _) = before_and_after();
    let mut names: Vec<_> = before.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    let dir = tempfile::tempdir().expect("a folder");
    write_folder(dir.path(), &before);
    fs::remove_file(dir.path().join(&names[3])).expect("removes");
    finds(&open(dir.path()), 6);
    finds(&filled(dir.path(), 16), 16);
    let (other, codes) = Segments::open(dir.path(), B256::repeat_byte(8)).expect("opens");
    assert_eq!((other.levels().len(), codes.len(), read_folder(dir.path()).len()), (0, 0, 0));
}

#[test]
fn hashes_that_begin_alike_are_told_from_each_other() {
    // As many as fill several pages, which whoever sends transactions may try to make.
    let alike = |at: u64| {
        let mut hash = B256::repeat_byte(0x5a);
        hash[24..].copy_from_slice(&at.to_be_bytes());
        hash
    };
    let mut entry = entry(1, 400);
    entry
        .names
        .extend((0..600).map(|at| Name { hash: alike(at), place: Place { height: 1, row: 4, index: at as u32 } }));
    let dir = tempfile::tempdir().expect("a folder");
    let segments = open(dir.path());
    let mut batch = Batch::default();
    batch.add(entry);
    segments.add(&batch).expect("writes");
    for at in 0..600 {
        let found = segments.find(&alike(at)).expect("reads");
        assert_eq!(found, Some(Place { height: 1, row: 4, index: at as u32 }));
    }
    assert_eq!(segments.find(&alike(600)).expect("reads"), None);
    assert_eq!(segments.find(&B256::repeat_byte(0x5a)).expect("reads"), None);
}

#[test]
fn blocks_are_found_while_they_gather_while_they_are_written_and_after() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = Index::new(open(dir.path())).expect("starts");
    let transactions = INDEX_NAMES as u32 / 4;
    let found = |index: &Index, height: u64| {
        for at in [0, 1, transactions - 1] {
            assert_eq!(index.place_of(&hash(height, at)).expect("reads"), Some(place(height, at)));
            assert_eq!(index.height_of(&hash(height, at)).expect("reads"), None);
        }
        assert_eq!(index.height_of(&hash(height, u32::MAX)).expect("reads"), Some(height));
        assert_eq!(index.place_of(&hash(height, u32::MAX)).expect("reads"), None);
        assert_eq!(index.frame(height).expect("reads"), Some(1_000 * height));
    };
    for height in 1..=14 {
        index.check().expect("goes on");
        index.take(entry(height, transactions)).expect("takes");
        (1..=height).for_each(|height| found(&index, height));
    }
    drop(index);
    // Closing wrote what had not been written.
    let index = Index::new(open(dir.path())).expect("starts");
    (1..=14).for_each(|height| found(&index, height));
    assert_eq!(index.frame(15).expect("reads"), None);
}

#[test]
fn an_index_that_cannot_be_written_takes_no_more_blocks() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = Index::new(open(dir.path())).expect("starts");
    fs::remove_dir_all(dir.path()).expect("removes");
    let refused = (1..).find_map(|height| index.take(entry(height, INDEX_NAMES as u32)).err()).expect("refused");
    assert!(matches!(&refused, StoreError::IndexStopped { path, .. } if path == dir.path()), "{refused}");
    assert!(index.check().is_err());
}

/// One segment of two blocks.
fn segment() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path(), 2);
    let [(name, bytes)] = &read_folder(dir.path())[..] else { panic!("one file") };
    assert_eq!(name, "0000000000000001-0000000000000002.blocks");
    bytes.clone()
}

#[test]
fn the_bytes_of_a_segment_are_as_drawn() {
    let bytes = segment();
    let (head, rest) = bytes.split_at(4_096);
    let names = transactions(1) as usize + transactions(2) as usize + 2;
    let codes: Vec<u8> = [1, 2]
        .map(code)
        .iter()
        .flat_map(|(hash, code)| [hash.as_slice(), &(code.len() as u32).to_be_bytes(), code].concat())
        .collect();
    let integers = |integers: &[u64]| integers.iter().flat_map(|integer| integer.to_be_bytes()).collect::<Vec<u8>>();
    let mut drawn = [b"OCINDX\x00\x02", GENESIS.as_slice(), &integers(&[1, 2])].concat();
    drawn.extend_from_slice(hash(2, u32::MAX).as_slice());
    drawn.push(0);
    drawn.extend(integers(&[names as u64, codes.len() as u64]));
    drawn.resize(4_092, 0);
    assert_eq!(head[..4_092], drawn);
    assert_eq!(head[4_092..], crc32fast::hash(&drawn).to_be_bytes());

    let (pages, rest) = rest.split_at(4_096 * names.div_ceil(85));
    let mut first = [hash(1, 0), B256::ZERO].concat();
    first.truncate(32);
    assert!(pages.chunks(4_096).all(|page| page[4_092..] == crc32fast::hash(&page[..4_092]).to_be_bytes()));
    let first = [hash(1, 0).as_slice(), &1_u64.to_be_bytes(), &3_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    assert!(pages.chunks(4_096).any(|page| page.chunks(48).any(|name| name == first)));

    let frame = |height: u64| {
        let at = (1_000 * height).to_be_bytes();
        let check = crc32fast::hash(&[height.to_be_bytes(), at].concat()).to_be_bytes();
        [&at[..], &check].concat()
    };
    let fences = pages.chunks(4_096).flat_map(|page| page[..8].to_vec()).collect::<Vec<u8>>();
    let check = crc32fast::hash(&fences).to_be_bytes();
    assert_eq!(rest, [frame(1), frame(2), codes, fences, check.to_vec()].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_damaged_segment_answers_what_is_true_or_nothing(at in 0.0..1.0_f64, bit in 0..8_u32, cut: bool) {
        let mut bytes = segment();
        let at = (at * bytes.len() as f64) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("0000000000000001-0000000000000002.blocks"), bytes).expect("writes");
        let segments = open(dir.path());
        if segments.levels().is_empty() {
            return Ok(());
        }
        prop_assert!(!cut);
        for height in 1..=2 {
            let frame = segments.frame(height);
            prop_assert!(matches!(frame, Ok(Some(at)) if at == 1_000 * height) || is_told(&frame));
            for index in 0..transactions(height) {
                let found = segments.find(&hash(height, index));
                prop_assert!(matches!(found, Ok(Some(found)) if found == place(height, index)) || is_told(&found));
            }
        }
    }
}

fn is_told<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::DamagedIndex { .. }))
}
