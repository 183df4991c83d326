//! What a store promises, on chains of real blocks.

pub(crate) mod chain;
mod columns;
mod crash;
mod index;
mod snapshot;

use super::{ArchiveError, ImportError, ReplayError, Store, StoreError, import, recover::Recovered};
use crate::{block::SealedBlock, limits};
use chain::{BLOCKS, Made, blocks};
use ocelli_core::{certificate::Certificate, evm::Source, hash::keccak256, wire};
use proptest::prelude::*;
use std::{fs, path::Path};

fn open(dir: &Path, made: &Made) -> Result<(Store, Recovered), StoreError> {
    Store::open(dir, &made.config, &made.genesis, &made.codes)
}

/// A folder with the first `count` blocks in it.
fn stored(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    for (block, writes) in blocks().from(0).take(count) {
        store.append(block, writes).expect("appends");
    }
    dir
}

/// Whether `recovered` is what the first `count` blocks give: head, states, code.
fn check(recovered: &Recovered, count: usize) {
    let made = blocks();
    let first = count.saturating_sub(limits::HISTORY_BLOCKS as usize);
    assert_eq!(recovered.states.len(), count - first + 1);
    for (at, (height, block, state)) in (first..).zip(&recovered.states) {
        assert_eq!(*height, at as u64);
        assert_eq!(block.as_ref().map(|block| block.hash), at.checked_sub(1).map(|at| made.blocks[at].hash));
        assert_eq!(state.root(), made.states[at].root());
        assert!(state.iter().eq(made.states[at].iter()), "state after block {at}");
    }
    let head = made.head(count);
    assert_eq!((&recovered.head.header, &recovered.head.ancestors), (&head.0, &head.1));
    assert_eq!(recovered.head.hash, head.0.hash());
    for (hash, code) in made.codes.iter().chain(made.blocks[..count].iter().flat_map(|block| &block.stored.codes)) {
        assert_eq!(recovered.codes.get(hash).expect("code").original_bytes(), *code);
    }
}

#[test]
fn a_header_is_read_without_its_block() {
    let dir = stored(3);
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    for block in &blocks().blocks[..3] {
        let height = block.header().height;
        assert_eq!(store.signed_header(height).expect("reads").as_ref(), Some(&block.stored.signed));
    }
    assert_eq!(store.signed_header(4).expect("reads"), None);
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let history = limits::HISTORY_BLOCKS as usize;
    let mut count = 0;
    for stop in [0, 1, 2, history - 1, history, history + 1, history + 2, BLOCKS] {
        let (store, recovered) = open(dir.path(), blocks()).expect("opens");
        check(&recovered, count);
        for (block, writes) in blocks().from(count).take(stop - count) {
            store.append(block, writes).expect("appends");
        }
        count = stop;
    }
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    check(&recovered, BLOCKS);
    for block in &blocks().blocks {
        let height = block.header().height;
        let (stored, written) = store.block(height).expect("reads").expect("is there");
        assert_eq!(stored, block.stored);
        assert!(written.iter().eq(blocks().writes[height as usize - 1].iter().map(|leaf| &leaf.key)));
        assert_eq!(store.height_of(&block.hash).expect("reads"), Some(height));
        for sealed in &block.transactions {
            let place = store.place_of(&sealed.hash).expect("reads").expect("a place");
            assert_eq!((place.height, (place.row, place.index)), (height, sealed.place));
        }
    }
    assert_eq!(store.block(BLOCKS as u64 + 1).expect("reads"), None);
    assert_eq!(store.height_of(&made_up()).expect("reads"), None);
    assert_eq!(store.place_of(&made_up()).expect("reads"), None);
}

fn made_up() -> alloy_primitives::B256 {
    alloy_primitives::B256::repeat_byte(0xee)
}

#[test]
fn only_the_child_of_the_last_block_is_appended() {
    let dir = stored(3);
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    let fork = chain::make(4, 99);
    for wrong in [&blocks().blocks[1], &blocks().blocks[2], &blocks().blocks[4], &fork.blocks[3]] {
        let refused = store.append(wrong, &[]);
        assert!(matches!(refused, Err(StoreError::NotNext { head: 3, .. })), "{refused:?}");
    }
    store.append(&blocks().blocks[3], &blocks().writes[3]).expect("appends");
    drop(store);
    check(&open(dir.path(), blocks()).expect("opens").1, 4);
}

#[test]
fn a_folder_is_used_by_one_at_a_time() {
    let dir = stored(2);
    let (store, _) = open(dir.path(), blocks()).expect("opens");
    let refused = open(dir.path(), blocks()).expect_err("in use");
    let text = refused.to_string();
    assert!(text.contains("held by another process") && text.contains("--data-dir"), "{text}");
    if cfg!(unix) {
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    }
    assert!(matches!(Store::reset(dir.path()), Err(StoreError::InUse { .. })));
    drop(store);
    check(&open(dir.path(), blocks()).expect("opens").1, 2);
}

#[test]
fn a_folder_of_another_chain_is_refused_and_named() {
    let dir = stored(1);
    let other = chain::make(0, 7);
    let text = open(dir.path(), &other).expect_err("another chain").to_string();
    for part in [blocks().config.genesis_hash(), other.config.genesis_hash()] {
        assert!(text.contains(&part.to_string()), "{text}");
    }
    assert!(text.contains("chain.redb") && text.contains("--reset"), "{text}");
}

#[test]
fn a_genesis_state_that_is_not_the_configurations_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = blocks();
    let refused = Store::open(dir.path(), &made.config, &made.states[1], &made.codes);
    assert!(matches!(refused, Err(StoreError::OtherGenesisState { .. })));
}

#[test]
fn reset_deletes_what_the_program_made_and_nothing_else() {
    let dir = stored(2);
    let own = dir.path().join("key");
    fs::write(&own, "secret").expect("writes");
    Store::reset(dir.path()).expect("resets");
    assert_eq!(fs::read_to_string(&own).expect("reads"), "secret");
    check(&open(dir.path(), blocks()).expect("opens").1, 0);

    let foreign = tempfile::tempdir().expect("a folder");
    for name in ["chain.redb", "lock", "pool.journal"] {
        fs::write(foreign.path().join(name), "someone else's").expect("writes");
    }
    assert!(matches!(Store::reset(foreign.path()), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read_dir(foreign.path()).expect("reads").count(), 3);

    Store::reset(tempfile::tempdir().expect("a folder").path()).expect("an empty folder");
    Store::reset(&foreign.path().join("not there")).expect("no folder");
}

#[test]
fn a_damaged_folder_can_be_reset() {
    let dir = stored(2);
    fs::write(dir.path().join("chain.redb"), vec![7; 10_000]).expect("writes");
    let refused = open(dir.path(), blocks()).expect_err("damaged");
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("--reset"), "{refused}");
    Store::reset(dir.path()).expect("resets");
    check(&open(dir.path(), blocks()).expect("opens").1, 0);
}

#[test]
fn a_file_that_was_being_made_when_the_program_ended_is_no_obstacle() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("chain.redb.new"), "half").expect("writes");
    check(&open(dir.path(), blocks()).expect("opens").1, 0);
}

fn exported(dir: &Path, from: u64, to: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let mut seen = Vec::new();
    let (store, _) = open(dir, blocks()).expect("opens");
    store.export(from, to, &mut file, |height| seen.push(height)).expect("exports");
    assert!(seen.into_iter().eq(from..=to));
    file
}

#[test]
fn what_is_exported_can_be_imported_where_nothing_is() {
    let (from, to) = (stored(12), tempfile::tempdir().expect("a folder"));
    let file = exported(from.path(), 1, 12);
    let genesis = blocks().config.genesis_hash();
    let imported = import(to.path(), Some(genesis), file.as_slice(), |_| ()).expect("imports");
    assert_eq!((imported.genesis, imported.blocks, imported.height), (genesis, 12, 12));
    check(&open(to.path(), blocks()).expect("opens").1, 12);
    let again = import(to.path(), None, file.as_slice(), |_| ()).expect("imports");
    assert_eq!((again.blocks, again.height), (0, 12));
}

#[test]
fn parts_are_imported_in_order() {
    let (from, to) = (stored(9), tempfile::tempdir().expect("a folder"));
    let (first, second) = (exported(from.path(), 1, 4), exported(from.path(), 5, 9));
    let refused = import(to.path(), None, second.as_slice(), |_| ());
    assert!(matches!(refused, Err(ImportError::Gap { head: 0, found: 5 })), "{refused:?}");
    import(to.path(), None, first.as_slice(), |_| ()).expect("imports");
    import(to.path(), None, second.as_slice(), |_| ()).expect("imports");
    check(&open(to.path(), blocks()).expect("opens").1, 9);
}

#[test]
fn another_chain_or_a_fork_is_not_imported() {
    let (from, fork) = (stored(3), tempfile::tempdir().expect("a folder"));
    let file = exported(from.path(), 1, 3);
    let refused = import(fork.path(), Some(made_up()), file.as_slice(), |_| ());
    assert!(matches!(refused, Err(ImportError::OtherChain { .. })), "{refused:?}");

    let made = chain::make(3, 99);
    let (store, _) = open(fork.path(), &made).expect("opens");
    made.from(0).for_each(|(block, writes)| store.append(block, writes).expect("appends"));
    drop(store);
    let refused = import(fork.path(), None, file.as_slice(), |_| ());
    assert!(matches!(refused, Err(ImportError::Fork(1))), "{refused:?}");
}

/// The file of `blocks`, though a store would not give it.
fn file_of(made: &Made, blocks: &[SealedBlock]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = open(dir.path(), made).expect("opens");
    // The store does not check what verifiers check; it only wants blocks to follow on each other.
    blocks.iter().for_each(|block| store.append(block, &[]).expect("appends"));
    let mut file = Vec::new();
    store.export(1, blocks.len() as u64, &mut file, |_| ()).expect("exports");
    file
}

#[test]
fn a_block_that_was_altered_is_not_imported() {
    type Alter = fn(&mut crate::block::StoredBlock);
    let alterations: [(Alter, &str); 5] = [
        (|block| block.results[1][0].0 = block.results[1][1].0, "results"),
        (|block| block.results[1][0].1.gas_used += 1, "results"),
        (|block| drop(block.codes.pop()), "is missing or another|codes"),
        (|block| block.manifest.rows[1].gas_used += 1, "not the manifest"),
        (|block| block.signed.header.gas_used += 1, "not signed"),
    ];
    let deploying = blocks().blocks.iter().position(|block| !block.stored.codes.is_empty()).expect("a deployment");
    for (alter, expected) in alterations {
        let mut altered = blocks().blocks[deploying].stored.clone();
        alter(&mut altered);
        let mut file_blocks: Vec<SealedBlock> =
            blocks().from(0).take(deploying).map(|(block, writes)| chain::open(block.stored.clone(), writes)).collect();
        file_blocks.push(chain::open(altered, &blocks().writes[deploying]));
        let file = file_of(blocks(), &file_blocks);
        let to = tempfile::tempdir().expect("a folder");
        let refused = import(to.path(), None, file.as_slice(), |_| ()).expect_err("altered");
        assert!(matches!(
            refused,
            ImportError::Block { error: ReplayError::Derived(_) | ReplayError::NotCommitted(_), .. }
        ));
        let text = refused.to_string();
        assert!(expected.split('|').any(|part| text.contains(part)), "{text}");
        check(&open(to.path(), blocks()).expect("opens").1, deploying);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_damaged_or_cut_file_keeps_what_was_imported(at in 0.0..1.0_f64, cut: bool, bit in 0..8_u32) {
        let mut file = small_file().to_vec();
        let at = (at * file.len() as f64) as usize;
        if cut { file.truncate(at) } else { file[at] ^= 1 << bit }
        let to = tempfile::tempdir().expect("a folder");
        let mut imported = 0;
        let refused = import(to.path(), None, file.as_slice(), |_| imported += 1).expect_err("damaged");
        prop_assert!(matches!(refused, ImportError::Archive(
            ArchiveError::Damaged { .. } | ArchiveError::Cut(_) | ArchiveError::OtherFormat
        )), "{}", refused);
        check(&open(to.path(), blocks()).expect("opens").1, imported);
    }

    #[test]
    fn a_damaged_database_gives_an_appended_state_or_none(
        at in 0.0..1.0_f64, length in 1..5_000_usize, fill: Option<u8>
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = small_database().to_vec();
        let at = (at * file.len() as f64) as usize;
        match fill {
            None => file.truncate(at),
            Some(byte) => {
                let end = file.len().min(at + length);
                file[at..end].fill(byte);
            }
        }
        fs::write(dir.path().join("chain.redb"), &file).expect("writes");
        // redb asserts in its own structures, so damage there may also end the process instead of giving an error.
        let opened = std::panic::catch_unwind(|| open(dir.path(), blocks()));
        match opened {
            Ok(Ok((_, recovered))) => check(&recovered, recovered.head.header.height as usize),
            Ok(Err(StoreError::Damaged { .. } | StoreError::OtherFormat { .. } | StoreError::Io { .. })) | Err(_) => {}
            Ok(Err(other)) => prop_assert!(false, "{other:?}"),
        }
    }
}

fn small_file() -> &'static [u8] {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    FILE.get_or_init(|| exported(stored(4).path(), 1, 4))
}

fn small_database() -> &'static [u8] {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    FILE.get_or_init(|| fs::read(stored(4).path().join("chain.redb")).expect("reads"))
}

#[test]
fn a_certificate_is_found_by_the_heights_it_covers_and_after_opening_again() {
    let dir = stored(6);
    let certificate = |after: u64, height: u64| Certificate {
        after,
        height,
        term: 0,
        header: blocks().blocks[height as usize - 1].hash,
        attestations: Vec::new(),
    };
    let (two, five) = (certificate(0, 2), certificate(2, 5));
    let (store, recovered) = open(dir.path(), blocks()).expect("opens");
    assert_eq!(recovered.certificate, None);
    assert_eq!(store.latest_certificate().expect("reads"), None);
    store.append_certificate(&two).expect("appends");
    store.append_certificate(&five).expect("appends");
    let covering = |height| store.certificate_at_or_after(height).expect("reads");
    assert_eq!([1, 2, 3, 5].map(covering), [&two, &two, &five, &five].map(|found| Some(found.clone())));
    assert_eq!(covering(6), None);
    drop(store);
    let (_, recovered) = open(dir.path(), blocks()).expect("opens");
    assert_eq!(recovered.certificate.as_deref(), Some(&five));
}

#[test]
fn the_frames_of_a_file_are_as_drawn() {
    let file = exported(stored(1).path(), 1, 1);
    assert_eq!(file[..8], *b"OCELLI\x00\x06");
    let (mut rest, mut kinds) = (&file[8..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_be_bytes(rest[1..9].try_into().expect("eight bytes")) as usize;
        let (frame, after) = rest.split_at(9 + length);
        assert_eq!(keccak256(frame), after[..32]);
        match frame[0] {
            1 => assert_eq!(frame[9..], wire::encode(&blocks().config)),
            3 => assert!(blocks().codes.iter().any(|(_, code)| frame[9..] == **code)),
            4 => assert_eq!(frame[9..], blocks().blocks[0].stored.encode()),
            5 => assert_eq!(frame[9..], 1_u64.to_be_bytes()),
            _ => {}
        }
        kinds.push(frame[0]);
        rest = &after[32..];
    }
    assert_eq!(kinds, [1, 2, 3, 4, 5]);
}

#[test]
fn recovered_states_run_the_next_block() {
    let dir = stored(5);
    let (_, recovered) = open(dir.path(), blocks()).expect("opens");
    let snapshot = crate::state::Snapshot { tree: recovered.head.state, codes: recovered.codes };
    for leaf in &blocks().states[5] {
        assert_eq!(snapshot.load(&leaf.key), Ok((leaf.version, leaf.value)));
    }
}

#[test]
fn a_block_that_was_just_made_is_as_it_opens_from_what_is_stored() {
    for (made, opened) in chain::made_and_opened(12) {
        assert_eq!(made.stored, opened.stored);
        assert_eq!((made.hash, &made.manifest_bytes), (opened.hash, &opened.manifest_bytes));
        assert_eq!(format!("{:?}", made.transactions), format!("{:?}", opened.transactions));
        assert_eq!(opened.row_task(1), None, "without columns there are no cells");
        assert!(opened.set_column_bodies(made.column_bodies().expect("it was just made").to_vec()));
        for row in 0..=made.stored.row_bodies.len() {
            assert_eq!(made.row_task(row), opened.row_task(row));
        }
    }
}
