//! Keccak-256 of many long preimages at once: each lane takes in the blocks of one of them.

use super::batch::{Backend, Blocks, LANES, RATE, keccak256_portable, pad};
use alloc::{vec, vec::Vec};
use alloy_primitives::B256;

/// Words of a state.
pub(super) const STATE_WORDS: usize = 25;

/// The states of the lanes, word by word.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct States(pub(super) [[u64; LANES]; STATE_WORDS]);

/// Keccak-256 of each of `preimages` by `backend`, in order.
pub(super) fn hash_each(backend: Backend, preimages: &[&[u8]]) -> Vec<B256> {
    if backend == Backend::PORTABLE {
        return preimages.iter().map(|preimage| keccak256_portable(preimage)).collect();
    }
    let mut hashes = vec![B256::ZERO; preimages.len()];
    // Those of like length together, so that lanes end at about the same time.
    let mut order: Vec<(usize, &[u8])> = preimages.iter().copied().enumerate().collect();
    order.sort_by_key(|(_, preimage)| core::cmp::Reverse(preimage.len()));
    for group in order.chunks(LANES) {
        let found = hash_group(backend, group);
        for ((slot, _), found) in group.iter().zip(found) {
            if let Some(hash) = hashes.get_mut(*slot) {
                *hash = found;
            }
        }
    }
    hashes
}

/// Hashes as many as there are lanes, the longest first.
fn hash_group(backend: Backend, group: &[(usize, &[u8])]) -> [B256; LANES] {
    let mut hashes = [B256::ZERO; LANES];
    let mut states = States([[0; LANES]; STATE_WORDS]);
    let mut blocks = Blocks::new();
    let mut absorbed = 0;
    // Lanes end from the last one on.
    let mut count = group.len();
    while count > 0 {
        for (block, (_, preimage)) in blocks.0.iter_mut().zip(group).take(count) {
            fill(block, preimage.get(absorbed * RATE..).unwrap_or_default());
        }
        backend.absorb(count, &mut states, &blocks);
        let ended = |(_, preimage): &&(usize, &[u8])| preimage.len() / RATE == absorbed;
        let left = count - group[..count].iter().rev().take_while(ended).count();
        for (lane, hash) in hashes.iter_mut().enumerate().take(count).skip(left) {
            let words = [0, 1, 2, 3].map(|word: usize| states.0[word][lane].to_le_bytes());
            hash.0.copy_from_slice(words.as_flattened());
        }
        (absorbed, count) = (absorbed + 1, left);
    }
    hashes
}

/// Makes a block the next one of a preimage, of which `rest` is left: padded, if it is the last one.
fn fill(block: &mut [u8; RATE], rest: &[u8]) {
    if let Some(whole) = rest.first_chunk() {
        *block = *whole;
    } else {
        block[..rest.len()].copy_from_slice(rest);
        pad(block, rest.len());
    }
}
