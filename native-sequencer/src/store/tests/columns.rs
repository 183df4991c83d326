//! The bodies of columns: how long they are kept, and that nothing depends on it.

use super::{
    super::{
        COLUMNS_FOLDER, Store,
        columns::{Bounds, Columns},
        import,
    },
    chain::{BLOCKS, blocks},
    check,
    crash::{Files, read_folder, write_folder},
    exported, open, stored,
};
use crate::limits::HISTORY_BLOCKS;
use alloy_primitives::{B256, Bytes};
use ocelli_core::wire;
use proptest::prelude::*;
use std::{fs, path::Path, sync::OnceLock};

/// Blocks of the chain whose files are damaged.
const APPENDED: usize = 8;

/// Whether the store has the columns of blocks `from` to `to`, byte for byte.
fn has(store: &Store, from: usize, to: usize) {
    for block in &blocks().blocks[from - 1..to] {
        let height = block.header().height;
        assert_eq!(store.column_bodies(height).as_deref(), block.column_bodies(), "block {height}");
    }
}

fn forget(dir: &Path) {
    fs::remove_dir_all(dir.join(COLUMNS_FOLDER)).expect("removes");
}

#[test]
fn columns_are_kept_beside_the_log() {
    let dir = stored(BLOCKS);
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    check(&recovered, BLOCKS);
    has(&store, 1, BLOCKS);
    assert_eq!(store.column_bodies(0), None);
    assert_eq!(store.column_bodies(BLOCKS as u64 + 1), None);
    assert!(recovered.states.iter().flat_map(|(_, block, _)| block).all(|block| block.column_bodies().is_none()));
}

#[test]
fn columns_of_recent_blocks_that_are_missing_are_made_again() {
    let dir = stored(BLOCKS);
    forget(dir.path());
    let first = BLOCKS - HISTORY_BLOCKS as usize + 1;
    for _ in 0..2 {
        let (store, recovered) = open(dir.path(), blocks()).expect("opens");
        check(&recovered, BLOCKS);
        drop(store);
        let (store, _) = open(dir.path(), blocks()).expect("opens");
        has(&store, first, BLOCKS);
        assert_eq!(store.column_bodies(first as u64 - 1), None, "the state before it is not restored");
    }
}

/// What is in `columns` after so many blocks.
fn recorded() -> &'static Vec<Files> {
    static RECORDED: OnceLock<Vec<Files>> = OnceLock::new();
    RECORDED
        .get_or_init(|| (0..=APPENDED).map(|count| read_folder(&stored(count).path().join(COLUMNS_FOLDER))).collect())
}

/// A folder with all blocks, and these files of columns.
fn folder(files: &Files) -> tempfile::TempDir {
    static CHAIN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let chain = CHAIN.get_or_init(|| stored(APPENDED)).path();
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["chain.redb", "blocks.log"] {
        fs::copy(chain.join(name), dir.path().join(name)).expect("copies");
    }
    write_folder(&dir.path().join(COLUMNS_FOLDER), files);
    dir
}

/// Whether the folder opens with all columns, and goes on with the next blocks.
fn goes_on(dir: &Path) {
    let (store, recovered) = open(dir, blocks()).expect("opens");
    check(&recovered, APPENDED);
    for (block, writes) in blocks().from(APPENDED).take(2) {
        store.append(block, writes).expect("appends");
    }
    drop(store);
    has(&open(dir, blocks()).expect("opens").0, 1, APPENDED + 2);
    assert_eq!(fs::read_dir(dir.join(COLUMNS_FOLDER)).expect("reads").count(), 1, "without a gap, one file");
}

#[test]
fn what_a_crash_takes_of_columns_is_made_again() {
    for files in recorded() {
        goes_on(folder(files).path());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_torn_or_damaged_end_is_cut_off_and_made_again(at in 0.0..1.0_f64, bit in 0..8_u32, cut: bool) {
        let mut files = recorded()[APPENDED].clone();
        let bytes = &mut files[0].1;
        let at = (at * bytes.len() as f64) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        goes_on(folder(&files).path());
    }
}

#[test]
fn columns_of_blocks_that_the_log_lacks_are_cut_off() {
    let dir = stored(3);
    fs::remove_dir_all(dir.path().join(COLUMNS_FOLDER)).expect("removes");
    write_folder(&dir.path().join(COLUMNS_FOLDER), &recorded()[APPENDED]);
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    assert_eq!(store.column_bodies(4), None);
    for (block, writes) in blocks().from(3).take(3) {
        store.append(block, writes).expect("appends");
    }
    drop(store);
    has(&open(dir.path(), blocks()).expect("opens").0, 1, 6);
}

#[test]
fn columns_that_cannot_be_written_keep_nothing_from_going_on() {
    let dir = stored(2);
    let columns = dir.path().join(COLUMNS_FOLDER);
    fs::remove_dir_all(&columns).expect("removes");
    fs::write(&columns, "in the way").expect("writes");
    let append = |from: usize| {
        let (store, _) = open(dir.path(), blocks()).expect("opens");
        for (block, writes) in blocks().from(from).take(3) {
            store.append(block, writes).expect("appends");
        }
        assert_eq!(store.column_bodies(from as u64 + 1), None);
    };
    append(2);
    append(5);
    fs::remove_file(&columns).expect("removes");
    drop(open(dir.path(), blocks()).expect("opens"));
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    check(&recovered, 8);
    has(&store, 1, 8);
}

#[test]
fn what_is_imported_has_the_columns_that_were_exported_without_them() {
    let (from, to) = (stored(APPENDED), tempfile::tempdir().expect("a folder"));
    let whole = exported(from.path(), 1, APPENDED as u64);
    forget(from.path());
    let file = exported(from.path(), 1, APPENDED as u64);
    assert!(file == whole, "columns are not in it");
    import(to.path(), None, file.as_slice(), |_| ()).expect("imports");
    let kept = |dir: &Path| read_folder(&dir.join(COLUMNS_FOLDER));
    assert!(kept(to.path()) == recorded()[APPENDED]);
    has(&open(to.path(), blocks()).expect("opens").0, 1, APPENDED);
}

const GENESIS: B256 = B256::repeat_byte(7);
/// Bytes of a file in these tests: a few blocks.
const FILE: u64 = 1_000;

fn bodies(height: u64) -> Vec<Bytes> {
    (0..height % 4).map(|column| vec![height as u8; 40 + column as usize].into()).collect()
}

/// The folder of a chain with these blocks, of whose columns none can be made again.
fn opened(dir: &Path, head: u64) -> Columns {
    Columns::open(dir, GENESIS, 0, Bounds { file: FILE, head, rebuilt: head + 1 }).expect("a thread")
}

/// A folder with blocks 1 to `last` in several files.
fn filled(last: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let columns = opened(dir.path(), 0);
    (1..=last).for_each(|height| columns.take(height, bodies(height)));
    dir
}

/// The names of the files, and where each begins.
fn files(dir: &Path) -> Vec<u64> {
    let names = read_folder(dir).into_iter().map(|(name, _)| name.into_string().expect("a name"));
    let mut firsts: Vec<u64> = names
        .map(|name| name.strip_suffix(".columns").and_then(|first| first.parse().ok()).expect("a height"))
        .collect();
    firsts.sort_unstable();
    firsts
}

fn path(dir: &Path, first: u64) -> std::path::PathBuf {
    dir.join(format!("{first:016}.columns"))
}

/// Whether just these blocks of 1 to `last` are read.
fn reads(dir: &Path, last: u64, expected: impl Fn(u64) -> bool) {
    let columns = opened(dir, last);
    // Backwards, too: whoever reads knows then where the others are.
    for height in (1..=last).chain((1..=last).rev()) {
        assert_eq!(columns.read(height), expected(height).then(|| bodies(height)), "block {height}");
    }
    assert_eq!((columns.read(0), columns.read(last + 1)), (None, None));
}

#[test]
fn files_are_bounded_and_gone_on_with() {
    let dir = filled(40);
    let before = files(dir.path());
    assert!(before.len() > 3, "{before:?}");
    assert!(read_folder(dir.path()).iter().all(|(_, bytes)| bytes.len() as u64 <= FILE));
    reads(dir.path(), 40, |_| true);
    let columns = opened(dir.path(), 40);
    assert_eq!(columns.next(), 41);
    (41..=60).for_each(|height| columns.take(height, bodies(height)));
    drop(columns);
    assert!(files(dir.path()).starts_with(&before));
    reads(dir.path(), 60, |_| true);
}

#[test]
fn a_file_that_is_missing_takes_no_other_blocks_with_it() {
    let dir = filled(40);
    let firsts = files(dir.path());
    fs::remove_file(path(dir.path(), firsts[1])).expect("removes");
    reads(dir.path(), 40, |height| !(firsts[1]..firsts[2]).contains(&height));
}

#[test]
fn after_a_gap_a_new_file_begins() {
    let dir = filled(2);
    let columns = opened(dir.path(), 9);
    [10, 11, 15].into_iter().for_each(|height| columns.take(height, bodies(height)));
    drop(columns);
    assert_eq!(files(dir.path()), [1, 10, 15]);
    reads(dir.path(), 15, |height| [1, 2, 10, 11, 15].contains(&height));
}

#[test]
fn damage_takes_the_block_that_it_hits_or_the_rest_of_its_file() {
    let dir = filled(40);
    let firsts = files(dir.path());
    let hit = path(dir.path(), firsts[1]);
    let whole = fs::read(&hit).expect("reads");
    let head = 24;
    for (at, taken) in [(40 + head, firsts[1]..=firsts[1]), (40 + 3, firsts[1]..=firsts[2] - 1)] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&hit, bytes).expect("writes");
        reads(dir.path(), 40, |height| !taken.contains(&height));
    }
}

#[test]
fn files_of_another_chain_or_above_the_head_are_deleted() {
    let dir = filled(40);
    let firsts = files(dir.path());
    let head = firsts[2] - 1;
    drop(opened(dir.path(), head));
    assert_eq!(files(dir.path()), firsts[..2]);
    reads(dir.path(), head, |_| true);
    drop(Columns::open(dir.path(), B256::ZERO, 0, Bounds { file: FILE, head, rebuilt: head }).expect("a thread"));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn only_the_oldest_files_go_and_each_as_a_whole() {
    let dir = filled(40);
    let before = files(dir.path());
    let bytes = |dir: &Path| read_folder(dir).iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
    let columns = opened(dir.path(), 40);
    columns.set_keep(3 * FILE);
    columns.take(41, bodies(41));
    drop(columns);
    let after = files(dir.path());
    let stayed: Vec<u64> = after.iter().copied().filter(|first| *first <= 40).collect();
    assert!(stayed.len() < before.len() && before.ends_with(&stayed), "{before:?} {after:?}");
    assert!((2 * FILE..=3 * FILE).contains(&bytes(dir.path())));
    reads(dir.path(), 41, |height| height >= after[0]);

    let columns = opened(dir.path(), 41);
    columns.set_keep(0);
    columns.take(42, bodies(42));
    drop(columns);
    assert_eq!(files(dir.path()).len(), 1, "the newest stays");
}

#[test]
fn nothing_is_deleted_before_it_is_said_how_much_may_stay_and_then_at_once() {
    let dir = filled(40);
    let before = files(dir.path());
    let columns = opened(dir.path(), 40);
    assert_eq!(files(dir.path()), before);
    columns.set_keep(2 * FILE);
    assert!(files(dir.path()).len() < before.len(), "the disk may be full: it does not wait for the next block");
}

#[test]
fn what_cannot_be_read_is_left_alone_and_the_others_are_read() {
    let dir = filled(40);
    let firsts = files(dir.path());
    fs::create_dir(path(dir.path(), 39)).expect("a folder with the name of a file");
    let columns = opened(dir.path(), 40);
    assert!(columns.next() > *firsts.last().expect("some"));
    drop(columns);
    reads(dir.path(), 38, |_| true);
    assert!(path(dir.path(), 39).is_dir());
}

#[test]
fn the_frames_of_a_file_are_as_drawn() {
    let dir = filled(3);
    let file = fs::read(path(dir.path(), 1)).expect("reads");
    let (begin, mut rest) = file.split_at(40);
    assert_eq!(begin, [b"OCCOLS\x00\x01", GENESIS.as_slice()].concat());
    for height in 1_u64..=3 {
        let content = wire::encode(&bodies(height));
        let mut head = [height.to_be_bytes(), (content.len() as u64).to_be_bytes()].concat();
        head.extend_from_slice(&crc32fast::hash(&content).to_be_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());
        let frame = [head, content].concat();
        assert!(rest.starts_with(&frame), "block {height}");
        rest = &rest[frame.len()..];
    }
    assert!(rest.is_empty());
}
