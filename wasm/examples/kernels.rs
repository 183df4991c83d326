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
/// A node of the state tree: the words of two hashes.
type Node = [u64; 8];
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
    /// Nodes, and their hashes.
    Hash(Vec<Node>, Vec<B256>),
    /// The same by the crate sha3, which takes bytes.
    HashBySha3(Vec<[u8; size_of::<Node>()]>, Vec<B256>),
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

    /// The same by the peer that is in this module too, under the peer's name.
    pub fn peer(&self) -> Option<Kernel> {
        let Work::Hash(nodes, hashes) = &self.work else { return None };
        let bytes = |node: &Node| std::array::from_fn(|at| node[at / 8].to_le_bytes()[at % 8]);
        Some(Self { name: "sha3", work: Work::HashBySha3(nodes.iter().map(bytes).collect(), hashes.clone()) })
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
            Work::HashBySha3(nodes, hashes) => {
                let found: Vec<_> = nodes.iter().map(|node| B256::new(Keccak256::digest(node).into())).collect();
                (found == *hashes).then_some(NODES as u32)
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
    let nodes: Vec<_> = (0..NODES).map(node).collect();
    let hashes = nodes.iter().map(|node| keccak256(node.map(u64::to_le_bytes).as_flattened())).collect();
    let mut kernels = vec![
        Kernel { name: "recover_one", work: Work::OneByOne(signed.clone()) },
        Kernel { name: "recover_many", work: Work::AtOnce(signed) },
        Kernel { name: "keccak", work: Work::Hash(nodes, hashes) },
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

/// What is recovered, for a peer outside of this module: of each signature its 65 bytes, the 32 of the hash and the 64 of the key.
#[wasm_bindgen]
pub fn signatures() -> Vec<u8> {
    let fields = |(hash, signature): (B256, Signature)| {
        let key = signature::recover_public_key(&hash, &signature).expect("a key");
        [signature.as_bytes().as_slice(), hash.as_slice(), key.as_slice()].concat()
    };
    (0..BATCH).map(signed).flat_map(fields).collect()
}

/// A node for each seed.
fn node(seed: u64) -> Node {
    let halves = [seed, !seed].map(|number| U256::from_be_bytes(keccak256(number.to_be_bytes()).0).into_limbs());
    std::array::from_fn(|at| halves.as_flattened()[at])
}

/// A hash and a signature of it, by a key for each seed.
fn signed(seed: u64) -> (B256, Signature) {
    let hash = keccak256(seed.to_be_bytes());
    (hash, SecretKey::from_bytes(&hash.0).expect("a key").sign(&hash))
}
