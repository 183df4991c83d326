//! What tasks are made of, alone, for `npm run bench:browser` to time in each module.

#![cfg(target_arch = "wasm32")]

use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    hash::{Batch, keccak256},
    signature::{self, SecretKey, Signature},
};
use revm::precompile::{PrecompileSpecId, Precompiles};
use sha3::{Digest, Keccak256};
use wasm_bindgen::prelude::wasm_bindgen;

#[path = "precompile_costs/inputs.rs"]
mod inputs;

/// How many signatures are recovered at once.
const BATCH: u64 = 256;
/// How many nodes are hashed at once.
const NODES: u64 = 1_024;
/// Bytes of a node: two hashes.
const NODE_BYTES: usize = 64;
const MULTIPLICATIONS: u32 = 10_000;
/// Calls of precompiles that are timed: what figures say of them, and their inputs.
const CALLS: [(&str, &str); 4] = [
    ("modexp", "modexp, 256 bytes, odd, to the 2^16 + 1"),
    ("bn254_pairing", "bn254 pairing of 2"),
    ("point_evaluation", "point evaluation"),
    ("p256", "p256 verify"),
];

/// One thing that is done over and over.
#[wasm_bindgen]
pub struct Kernel {
    name: &'static str,
    work: Work,
}

enum Work {
    OneByOne(Vec<(B256, Signature)>),
    AtOnce(Vec<(B256, Signature)>),
    /// Nodes in words, as the state tree has them, and their hashes.
    Hash(Vec<[u64; NODE_BYTES / 8]>, Vec<B256>),
    /// The same nodes in bytes, for the crate sha3, and their hashes.
    HashOneByOne(Vec<[u8; NODE_BYTES]>, Vec<B256>),
    Multiply(U256),
    Precompile(Address, Vec<u8>),
}

#[wasm_bindgen]
impl Kernel {
    /// Its name in figures.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.name.into()
    }

    /// What others would do it by, if that is in this module too.
    pub fn peer(&self) -> Option<Kernel> {
        let Work::Hash(nodes, hashes) = &self.work else { return None };
        let bytes =
            |node: &[u64; NODE_BYTES / 8]| *node.map(u64::to_le_bytes).as_flattened().as_array().expect("a node");
        Some(Self { name: "sha3", work: Work::HashOneByOne(nodes.iter().map(bytes).collect(), hashes.clone()) })
    }

    /// Does it for a moment; how often. None if something came out wrong.
    pub fn run(&mut self) -> Option<u32> {
        match &mut self.work {
            Work::OneByOne(signed) => {
                let recovered = signed.iter().filter(|(hash, signature)| signature::recover(hash, signature).is_ok());
                (recovered.count() == signed.len()).then_some(BATCH as u32)
            }
            Work::AtOnce(signed) => signature::recover_many(signed).iter().all(Result::is_ok).then_some(BATCH as u32),
            Work::Hash(nodes, hashes) => {
                let mut batch = Batch::new();
                batch.reserve(nodes.len());
                nodes.iter().for_each(|node| batch.push_words(*node));
                (batch.into_hashes() == *hashes).then_some(NODES as u32)
            }
            Work::HashOneByOne(nodes, hashes) => {
                let found = nodes.iter().map(|node| B256::new(Keccak256::digest(node).into()));
                found.eq(hashes.iter().copied()).then_some(NODES as u32)
            }
            Work::Multiply(factor) => {
                // Each product is needed for the next; what is odd stays odd.
                *factor = (0..MULTIPLICATIONS).fold(*factor, |product, _| product.wrapping_mul(*factor));
                factor.bit(0).then_some(MULTIPLICATIONS)
            }
            Work::Precompile(address, input) => {
                let output = Precompiles::new(PrecompileSpecId::OSAKA).get(address)?.execute(input, 1 << 24, 0).ok()?;
                output.is_success().then_some(1)
            }
        }
    }
}

/// All of them.
#[wasm_bindgen]
pub fn kernels() -> Vec<Kernel> {
    let signed: Vec<_> = (0..BATCH).map(signed).collect();
    let mut kernels = vec![
        Kernel { name: "recover_one", work: Work::OneByOne(signed.clone()) },
        Kernel { name: "recover_many", work: Work::AtOnce(signed) },
        Kernel { name: "multiply", work: Work::Multiply(U256::MAX / U256::from(5)) },
    ];
    for input in inputs::all() {
        if let Some((name, _)) = CALLS.iter().find(|(_, of)| *of == input.name) {
            let address = Address::from_word(U256::from(input.address()).into());
            kernels.push(Kernel { name, work: Work::Precompile(address, input.bytes) });
        }
    }
    kernels
}

/// A hash and a signature of it, by a key for each seed.
fn signed(seed: u64) -> (B256, Signature) {
    let hash = keccak256(seed.to_be_bytes());
    (hash, SecretKey::from_bytes(&hash.0).expect("a key").sign(&hash))
}
