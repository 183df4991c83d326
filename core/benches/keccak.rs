//! Keccak-256 of short preimages: every backend of this machine against the crate `sha3`, in turns.
//!
//! `cargo bench -p ocelli-core --bench keccak`; a benchmark by hand, since no harness measures in turns, which is what
//! makes a ratio hold on a machine that others use too.

#![allow(clippy::print_stdout)]

use alloy_primitives::B256;
use ocelli_core::hash::{Backend, Batch};
use std::{hint::black_box, time::Instant};

const PREIMAGES: usize = 4096;
const TURNS: usize = 31;

/// Nanoseconds a hash of `length` bytes takes.
fn measure(backend: Backend, length: usize, preimages: &[[u8; 136]]) -> f64 {
    let mut batch = Batch::with(backend);
    let mut last = B256::ZERO;
    let started = Instant::now();
    for preimage in preimages {
        batch.push(&[&preimage[..length]]);
    }
    last = batch.drain().fold(last, |last, hash| last ^ hash);
    let took = started.elapsed();
    black_box(last);
    took.as_nanos() as f64 / preimages.len() as f64
}

/// The same for 64 bytes that are given as words, as a tree's nodes are.
fn measure_words(backend: Backend, preimages: &[[u64; 8]]) -> f64 {
    let mut batch = Batch::with(backend);
    let started = Instant::now();
    for preimage in preimages {
        batch.push_words(*preimage);
    }
    let last = batch.drain().fold(B256::ZERO, |last, hash| last ^ hash);
    let took = started.elapsed();
    black_box(last);
    took.as_nanos() as f64 / preimages.len() as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let preimages: Vec<[u8; 136]> =
        (0..PREIMAGES).map(|seed| std::array::from_fn(|at| (seed * 31 + at * 7) as u8)).collect();
    let words: Vec<[u64; 8]> = (0..PREIMAGES as u64).map(|seed| std::array::from_fn(|at| seed << at)).collect();
    let backends: Vec<Backend> = Backend::available().collect();
    println!("{:>10} {:>10} {:>12} {:>12} {:>8}", "backend", "bytes", "ns a hash", "ns of sha3", "ratio");
    for length in [20, 52, 64, 65, 112, 135] {
        let turns = |_| backends.iter().map(|backend| measure(*backend, length, &preimages)).collect::<Vec<_>>();
        report(&backends, &length.to_string(), (0..TURNS).map(turns).collect());
    }
    let turns = |_| backends.iter().map(|backend| measure_words(*backend, &words)).collect::<Vec<_>>();
    report(&backends, "8 words", (0..TURNS).map(turns).collect());
}

fn report(backends: &[Backend], length: &str, turns: Vec<Vec<f64>>) {
    let of = |at: usize| median(turns.iter().map(|turn| turn[at]).collect());
    let portable = of(backends.len() - 1);
    for (at, backend) in backends.iter().enumerate() {
        let ours = of(at);
        println!("{:>10} {length:>10} {ours:>12.1} {portable:>12.1} {:>8.2}", backend.name(), portable / ours);
    }
}
