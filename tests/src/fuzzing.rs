//! What the fuzz targets of `tests/fuzz` do with the bytes that libFuzzer makes up, and what it begins from.
//!
//! A target holds what no bytes may break: nothing panics, what decodes encodes to the same bytes, a check that is asked twice
//! answers the same, and nothing passes that the sequencer of an honest chain has not made. Where a hash or a signature would
//! stop every guess, the target puts it right first, so that the fuzzer meets the check behind it.
//!
//! Most inputs begin with bytes that choose: a block of [`realistic::blocks`], a task of it, a type. The rest is what is checked.

mod bodies;
mod documents;
mod messages;

use crate::{chain::TestBlock, realistic};
use core::fmt::Debug;
use ocelli_core::wire;
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, io, path::Path, sync::LazyLock};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name in `tests/fuzz`.
    pub name: &'static str,
    /// Takes any bytes, and panics if something is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "row", run: bodies::row, seeds: bodies::row_seeds },
    Target { name: "column", run: bodies::column, seeds: bodies::column_seeds },
    Target { name: "block", run: documents::block, seeds: documents::block_seeds },
    Target { name: "evidence", run: documents::evidence, seeds: documents::evidence_seeds },
    Target { name: "transaction", run: messages::transaction, seeds: messages::transaction_seeds },
    Target { name: "votes", run: messages::votes, seeds: messages::votes_seeds },
    Target { name: "proofs", run: messages::proofs, seeds: messages::proofs_seeds },
    Target { name: "messages", run: messages::messages, seeds: messages::messages_seeds },
];

/// Gives `data` to the target `name`.
///
/// # Panics
/// If there is no such target, or if it finds something broken.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.run)(data);
}

/// Writes the inputs to begin from, a folder for each target, a file for each input.
///
/// # Errors
/// Those of the file system.
pub fn write_seeds(corpus: &Path) -> io::Result<()> {
    for target in TARGETS {
        let folder = corpus.join(target.name);
        fs::create_dir_all(&folder)?;
        for (at, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:04}")), seed)?;
        }
    }
    Ok(())
}

/// The blocks that inputs choose from.
fn blocks() -> &'static [TestBlock] {
    static BLOCKS: LazyLock<Vec<TestBlock>> = LazyLock::new(|| realistic::blocks().0);
    &BLOCKS
}

/// The block that a byte chooses, and its number.
fn block_of(byte: u8) -> &'static TestBlock {
    &blocks()[usize::from(byte) % blocks().len()]
}

/// Each block with the byte that chooses it.
fn numbered() -> impl Iterator<Item = (u8, &'static TestBlock)> {
    (0..).zip(blocks())
}

/// The value that `bytes` encode, of at most `limit` bytes, if any.
fn decoded<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Option<T> {
    let value = wire::decode(bytes, limit).ok()?;
    assert_eq!(wire::encode(&value), bytes, "a second encoding");
    Some(value)
}

/// The answer of a check that is asked twice.
fn twice<T: PartialEq + Debug>(check: impl Fn() -> T) -> T {
    let answer = check();
    assert_eq!(answer, check(), "two answers");
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_what_it_begins_from_and_what_is_near_it() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            for (at, mut seed) in seeds.into_iter().enumerate() {
                (target.run)(&seed);
                let end = seed.len() - 1;
                (target.run)(&seed[..end]);
                seed[(at * 31) % (end + 1)] ^= 1 << (at % 8);
                (target.run)(&seed);
            }
            (target.run)(&[]);
        }
    }
}
