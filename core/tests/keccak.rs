//! Keccak-256 of many preimages: every backend of this machine against the crate `sha3`.

use alloy_primitives::B256;
use ocelli_core::hash::{Backend, Batch, SHORT_BYTES, keccak256, keccak256_each, keccak256_many};
use proptest::prelude::*;
use sha3::{Digest, Keccak256};
use std::io::Write;

fn specified(preimage: &[u8]) -> B256 {
    B256::new(Keccak256::digest(preimage).into())
}

/// Bytes that differ at every place and for every seed.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 131 + seed * 29 + (at * seed) / 7) as u8).collect()
}

/// What every backend has to do with `preimages`, pushed in as many parts as `parts` says, in a batch that was used before.
fn every_backend_hashes(preimages: &[Vec<u8>], parts: usize) {
    let expected: Vec<B256> = preimages.iter().map(|preimage| specified(preimage)).collect();
    for backend in Backend::available() {
        let mut batch = Batch::with(backend);
        for round in 0..2 {
            for preimage in preimages {
                let parts: Vec<&[u8]> = preimage.chunks(preimage.len().div_ceil(parts).max(1)).collect();
                batch.push(&parts);
            }
            assert_eq!(batch.len(), preimages.len());
            let found: Vec<B256> = batch.drain().collect();
            assert_eq!(found, expected, "{} in round {round}", backend.name());
            assert!(batch.is_empty());
        }
    }
}

#[test]
fn every_length_up_to_two_blocks_hashes_as_specified() {
    for length in 0..=2 * (SHORT_BYTES + 1) + 1 {
        every_backend_hashes(&[bytes(length, length), bytes(length + 1, length)], 1 + length % 4);
    }
}

#[test]
fn long_ones_of_all_lengths_hash_as_specified_beside_each_other() {
    let block = SHORT_BYTES + 1;
    for count in 1..=20 {
        let length = |seed: usize| (seed * 7 % 5) * block + (seed * 31) % (2 * block);
        every_backend_hashes(&(0..count).map(|seed| bytes(seed, length(seed))).collect::<Vec<_>>(), 3);
    }
    // Where the padding is a block of its own, or meets itself in one byte; and one far longer than what stands beside it.
    let lengths = [block, 2 * block, 3 * block, block - 1, 2 * block - 1, 3 * block - 1, 40 * block + 3, 700 * block];
    every_backend_hashes(&lengths.map(|length| bytes(length, length)), 2);
}

#[test]
fn short_ones_that_waited_while_long_ones_were_hashed_keep_their_places() {
    // So many bytes of long ones are hashed at once, whatever else waits.
    let many = 1 << 16;
    for lengths in
        [&[1, many, 200][..], &[64, many - 1, 300, 64, 200, 200], &[1, 2, many, 200, 300, 64], &[many, 1, 200]]
    {
        let preimages: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(at, length)| bytes(at, *length)).collect();
        every_backend_hashes(&preimages, 1);
    }
}

#[test]
fn every_count_of_preimages_keeps_its_order() {
    for count in 0..=35 {
        every_backend_hashes(&(0..count).map(|seed| bytes(seed, 64)).collect::<Vec<_>>(), 2);
        every_backend_hashes(&(0..count).map(|seed| bytes(seed, (seed * 23) % 150)).collect::<Vec<_>>(), 1);
    }
}

#[test]
fn whole_words_are_padded_whatever_stood_in_their_lane() {
    let word = |seed: usize, at: usize| u64::from_le_bytes(bytes(seed, 128)[at * 8..at * 8 + 8].try_into().unwrap());
    for backend in Backend::available() {
        let (mut batch, mut expected) = (Batch::with(backend), vec![]);
        for seed in 0..200 {
            let length = [128, 0, 8, 77, 64][seed * seed % 11 % 5];
            match length {
                128 => batch.push_words::<16>(std::array::from_fn(|at| word(seed, at))),
                64 => batch.push_words::<8>(std::array::from_fn(|at| word(seed, at))),
                8 => batch.push_words([word(seed, 0)]),
                0 => batch.push_words([]),
                _ => batch.push(&[&bytes(seed, 128)[..length]]),
            }
            expected.push(specified(&bytes(seed, 128)[..length]));
        }
        assert_eq!(batch.drain().collect::<Vec<_>>(), expected, "{}", backend.name());
    }
}

#[test]
fn one_and_many_are_the_same_function() {
    let preimages: Vec<Vec<u8>> = (0..50).map(|seed| bytes(seed, seed * 5)).collect();
    let one_by_one: Vec<B256> = preimages.iter().map(keccak256).collect();
    assert_eq!(keccak256_many(&preimages), one_by_one);
    assert_eq!(keccak256_each(&preimages.iter().map(Vec::as_slice).collect::<Vec<_>>()), one_by_one);
}

#[test]
fn the_portable_backend_is_always_there_and_the_last_resort() {
    let backends: Vec<Backend> = Backend::available().collect();
    assert_eq!(backends.first(), Some(&Backend::best()));
    assert_eq!(backends.last(), Some(&Backend::PORTABLE));
}

#[test]
fn backends_that_cannot_run_here_are_named() {
    let here: Vec<_> = Backend::available().map(Backend::name).collect();
    assert!(here.iter().all(|name| Backend::NAMES.contains(name)));
    // The one for WebAssembly is tested in a browser, by `wasm/tests`.
    let missing = |name: &&str| !here.contains(name) && *name != "simd128";
    let missing: Vec<_> = Backend::NAMES.iter().copied().filter(missing).collect();
    if !missing.is_empty() {
        // Past libtest, which keeps to itself what a test prints that passes, and in one line, as this is one test; a closed
        // stderr is no reason to fail.
        let missing = missing.join(", ");
        let line = format!("SKIPPED: Keccak-256 with {missing}: this processor has no such instructions\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

proptest! {
    #[test]
    fn short_long_and_very_long_ones_hash_as_specified(
        lengths in prop::collection::vec(prop_oneof![0_usize..140, 136_usize..400, 30_000_usize..70_000], 0..14),
    ) {
        let preimages: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(at, length)| bytes(at, *length)).collect();
        every_backend_hashes(&preimages, 2);
    }

    #[test]
    fn any_mix_hashes_as_specified(
        preimages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..40), parts in 1_usize..5,
    ) {
        every_backend_hashes(&preimages, parts);
    }
}

#[test]
fn words_bytes_and_long_ones_may_be_pushed_in_any_order() {
    for backend in Backend::available() {
        let mut batch = Batch::with(backend);
        for round in 0..3 {
            let mut expected = Vec::new();
            for seed in 0..97 {
                let length = [64, 135, 300, 0, 72, 137][(seed * (round + 5) / 3) % 6];
                let preimage = bytes(seed, length);
                if length == 64 {
                    let mut words = [0; 8];
                    for (word, bytes) in words.iter_mut().zip(preimage.as_chunks().0) {
                        *word = u64::from_le_bytes(*bytes);
                    }
                    batch.push_words(words);
                } else {
                    batch.push(&[&preimage]);
                }
                expected.push(specified(&preimage));
            }
            let found: Vec<B256> = if round == 2 { batch.clone().into_hashes() } else { batch.drain().collect() };
            assert_eq!(found, expected, "{} in round {round}", backend.name());
        }
    }
}
