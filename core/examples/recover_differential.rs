//! Recovers random signatures, and among them some that are made to hit exceptions, with the fastest backend and with libsecp256k1,
//! and stops at the first difference:
//! `cargo run --release --package ocelli-core --example recover_differential -- [COUNT] [SEED]`, ten million if not told.

#[path = "../tests/recovery/adversarial.rs"]
mod adversarial;
#[path = "../tests/recovery/inputs.rs"]
mod inputs;

use inputs::{Inputs, Signed};
use ocelli_core::signature::{Backend, SignatureError};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::io::Write;

/// Signatures between two reports of progress.
const BATCH: usize = 1 << 16;
/// Of so many signatures side by side, one is adversarial.
const NEIGHBOURS: usize = 16;

fn expected((hash, signature): &Signed) -> Result<[u8; 64], SignatureError> {
    let id = if signature.y_odd() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&signature.as_bytes()[..64], id).expect("r and s are in range");
    let key = signature.recover(Message::from_digest(hash.0)).map_err(|_| SignatureError::NoKey)?;
    Ok(key.serialize_uncompressed()[1..].try_into().expect("two coordinates"))
}

/// Random signatures made from `seed`, one among [`NEIGHBOURS`] of which gives its place to one of `adversarial`.
fn mixed(seed: u64, adversarial: &[Signed]) -> impl Iterator<Item = Signed> {
    Inputs::new(seed).enumerate().map(move |(at, random)| {
        let (turn, place) = (at / NEIGHBOURS, at % NEIGHBOURS);
        let (round, which) = (turn / adversarial.len(), turn % adversarial.len());
        // In each round elsewhere, so that each of them comes into every lane.
        if place == (which + round) % NEIGHBOURS { adversarial[which] } else { random }
    })
}

/// Compares `count` signatures made from `seed` and mixed with `adversarial` ones, and returns how many had a key.
fn compare(seed: u64, adversarial: &[Signed], count: usize) -> usize {
    let mut inputs = mixed(seed, adversarial);
    let mut with_key = 0;
    for done in (0..count).step_by(BATCH) {
        let signed: Vec<Signed> = inputs.by_ref().take(BATCH.min(count - done)).collect();
        let found = Backend::fastest(signed.len()).recover_public_keys(&signed);
        for (found, signed) in found.iter().zip(&signed) {
            assert_eq!(found.map(|key| key.0), expected(signed), "{signed:?}");
            with_key += usize::from(found.is_ok());
        }
    }
    with_key
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let count = arguments.next().unwrap_or(10_000_000) as usize;
    let seed = arguments.next().unwrap_or(1);
    let threads = std::thread::available_parallelism()?.get();
    let adversarial = &adversarial::inputs();
    let with_key: usize = std::thread::scope(|scope| {
        let share = count.div_ceil(threads);
        let run = |thread| scope.spawn(move || compare(seed * 1_024 + thread as u64, adversarial, share));
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().expect("no difference")).sum()
    });
    let backend = Backend::fastest(BATCH).name();
    writeln!(
        std::io::stdout(),
        "{backend}: {count} signatures, {with_key} of them with a key, each as libsecp256k1 has it"
    )
}
