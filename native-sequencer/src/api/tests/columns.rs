//! What is served of columns, of blocks of any age.

use super::served::{Served, Truth};
use crate::{
    limits::HISTORY_BLOCKS,
    store::COLUMNS_FOLDER,
    verify::{self, VerifyError, VerifyOptions},
};
use ocelli_core::{
    evm::Env,
    row::{RowTask, verify_row},
    wire,
};
use std::{fs, path::Path};

fn forget_columns(dir: &Path) {
    fs::remove_dir_all(dir.join(COLUMNS_FOLDER)).expect("removes");
}

/// Whether every row of the block at `height` is served and passes its check.
fn check_rows(served: &Served, height: u64) {
    let block = served.block(height);
    let (env, codes) = (Env::of(&served.made.config, block.header()), &served.made.state.codes);
    for index in 0..block.stored.manifest.rows.len() {
        let body = served.get(&format!("/v1/blocks/{}/rows/{index}", block.hash)).body;
        let task: RowTask = wire::decode(&body, 1 << 24).expect("decodes");
        verify_row(&env, &block.stored.manifest, index, &task, |hash| codes.get(hash).cloned()).expect("valid");
    }
}

/// Whether every column of the block at `height` is served.
fn check_columns(served: &Served, height: u64) {
    let block = served.block(height);
    for (index, column) in block.stored.manifest.columns.iter().enumerate() {
        let body = served.get(&format!("/v1/blocks/{}/columns/{index}", block.hash)).body;
        assert_eq!(wire::body_hash(&body), column.body_hash, "block {height}");
    }
}

#[test]
fn columns_are_served_as_long_as_they_are_kept_or_can_be_made_again_and_rows_for_ever() {
    let head = HISTORY_BLOCKS + 6;
    let served = Served::with_blocks(head).restarted();
    for height in [1, 6, 7, head] {
        check_columns(&served, height);
        check_rows(&served, height);
    }
    let served = served.restarted_after(forget_columns);
    // Of these blocks the states before them are not restored.
    for height in [1, 6] {
        let path = format!("/v1/blocks/{}/columns/0", served.block(height).hash);
        assert_eq!(served.get(&path).error(), (410, "not_kept".into()), "block {height}");
        assert_eq!(served.get_with(&path, Some("*")).error(), (410, "not_kept".into()), "it is not unchanged");
        check_rows(&served, height);
    }
    for height in [7, head] {
        check_columns(&served, height);
        check_rows(&served, height);
    }

    let verifying = |from| VerifyOptions { from, to: Some(head), workers: 2, ..VerifyOptions::new(&served.url) };
    let stopped = verify::run(verifying(0), &mut |_| {}).expect_err("columns are gone");
    assert!(matches!(stopped, VerifyError::NotKept { height: 1..=6, .. }), "{stopped}");
    assert!(stopped.to_string().contains("--from"), "{stopped}");
    // For ever is as long.
    let following = VerifyOptions { to: None, ..verifying(0) };
    assert!(matches!(verify::run(following, &mut |_| {}), Err(VerifyError::NotKept { .. })));
    assert_eq!(verify::run(verifying(6), &mut |_| {}).expect("it holds").height, head);
}

#[test]
fn what_the_rows_of_a_faulty_block_give_is_not_served_for_what_it_commits_to() {
    let mut served = Served::with_blocks(1);
    served.seal(Truth::WeiFromNowhere);
    let served = served.restarted();
    check_columns(&served, 2);
    let served = served.restarted_after(forget_columns);
    let hash = served.block(2).hash;
    for task in ["rows/1", "columns/0"] {
        assert_eq!(served.get(&format!("/v1/blocks/{hash}/{task}")).error(), (410, "not_kept".into()), "{task}");
    }
    check_columns(&served, 1);
}
