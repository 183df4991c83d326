//! Crashes and damage: what a disk holds when the power fails, for any moment and any part of what was not yet synced.

use super::{
    super::{
        StoreError,
        folder::{INDEX_FOLDER, LOG_FILE},
    },
    chain::blocks,
    check, open, stored,
};
use ocelli_core::certificate::Certificate;
use proptest::prelude::*;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

const APPENDED: usize = 6;
/// What a disk writes at once or not at all, in bytes.
const SECTOR: usize = 512;
/// What the log is written in, in bytes.
const BLOCK: usize = 4_096;

/// What is in a folder.
pub(super) type Files = Vec<(OsString, Vec<u8>)>;

/// The files of a chain at every length that it had.
struct Recorded {
    chain: Vec<u8>,
    log: Vec<u8>,
    /// How long the log was after so many blocks.
    lengths: Vec<usize>,
    /// What the index was after so many blocks.
    indexes: Vec<Files>,
}

fn index(dir: &Path) -> PathBuf {
    dir.join(INDEX_FOLDER)
}

pub(super) fn read_folder(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).expect("reads"))).collect()
}

pub(super) fn write_folder(dir: &Path, files: &Files) {
    fs::create_dir_all(dir).expect("a folder");
    files.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).expect("writes"));
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let dir = stored(0);
        let read = |name: &str| fs::read(dir.path().join(name)).expect("reads");
        let (mut lengths, mut indexes) = (vec![read(LOG_FILE).len()], vec![read_folder(&index(dir.path()))]);
        for (block, writes) in blocks().from(0).take(APPENDED) {
            let (store, _) = open(dir.path(), blocks()).expect("opens");
            store.append(block, writes).expect("appends");
            drop(store);
            lengths.push(read(LOG_FILE).len());
            indexes.push(read_folder(&index(dir.path())));
        }
        Recorded { chain: read("chain.redb"), log: read(LOG_FILE), lengths, indexes }
    })
}

/// A folder with this log, and the index as it was after `indexed` blocks, if there is one.
fn folder(log: &[u8], indexed: Option<usize>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("writes");
    write("chain.redb", &recorded().chain);
    write(LOG_FILE, log);
    if let Some(indexed) = indexed {
        write_folder(&index(dir.path()), &recorded().indexes[indexed]);
    }
    dir
}

/// Whether the folder has the first `count` blocks, and takes the others.
fn goes_on(dir: &Path, count: usize) {
    let (store, recovered) = open(dir, blocks()).expect("opens");
    check(&recovered, count);
    for (block, writes) in blocks().from(count).take(2) {
        store.append(block, writes).expect("appends");
    }
    drop(store);
    check(&open(dir, blocks()).expect("opens").1, count + 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_crash_at_any_moment_keeps_what_was_appended(
        appended in 0..APPENDED,
        behind in proptest::option::of(0..APPENDED),
        length in 0.0..=1.0_f64,
        kept in any::<[u64; 4]>(),
        was_open: bool,
    ) {
        let Recorded { log, lengths, .. } = recorded();
        let (begin, end) = (lengths[appended], lengths[appended + 1]);
        let filled_up = |end: usize| {
            let mut bytes = log[..end].to_vec();
            bytes.resize(end.next_multiple_of(BLOCK), 0);
            bytes
        };
        // What was there before: closed, or as an append before left it.
        let old = if was_open { filled_up(begin) } else { log[..begin].to_vec() };
        let mut image = filled_up(end);
        let first = begin / BLOCK * BLOCK;
        for (sector, at) in (first..image.len()).step_by(SECTOR).enumerate() {
            if kept[sector / 64 % 4] >> (sector % 64) & 1 == 0 {
                let before = (at..at + SECTOR).map(|at| old.get(at).copied().unwrap_or_default());
                image.splice(at..at + SECTOR, before);
            }
        }
        // The file may have grown, or not yet.
        image.truncate(old.len() + ((image.len() - old.len()) as f64 * length) as usize);
        // The block under way is there as a whole or not at all.
        let whole = image.get(..end) == Some(&log[..end]);
        let dir = folder(&image, behind.map(|behind| appended.saturating_sub(behind)));
        goes_on(dir.path(), appended + usize::from(whole));
    }

    #[test]
    fn damage_before_other_blocks_cuts_nothing_off(
        hit in 0..APPENDED - 1, at in 0.0..1.0_f64, bit in 0..8_u32, indexed in proptest::option::of(0..=APPENDED)
    ) {
        let Recorded { log, lengths, .. } = recorded();
        let mut image = log.clone();
        let at = lengths[hit] + ((lengths[hit + 1] - lengths[hit]) as f64 * at) as usize;
        image[at] ^= 1 << bit;
        let dir = folder(&image, indexed);
        match open(dir.path(), blocks()) {
            Err(StoreError::Damaged { .. }) => {}
            Ok((store, recovered)) => {
                // What is damaged was not needed to open, and is told from what is whole when it is asked for.
                check(&recovered, APPENDED);
                let height = hit as u64 + 1;
                let read = (store.signed_header(height), store.block(height));
                let told =
                    matches!(read, (Err(StoreError::Damaged { .. }), _) | (_, Err(StoreError::Damaged { .. })));
                let whole = read.0.is_ok_and(|found| found.is_some()) && read.1.is_ok_and(|found| found.is_some());
                prop_assert!(told || whole);
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        prop_assert!(fs::read(dir.path().join(LOG_FILE)).expect("reads") == image);
    }

    #[test]
    fn a_damaged_index_answers_what_is_true_or_nothing(
        hit in any::<prop::sample::Index>(), at in 0.0..1.0_f64, length in 1..5_000_usize, fill in proptest::option::of(any::<u8>())
    ) {
        let dir = folder(&recorded().log, Some(APPENDED));
        let files = &recorded().indexes[APPENDED];
        let (name, mut bytes) = files[hit.index(files.len())].clone();
        let at = (at * bytes.len() as f64) as usize;
        match fill {
            None => bytes.truncate(at),
            Some(byte) => {
                let end = bytes.len().min(at + length);
                bytes[at..end].fill(byte);
            }
        }
        fs::write(index(dir.path()).join(name), bytes).expect("writes");
        match open(dir.path(), blocks()) {
            Ok((store, recovered)) => {
                check(&recovered, APPENDED);
                for block in &blocks().blocks[..APPENDED] {
                    let height = block.header().height;
                    let found = [store.height_of(&block.hash), store.signed_header(height).map(|found| found.map(|_| height))];
                    for found in found {
                        prop_assert!(matches!(found, Err(StoreError::DamagedIndex { .. })) || matches!(found, Ok(Some(found)) if found == height), "{:?}", found);
                    }
                }
            }
            Err(StoreError::DamagedIndex { .. }) => {}
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        fs::remove_dir_all(index(dir.path())).expect("removes");
        goes_on(dir.path(), APPENDED);
    }
}

/// The log with the first block whole, the second cut off in the middle, and `rest` written into the second.
fn torn_with(rest: &[u8]) -> Vec<u8> {
    let Recorded { log, lengths, .. } = recorded();
    let mut image = log[..lengths[1] + 200].to_vec();
    image.extend_from_slice(rest);
    image
}

#[test]
fn what_strangers_write_into_a_block_is_taken_for_no_block() {
    let Recorded { log, lengths, .. } = recorded();
    let later = &log[lengths[3]..lengths[4]];
    let refused = open(folder(&torn_with(later), None).path(), blocks()).expect_err("a whole block follows");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");

    // The same by somebody who does not know the file's mark.
    let mut guessed = later.to_vec();
    guessed[..16].fill(0x5a);
    let check = crc32fast::hash(&guessed[..60]);
    guessed[60..64].copy_from_slice(&check.to_be_bytes());
    goes_on(folder(&torn_with(&guessed), None).path(), 1);
}

#[test]
fn every_log_has_a_mark_of_its_own() {
    let mark = |dir: tempfile::TempDir| fs::read(dir.path().join(LOG_FILE)).expect("reads")[40..56].to_vec();
    assert_ne!(mark(stored(0)), mark(stored(0)));
}

#[test]
fn a_log_that_lacks_what_is_certified_is_not_gone_on_with() {
    let certificate = |height: u64, header| Certificate { after: 0, height, term: 0, header, attestations: Vec::new() };
    let hash = |height: usize| blocks().blocks[height - 1].hash;
    for certified in [certificate(5, hash(5)), certificate(3, hash(4))] {
        let dir = stored(6);
        open(dir.path(), blocks()).expect("opens").0.append_certificate(&certified).expect("appends");
        let log = fs::read(dir.path().join(LOG_FILE)).expect("reads");
        let shorter = &log[..recorded().lengths[4]];
        fs::write(dir.path().join(LOG_FILE), shorter).expect("writes");
        fs::remove_dir_all(index(dir.path())).expect("removes");
        let refused = open(dir.path(), blocks()).expect_err("a certified block is missing");
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("certified"), "{refused}");
        assert_eq!(fs::read(dir.path().join(LOG_FILE)).expect("reads"), shorter);
    }
}

#[test]
fn an_index_that_is_of_other_blocks_is_no_obstacle() {
    let dir = stored(3);
    for name in ["chain.redb", LOG_FILE] {
        fs::remove_file(dir.path().join(name)).expect("removes");
    }
    goes_on(dir.path(), 0);
}

#[test]
fn a_log_that_is_missing_beside_its_chain_is_told() {
    let dir = stored(2);
    fs::remove_file(dir.path().join(LOG_FILE)).expect("removes");
    let refused = open(dir.path(), blocks()).expect_err("no log");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

#[test]
fn a_log_that_lost_blocks_which_the_index_has_is_not_gone_on_with() {
    let Recorded { log, lengths, .. } = recorded();
    let dir = folder(&log[..lengths[4]], Some(APPENDED));
    let refused = open(dir.path(), blocks()).expect_err("blocks are missing");
    assert!(matches!(refused, StoreError::ShortLog { .. }), "{refused}");
    assert_eq!(fs::read(dir.path().join(LOG_FILE)).expect("reads").len(), lengths[4]);
}

#[test]
fn damage_of_the_last_block_that_the_index_has_is_not_taken_for_an_earlier_copy() {
    let Recorded { log, lengths, .. } = recorded();
    let mut image = log.clone();
    image[lengths[2]] ^= 1;
    let refused = open(folder(&image, Some(3)).path(), blocks()).expect_err("block 3 has no head");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

#[test]
fn a_log_without_the_file_of_its_chain_is_not_written_over() {
    let dir = stored(2);
    fs::remove_file(dir.path().join("chain.redb")).expect("removes");
    let refused = open(dir.path(), blocks()).expect_err("chain.redb is missing");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("blocks.log"), "{refused}");
}

#[test]
fn the_file_that_held_the_index_before_goes() {
    let dir = stored(1);
    fs::write(dir.path().join("index.redb"), "an earlier release's").expect("writes");
    goes_on(dir.path(), 1);
    assert!(!dir.path().join("index.redb").exists());
}

#[test]
fn an_index_of_another_chain_is_made_again() {
    let dir = stored(3);
    let (other, made) = (tempfile::tempdir().expect("a folder"), super::chain::make(2, 7));
    let (store, _) = open(other.path(), &made).expect("opens");
    made.from(0).for_each(|(block, writes)| store.append(block, writes).expect("appends"));
    store.snapshots.begin(2, &made.states[2]);
    store.snapshots.wait();
    drop(store);
    fs::remove_dir_all(index(dir.path())).expect("removes");
    write_folder(&index(dir.path()), &read_folder(&index(other.path())));
    goes_on(dir.path(), 3);
}
