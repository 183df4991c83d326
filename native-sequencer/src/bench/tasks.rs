//! What tasks cost to check, and the same tasks as files, for whoever measures them elsewhere: in a browser.

use super::{
    BenchError,
    chain::{MadeBlock, MeasuredChain},
    figure::{Figure, Unit, median},
    workload::{Setting, World},
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    column::verify_column,
    evm::Env,
    limits,
    message::BlockDocument,
    row::{RowBody, RowTask, verify_row},
    wire,
};
use serde::Serialize;
use std::{collections::BTreeSet, path::Path, time::Instant};

/// Blocks made before the one whose tasks are measured, so that accounts have been used.
const BLOCKS_BEFORE: u32 = 2;

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Transactions in the block.
    pub transactions: u32,
    /// Rows measured, and columns, at most.
    pub tasks: usize,
    /// How often each is checked.
    pub rounds: u32,
}

/// The tasks of one block that are measured: the rows with most transactions and the columns with most accesses.
#[derive(Debug)]
pub struct Tasks {
    setting: Setting,
    size: Size,
    chain: MeasuredChain,
    block: MadeBlock,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Tasks {
    /// Makes a block on a new chain in the folder `dir`, and picks tasks of it.
    ///
    /// # Errors
    /// [`BenchError`].
    pub fn new(setting: Setting, size: Size, dir: &Path) -> Result<Self, BenchError> {
        let mut world = World::new(&setting)?;
        let mut chain = MeasuredChain::new(&world.genesis(size.transactions)?, dir)?;
        chain.set_up(&world.setup())?;
        for _ in 0..BLOCKS_BEFORE {
            chain.block(&world.transactions(size.transactions))?;
        }
        let block = chain.block(&world.transactions(size.transactions))?;
        let manifest = &block.assembled.manifest;
        let rows = largest(&manifest.rows, size.tasks, |row| row.tx_count);
        let columns = largest(&manifest.columns, size.tasks, |column| column.access_count);
        Ok(Self { setting, size, chain, block, rows, columns })
    }

    /// How long the checks take here, in one thread, and how large the tasks are.
    ///
    /// # Errors
    /// [`BenchError`] if a task does not check.
    pub fn measure(&self) -> Result<Vec<Figure>, BenchError> {
        let env = Env::of(&self.chain.genesis.config, self.block.sealed.header());
        let manifest = &self.block.assembled.manifest;
        let code = |hash: &B256| self.chain.code(hash);
        let (mut row_ms, mut column_ms) = (Vec::new(), Vec::new());
        for _ in 0..self.size.rounds {
            for &index in &self.rows {
                let task = self.row_task(index)?;
                row_ms.push(milliseconds(|| verify_row(&env, manifest, index, &task, code).is_ok())?);
            }
            for &index in &self.columns {
                let body = &self.block.assembled.column_bodies[index];
                column_ms.push(milliseconds(|| verify_column(&env, manifest, index, body).is_ok())?);
            }
        }
        let (row, column) = (self.name("row"), self.name("column"));
        let accesses = self.columns.iter().map(|index| f64::from(manifest.columns[*index].access_count));
        let bodies = |bodies: &[Bytes], of: &[usize]| median(of.iter().map(|index| bodies[*index].len() as f64));
        Ok(vec![
            Figure::new(format!("{row}.native"), median(row_ms), Unit::Milliseconds),
            Figure::new(format!("{column}.native"), median(column_ms), Unit::Milliseconds),
            Figure::new(
                format!("{row}.transactions"),
                median(self.rows.iter().map(|index| f64::from(manifest.rows[*index].tx_count))),
                Unit::Count,
            ),
            Figure::new(format!("{column}.accesses"), median(accesses), Unit::Count),
            Figure::new(format!("{row}.body"), bodies(&self.block.assembled.row_bodies, &self.rows), Unit::Bytes),
            Figure::new(
                format!("{column}.body"),
                bodies(&self.block.assembled.column_bodies, &self.columns),
                Unit::Bytes,
            ),
        ])
    }

    /// Writes the tasks into the folder `dir` as the verifier API would serve them, with `tasks.json` that says which
    /// file is what.
    ///
    /// # Errors
    /// [`BenchError::File`].
    pub fn write(&self, dir: &Path) -> Result<(), BenchError> {
        std::fs::create_dir_all(dir).map_err(|source| BenchError::File { path: dir.to_owned(), source })?;
        let stored = &self.block.sealed.stored;
        let document = BlockDocument {
            signed: stored.signed.clone(),
            parent_ancestors: stored.parent_ancestors.clone(),
            manifest: stored.manifest.clone(),
        };
        write(dir, "config", &wire::encode(&self.chain.genesis.config))?;
        write(dir, "parent", &wire::encode(&self.block.parent))?;
        write(dir, "document", &wire::encode(&document))?;
        let codes = self.codes()?;
        for (index, code) in codes.iter().enumerate() {
            write(dir, &format!("code-{index}"), code)?;
        }
        for &index in &self.rows {
            write(dir, &format!("row-{index}"), &wire::encode(&self.row_task(index)?))?;
        }
        for &index in &self.columns {
            write(dir, &format!("column-{index}"), &self.block.assembled.column_bodies[index])?;
        }
        let listing = Listing {
            row: self.name("row"),
            column: self.name("column"),
            block: self.block.sealed.hash,
            rows: &self.rows,
            columns: &self.columns,
            codes: codes.len(),
        };
        let text =
            serde_json::to_vec_pretty(&listing).map_err(|_| BenchError::Invalid("its tasks cannot be listed"))?;
        write(dir, "tasks.json", &text)
    }

    /// What this kind of task is called in figures: a row by what its transactions do, a column by the keys it is cut from.
    fn name(&self, kind: &str) -> String {
        format!("{kind}.{}.{}", self.setting.workload.name(), magnitude(self.setting.accounts))
    }

    /// The code that the measured rows ask for.
    fn codes(&self) -> Result<Vec<Bytes>, BenchError> {
        let invalid = || BenchError::Invalid("a row's body does not decode, or its code is missing");
        let mut hashes = BTreeSet::new();
        for &index in &self.rows {
            let body = &self.block.assembled.row_bodies[index];
            let body: RowBody = wire::decode(body, limits::ROW_BODY_BYTES_ANY).map_err(|_| invalid())?;
            hashes.extend(body.codes.iter().map(|code| code.hash));
        }
        hashes.iter().map(|hash| self.chain.code(hash).ok_or_else(invalid)).collect()
    }

    fn row_task(&self, index: usize) -> Result<RowTask, BenchError> {
        self.block.sealed.row_task(index).ok_or(BenchError::Invalid("no such row"))
    }
}

/// What `tasks.json` says: the names of the figures, and the tasks by their indexes, which are in the files' names too.
#[derive(Serialize)]
struct Listing<'a> {
    row: String,
    column: String,
    block: B256,
    rows: &'a [usize],
    columns: &'a [usize],
    codes: usize,
}

fn milliseconds(check: impl FnOnce() -> bool) -> Result<f64, BenchError> {
    let started = Instant::now();
    let holds = check();
    let took = started.elapsed();
    if holds { Ok(took.as_secs_f64() * 1e3) } else { Err(BenchError::Invalid("a task is refused")) }
}

/// The indexes of the `count` largest; none that is empty, as a system row is of transactions.
fn largest<T>(all: &[T], count: usize, size: impl Fn(&T) -> u32) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..all.len()).filter(|index| size(&all[*index]) > 0).collect();
    indexes.sort_by_key(|index| std::cmp::Reverse(size(&all[*index])));
    indexes.truncate(count);
    indexes
}

/// A number as it is spoken: `100k`, `1m`.
fn magnitude(number: u32) -> String {
    match number {
        number if number >= 1_000_000 && number % 1_000_000 == 0 => format!("{}m", number / 1_000_000),
        number if number >= 1_000 && number % 1_000 == 0 => format!("{}k", number / 1_000),
        number => number.to_string(),
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), BenchError> {
    let path = dir.join(name);
    std::fs::write(&path, bytes).map_err(|source| BenchError::File { path, source })
}
