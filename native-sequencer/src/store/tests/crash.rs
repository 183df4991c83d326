//! Crashes: what a disk holds when the power fails, for any moment and any part of what was not yet synced.
//!
//! A disk that remembers everything that was done to it is written to by the store's own transactions. For any point in that
//! record the image is made that a crash may leave: all that was synced, and of what was written since, any subset.

use super::{
    super::{commit, recover::recover, write_block, write_genesis},
    chain::blocks,
    check,
};
use parking_lot::Mutex;
use proptest::prelude::*;
use redb::{Database, StorageBackend};
use std::{
    io,
    sync::{Arc, OnceLock},
};

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

/// A disk in memory with the record of all that was done to it.
#[derive(Clone, Debug, Default)]
struct Disk {
    image: Arc<Mutex<Vec<u8>>>,
    record: Arc<Mutex<Vec<Step>>>,
}

fn apply(image: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write(offset, data) => {
            let (start, end) = (*offset as usize, *offset as usize + data.len());
            if image.len() < end {
                image.resize(end, 0);
            }
            image[start..end].copy_from_slice(data);
        }
        Step::Length(length) => image.resize(*length as usize, 0),
        Step::Sync => {}
    }
}

impl Disk {
    fn step(&self, step: Step) -> io::Result<()> {
        apply(&mut self.image.lock(), &step);
        self.record.lock().push(step);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.image.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.image.lock();
        let found = image.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.step(Step::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Write(offset, data.to_vec()))
    }
}

/// What was done to the disk, and after how many steps each append had returned; the first is that of the empty chain.
struct Recorded {
    steps: Vec<Step>,
    returned: Vec<usize>,
}

const APPENDED: usize = 6;

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let (disk, made) = (Disk::default(), blocks());
        let database = Database::builder().create_with_backend(disk.clone()).expect("a database");
        let genesis = |transaction: &_| write_genesis(transaction, &made.config, &made.genesis, &made.codes);
        commit(&database, genesis).expect("commits");
        let mut returned = vec![disk.record.lock().len()];
        for block in &made.blocks[..APPENDED] {
            commit(&database, |transaction| write_block(transaction, block)).expect("commits");
            returned.push(disk.record.lock().len());
        }
        let steps = disk.record.lock().clone();
        Recorded { steps, returned }
    })
}

/// What a crash after `count` steps may leave: `kept` decides about each write that was not synced.
fn image(steps: &[Step], count: usize, kept: impl Fn(usize) -> bool) -> Vec<u8> {
    let synced = steps[..count].iter().rposition(|step| matches!(step, Step::Sync)).unwrap_or_default();
    let mut image = Vec::new();
    for (at, step) in steps[..count].iter().enumerate() {
        // The length counts as kept: a file system that loses it after writing beyond it has other troubles.
        if at < synced || matches!(step, Step::Length(_)) || kept(at - synced) {
            apply(&mut image, step);
        }
    }
    image
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_crash_at_any_moment_keeps_what_was_appended(at in 0.0..1.0_f64, kept in any::<[u64; 4]>()) {
        let Recorded { steps, returned } = recorded();
        let first = returned[0];
        let count = first + (at * (steps.len() - first) as f64) as usize;
        let bit = |write: usize| kept[write / 64 % 4] >> (write % 64) & 1 == 1;
        let disk = Disk::default();
        *disk.image.lock() = image(steps, count, bit);
        let database = Database::builder().create_with_backend(disk).expect("opens after a crash");
        let recovered = recover(&database, &blocks().config).expect("recovers");
        let height = recovered.head.header.height as usize;
        check(&recovered, height);
        let durable = returned.iter().filter(|returned| **returned <= count).count() - 1;
        // The block under way may be there already, as a whole.
        prop_assert!(height == durable || height == durable + 1, "{height} blocks where {durable} were appended");
    }
}
