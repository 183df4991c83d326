//! Recovery of keys: every backend of this machine, one signature after the other and in batches, beside libsecp256k1, in turns.
//!
//! `cargo bench -p ocelli-core --bench recover [--features libsecp256k1] [-- BACKEND… BATCH…]`; a benchmark by hand, as `keccak` is.
//! With the feature the library is a backend as well.

#![allow(clippy::print_stdout)]

#[path = "../tests/recovery/inputs.rs"]
mod inputs;

use inputs::{Inputs, Signed};
use ocelli_core::signature::Backend;
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::{hint::black_box, time::Instant};

const SIGNATURES: usize = 1 << 10;
const BATCHES: [usize; 5] = [1, 2, 16, 64, 256];
const TURNS: usize = 15;

/// Microseconds that each of `signed` takes.
fn measure(signed: &[Signed], recover: impl FnOnce(&[Signed])) -> f64 {
    let started = Instant::now();
    recover(signed);
    started.elapsed().as_secs_f64() * 1e6 / signed.len() as f64
}

fn by(backend: Backend, size: usize) -> impl FnOnce(&[Signed]) {
    move |signed| signed.chunks(size).for_each(|some| drop(black_box(backend.recover_public_keys(some))))
}

fn by_library(signed: &[Signed]) {
    for (hash, signature) in signed {
        let id = if signature.y_odd() { RecoveryId::One } else { RecoveryId::Zero };
        let signature =
            RecoverableSignature::from_compact(&signature.as_bytes()[..64], id).expect("r and s are in range");
        let _ = black_box(signature.recover(Message::from_digest(hash.0)));
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    // Half of all r are on no point, which is soon found out.
    let has_key = |(hash, signature): &Signed| Backend::PORTABLE.recover_public_key(hash, signature).is_ok();
    let signed: Vec<Signed> = Inputs::new(1).filter(has_key).take(SIGNATURES).collect();
    println!("{:>14} {:>8} {:>10} {:>18} {:>8}", "backend", "batch", "µs a key", "µs of libsecp256k1", "ratio");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut sizes: Vec<usize> =
        wanted.iter().filter_map(|argument| argument.parse().ok()).filter(|size| *size > 0).collect();
    if sizes.is_empty() {
        sizes.extend(BATCHES);
    }
    let names: Vec<_> = wanted.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let named = |backend: &Backend| names.is_empty() || names.iter().any(|name| *name == backend.name());
    for backend in Backend::available().into_iter().filter(named) {
        for size in sizes.iter().copied() {
            let turn = |_| (measure(&signed, by(backend, size)), measure(&signed, by_library));
            let (ours, library): (Vec<f64>, Vec<f64>) = (0..TURNS).map(turn).unzip();
            let (ours, library) = (median(ours), median(library));
            println!("{:>14} {size:>8} {ours:>10.2} {library:>18.2} {:>8.2}", backend.name(), library / ours);
        }
    }
}
