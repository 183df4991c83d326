//! Snapshots: when they are due, that opening begins with one, and what becomes of those that are damaged or of no use.

use super::{
    super::{
        StoreError,
        folder::{INDEX_FOLDER, LOG_FILE},
        import::Importer,
        snapshot::{Since, Snapshots, is_due},
    },
    chain::{self, BLOCKS, blocks},
    check, open, stored,
};
use crate::{
    chain::{Chain, Head},
    limits::{HISTORY_BLOCKS, SNAPSHOT_BLOCKS, SNAPSHOT_LEAVES, SNAPSHOT_WRITES},
    store::Recovered,
};
use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    key::Key,
    tree::{Leaf, Tree},
    value::Value,
};
use std::{fs, path::Path, sync::Arc};

/// Opens the folder, which has all blocks, and makes snapshots at these heights.
fn with_snapshots(dir: &Path, heights: &[usize]) {
    let (store, _) = open(dir, blocks()).expect("opens");
    for height in heights {
        assert!(store.snapshots.begin(*height as u64, &blocks().states[*height]));
        store.snapshots.wait();
    }
}

fn snapshots(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir.join(INDEX_FOLDER)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let states = names.filter(|path| path.extension().is_some_and(|extension| extension == "state"));
    let mut heights: Vec<u64> =
        states.map(|path| path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).expect("a height")).collect();
    heights.sort_unstable();
    heights
}

#[test]
fn one_is_due_when_half_of_the_keys_or_enough_were_written_or_blocks_are_many() {
    let writes = |writes| Since { writes, blocks: 1 };
    assert!(!is_due(writes(SNAPSHOT_WRITES - 1), 1_000));
    assert!(is_due(writes(SNAPSHOT_WRITES), 1_000));
    let keys = 4 * SNAPSHOT_WRITES;
    assert!(!is_due(writes(keys / 2 - 1), keys as usize));
    assert!(is_due(writes(keys / 2), keys as usize));
    assert!(is_due(Since { writes: 0, blocks: SNAPSHOT_BLOCKS }, keys as usize));
    assert!(!is_due(Since::default(), 0));
}

#[test]
fn the_state_that_is_offered_is_kept_when_one_is_due() {
    let dir = stored(7);
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    store.offer_state(7, &blocks().states[7]);
    store.snapshots.wait();
    assert!(snapshots(dir.path()).is_empty());
    store.snapshots.set_since(Since { writes: 0, blocks: SNAPSHOT_BLOCKS - 1 });
    for (at, (block, writes)) in (8..).zip(blocks().from(7).take(2)) {
        store.append(block, writes).expect("appends");
        store.offer_state(at, &blocks().states[at as usize]);
        store.snapshots.wait();
    }
    // The first was due, and then nothing was written since but the second.
    assert_eq!(snapshots(dir.path()), [8]);
    let since = Since { writes: blocks().writes[8].len() as u64, blocks: 1 };
    assert_eq!(store.snapshots.since(), since);
    drop(store);
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    check(&recovered, 9);
    assert_eq!(store.snapshots.since(), since);
}

#[test]
fn the_state_of_a_block_that_is_published_is_offered() {
    let dir = stored(7);
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    let store = Arc::new(store);
    let Recovered { states, head, codes, certificate } = recovered;
    let published = Chain::new(blocks().config.clone(), store.clone(), codes, head, states, certificate);
    let (block, writes) = blocks().from(7).next().expect("block 8");
    store.snapshots.set_since(Since { writes: SNAPSHOT_WRITES, blocks: 1 });
    store.append(block, writes).expect("appends");
    let (header, ancestors) = blocks().head(8);
    let head = Head { hash: header.hash(), header, state: blocks().states[8].clone(), ancestors };
    published.publish(Arc::new(chain::open(block.stored.clone(), writes)), head);
    store.snapshots.wait();
    assert_eq!(snapshots(dir.path()), [8]);
}

#[test]
fn the_state_after_a_block_that_is_imported_is_offered() {
    let dir = stored(0);
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    let mut importer = Importer::new(&store, blocks().config.clone(), recovered);
    for (block, due) in blocks().blocks.iter().zip([false, true]) {
        store.snapshots.set_since(Since { writes: if due { SNAPSHOT_WRITES } else { 0 }, blocks: 1 });
        importer.take(block.stored.clone()).expect("takes");
        store.snapshots.wait();
    }
    assert_eq!(snapshots(dir.path()), [2]);
    let batches = store.snapshots.read(2).expect("reads").expect("is there");
    let leaves = batches.collect::<Result<Vec<Vec<Leaf>>, StoreError>>().expect("reads").into_iter().flatten();
    assert!(leaves.eq(blocks().states[2].iter()));
}

#[test]
fn a_snapshot_of_many_keys_has_each_of_them() {
    let leaf = |at: u64| {
        let key = Key::Slot(Address::with_last_byte(1), U256::from(at));
        Leaf::new(key, at + 1, Value::Slot(U256::from(at * at)))
    };
    let mut state = Tree::new();
    state.update((0..SNAPSHOT_LEAVES as u64 + 5).map(leaf).collect());
    let dir = tempfile::tempdir().expect("a folder");
    let snapshots = Snapshots::open(dir.path(), B256::ZERO).expect("opens");
    snapshots.begin(3, &state);
    snapshots.wait();
    let batches = snapshots.read(3).expect("reads").expect("is there");
    let batches = batches.collect::<Result<Vec<Vec<Leaf>>, StoreError>>().expect("reads");
    assert_eq!(batches.len(), 2);
    assert!(batches.into_iter().flatten().eq(state.iter()));
}

#[test]
fn opening_begins_with_a_snapshot_and_reads_nothing_below_it() {
    let dir = stored(BLOCKS);
    // A bit of what block 2 wrote.
    let log = fs::read(dir.path().join(LOG_FILE)).expect("reads");
    let from = {
        let (store, _) = open(dir.path(), blocks()).expect("opens");
        store.index.frame(2).expect("reads").expect("is there") as usize
    };
    let mut altered = log;
    altered[from + 64 + 600] ^= 1;
    fs::write(dir.path().join(LOG_FILE), &altered).expect("writes");
    let refused = open(dir.path(), blocks()).expect_err("block 2 is needed");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");

    let whole = stored(BLOCKS);
    with_snapshots(whole.path(), &[BLOCKS - HISTORY_BLOCKS as usize]);
    let name = format!("{:016}.state", BLOCKS as u64 - HISTORY_BLOCKS);
    let copied = [dir.path(), whole.path()].map(|dir| dir.join(INDEX_FOLDER).join(&name));
    fs::copy(&copied[1], &copied[0]).expect("copies");
    check(&open(dir.path(), blocks()).expect("opens").1, BLOCKS);
}

#[test]
fn a_snapshot_that_is_too_new_for_the_states_that_are_kept_waits() {
    let dir = stored(BLOCKS);
    with_snapshots(dir.path(), &[10, BLOCKS - 5]);
    check(&open(dir.path(), blocks()).expect("opens").1, BLOCKS);
    assert_eq!(snapshots(dir.path()), [10, BLOCKS as u64 - 5]);
}

#[test]
fn those_before_one_that_is_old_enough_are_deleted() {
    let dir = stored(BLOCKS);
    let history = HISTORY_BLOCKS as usize;
    with_snapshots(dir.path(), &[5, 20, 30, history + 19]);
    assert_eq!(snapshots(dir.path()), [5, 20, 30, HISTORY_BLOCKS + 19]);
    with_snapshots(dir.path(), &[history + 20]);
    assert_eq!(snapshots(dir.path()), [20, 30, HISTORY_BLOCKS + 19, HISTORY_BLOCKS + 20]);
    check(&open(dir.path(), blocks()).expect("opens").1, BLOCKS);
}

#[test]
fn a_damaged_snapshot_is_deleted_and_an_earlier_one_taken() {
    let dir = stored(BLOCKS);
    let file = |height: u64| dir.path().join(INDEX_FOLDER).join(format!("{height:016}.state"));
    let length = {
        with_snapshots(dir.path(), &[20]);
        fs::read(file(20)).expect("reads").len()
    };
    for at in [0, 9, 45, 60, 64, 72, length / 2, length - 1] {
        for cut in [false, true] {
            with_snapshots(dir.path(), &[8, 20]);
            let mut bytes = fs::read(file(20)).expect("reads");
            if cut {
                bytes.truncate(at)
            } else {
                bytes[at] ^= 1
            }
            fs::write(file(20), bytes).expect("writes");
            check(&open(dir.path(), blocks()).expect("opens").1, BLOCKS);
            assert_eq!(snapshots(dir.path()), [8], "{at} {cut}");
        }
    }
    // One that is whole, but not of this state.
    with_snapshots(dir.path(), &[20]);
    fs::remove_file(file(20)).expect("removes");
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    store.snapshots.begin(20, &blocks().states[21]);
    store.snapshots.wait();
    drop(store);
    check(&open(dir.path(), blocks()).expect("opens").1, BLOCKS);
    assert_eq!(snapshots(dir.path()), [8]);
}

#[test]
fn a_log_that_lacks_the_block_of_a_snapshot_is_not_gone_on_with() {
    let dir = stored(6);
    with_snapshots(dir.path(), &[6]);
    let at = {
        let (store, _) = open(dir.path(), blocks()).expect("opens");
        store.index.frame(6).expect("reads").expect("is there") as usize
    };
    let log = fs::read(dir.path().join(LOG_FILE)).expect("reads");
    fs::write(dir.path().join(LOG_FILE), &log[..at]).expect("writes");
    for entry in fs::read_dir(dir.path().join(INDEX_FOLDER)).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "blocks") {
            fs::remove_file(path).expect("removes");
        }
    }
    let refused = open(dir.path(), blocks()).expect_err("block 6 is missing");
    assert!(refused.to_string().contains("block 6 is one that there is a snapshot of"), "{refused}");
}

#[test]
fn a_snapshot_that_was_being_written_is_no_obstacle() {
    let dir = stored(6);
    with_snapshots(dir.path(), &[3]);
    let folder = dir.path().join(INDEX_FOLDER);
    let [whole, new] = ["0000000000000003.state", "0000000000000003.state.new"].map(|name| folder.join(name));
    fs::rename(whole, &new).expect("renames");
    check(&open(dir.path(), blocks()).expect("opens").1, 6);
    assert!(!new.exists());
}
