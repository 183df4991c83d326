//! The state tree: batches of updates of keys that it has, and the memory that a key takes.
//!
//! `cargo bench -p ocelli-core --bench tree [-- keys]`, 1,000,000 keys unless told. Each batch is applied twice: to a tree
//! that nobody else holds, in place, and to one of which the states before the last 8 batches are kept, as a sequencer keeps
//! them. The memory is what the process has resident, of which the list of keys is taken off.

#![allow(clippy::print_stdout)]

use alloy_primitives::{Address, U256};
use ocelli_core::{
    hash::{Backend, keccak256},
    key::Key,
    tree::{Leaf, Tree},
    value::{Account, Value},
};
use std::{collections::VecDeque, hint::black_box, time::Instant};

const BATCHES: usize = 15;
const KEPT: usize = 8;

fn account(number: u64) -> Leaf {
    let address = Address::from_word(keccak256(number.to_be_bytes()));
    let account = Account { nonce: number % 100, balance: U256::from(number) << 40, ..Account::default() };
    Leaf::new(Key::Account(address), 1, Value::Account(account))
}

/// Pages of this process that are resident, in bytes; zero where that cannot be asked.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// A fixed sequence of numbers.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

/// `size` of the keys, each with another value than before, ascending.
fn batch(keys: u64, size: usize, sequence: &mut Sequence) -> Vec<Leaf> {
    let numbers = (0..size).map(|_| sequence.next());
    let mut leaves: Vec<Leaf> =
        numbers.map(|number| Leaf { version: 2 + number % 1000, ..account(number % keys) }).collect();
    leaves.sort_by_key(|leaf| leaf.path);
    leaves.dedup_by_key(|leaf| leaf.path);
    leaves
}

/// Updates a second, of the median batch.
fn measure(tree: &mut Tree, keys: u64, size: usize, kept: usize, backend: Backend) -> f64 {
    let mut sequence = Sequence(0x1234_5678_9abc_def1);
    let mut states = VecDeque::new();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..BATCHES + kept {
        let writes = batch(keys, size, &mut sequence);
        let count = writes.len() as f64;
        if kept > 0 {
            states.push_back(tree.clone());
            if states.len() > kept {
                states.pop_front();
            }
        }
        let started = Instant::now();
        tree.update_by(backend, writes);
        times.push(started.elapsed().as_secs_f64() / count);
        black_box(tree.root());
    }
    // Not those that came before there were as many states as are kept.
    let mut times = times.split_off(kept);
    times.sort_by(f64::total_cmp);
    1.0 / times[times.len() / 2]
}

fn main() {
    let keys: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let before = resident();
    let mut tree = Tree::new();
    let started = Instant::now();
    for chunk in 0..keys.div_ceil(10_000) {
        tree.update((chunk * 10_000..keys.min((chunk + 1) * 10_000)).map(account).collect());
    }
    let took = started.elapsed().as_secs_f64();
    println!("{keys} keys inserted in {took:.2} s, {:.0} bytes a key", (resident() - before) as f64 / keys as f64);
    println!("{:>10} {:>10} {:>16} {:>22}", "backend", "batch", "in place, 1/s", "with 8 states kept, 1/s");
    for backend in Backend::available() {
        for size in [1_000, 10_000, 100_000] {
            let in_place = measure(&mut tree, keys, size, 0, backend);
            let kept = measure(&mut tree, keys, size, KEPT, backend);
            println!("{:>10} {size:>10} {in_place:>16.0} {kept:>22.0}", backend.name());
        }
    }
}
