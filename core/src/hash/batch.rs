//! Keccak-256 of many preimages at once.
//!
//! A preimage of at most [`SHORT_BYTES`] takes one permutation; as many of those run side by side as the CPU's vector
//! registers have lanes, and as many long ones ([`super::sponge`]). Every backend gives the hashes that the crate `sha3` gives,
//! which is the portable one.

use super::sponge::{States, hash_each};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::wasm::Simd128;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use alloc::vec::{Drain, Vec};
use alloy_primitives::B256;
use sha3::{Digest, Keccak256};

/// The longest preimage that takes one permutation: the rate of Keccak-256 in bytes, less one for the padding.
pub const SHORT_BYTES: usize = 135;

/// How many blocks a batch collects before it hashes them: the most that a backend hashes side by side.
pub(super) const LANES: usize = 8;
/// The rate of Keccak-256 in 64-bit words.
pub(super) const RATE_WORDS: usize = 17;

/// How many bytes of long preimages a batch collects before it hashes them.
const LONG_BYTES: usize = 1 << 16;

/// Padded blocks, word by word: so a backend loads one word of all of them at once.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Blocks(pub(super) [[u64; LANES]; RATE_WORDS]);

/// The words of the hashes of [`Blocks`].
pub(super) type Hashes = [[u64; LANES]; 4];

/// What hashes: one of those that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The crate `sha3`, the specification.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128(Simd128),
}

impl Backend {
    /// The one that runs anywhere.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The fastest that this machine has.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }

    /// All that this machine has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let vectors = [Avx512::new().map(Kind::Avx512), Avx2::new().map(Kind::Avx2)];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        let vectors = [Some(Kind::Simd128(Simd128))];
        #[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
        let vectors = [None];
        vectors.into_iter().flatten().map(Self).chain([Self::PORTABLE])
    }

    /// Its name, for reports.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128(_) => "simd128",
        }
    }

    /// Hashes the first `count` of `blocks`.
    fn hash(self, count: usize, blocks: &Blocks) -> Hashes {
        let mut hashes = [[0; LANES]; 4];
        match self.0 {
            // Its preimages are hashed as they come, so that nothing waits.
            Kind::Portable => {
                let _ = (count, blocks, &mut hashes);
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(kernel) => kernel.hash(count, blocks, &mut hashes),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(kernel) => kernel.hash(blocks, &mut hashes),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128(kernel) => kernel.hash(count, blocks, &mut hashes),
        }
        hashes
    }

    /// Takes the first `count` of `blocks` into the states of their lanes.
    pub(super) fn absorb(self, count: usize, states: &mut States, blocks: &Blocks) {
        match self.0 {
            // Its preimages are hashed as they come.
            Kind::Portable => {
                let _ = (count, states, blocks);
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(kernel) => kernel.absorb(count, states, blocks),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(kernel) => kernel.absorb(states, blocks),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128(kernel) => kernel.absorb(count, states, blocks),
        }
    }
}

/// Preimages that are hashed together: pushed one by one, their hashes drained in the same order.
///
/// Made for use again and again; long preimages may stand among the short ones.
#[derive(Clone, Debug)]
pub struct Batch {
    backend: Backend,
    blocks: Blocks,
    /// How many whole words the preimage in each lane was pushed as, the last time; its padding still stands there.
    padded: [usize; LANES],
    /// How many lanes wait, and which of the hashes is each one's.
    waiting: usize,
    slots: [usize; LANES],
    hashes: Vec<B256>,
    /// Long preimages that wait, one after the other.
    long: Vec<u8>,
    /// Where each of those ends, and which of the hashes is its.
    ends: Vec<(usize, usize)>,
}

/// No preimage has so many words.
const NOT_PADDED: usize = usize::MAX;

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// Without preimages yet, for the fastest backend.
    pub fn new() -> Self {
        Self::with(Backend::best())
    }

    /// Without preimages yet, for `backend`.
    pub const fn with(backend: Backend) -> Self {
        Self {
            backend,
            blocks: Blocks([[0; LANES]; RATE_WORDS]),
            padded: [NOT_PADDED; LANES],
            waiting: 0,
            slots: [0; LANES],
            hashes: Vec::new(),
            long: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many preimages were pushed and not drained.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nothing was pushed that was not drained.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Pushes the preimage that consists of `parts`, one after the other.
    pub fn push(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.backend == Backend::PORTABLE {
            return self.hashes.push(hash_of_parts(parts));
        }
        if length > SHORT_BYTES {
            return self.push_long(parts);
        }
        let mut block = [0; RATE_WORDS * 8];
        let mut rest = &mut block[..];
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        // There is room: the block is longer than a short preimage.
        if let Some(first) = rest.first_mut() {
            *first = 0x01;
        }
        block[RATE_WORDS * 8 - 1] |= 0x80;
        let lane = self.waiting;
        for (words, bytes) in self.blocks.0.iter_mut().zip(block.as_chunks().0) {
            words[lane] = u64::from_le_bytes(*bytes);
        }
        self.padded[lane] = NOT_PADDED;
        self.enter();
    }

    /// Pushes a preimage of whole 64-bit words, at most 16, each given as the little-endian value of its eight bytes.
    pub fn push_words<const N: usize>(&mut self, preimage: [u64; N]) {
        const { assert!(N < RATE_WORDS) }
        if self.backend == Backend::PORTABLE {
            return self.hashes.push(hash_of_parts(&[preimage.map(u64::to_le_bytes).as_flattened()]));
        }
        let lane = self.waiting;
        for (words, word) in self.blocks.0.iter_mut().zip(preimage) {
            words[lane] = word;
        }
        if self.padded[lane] != N {
            self.padded[lane] = N;
            for words in &mut self.blocks.0[N..] {
                words[lane] = 0;
            }
            self.blocks.0[N][lane] = 0x01;
            self.blocks.0[RATE_WORDS - 1][lane] |= 0x80 << 56;
        }
        self.enter();
    }

    /// The hashes of all preimages, in the order in which they were pushed. The batch is then empty.
    pub fn drain(&mut self) -> Drain<'_, B256> {
        self.run();
        self.run_long();
        self.hashes.drain(..)
    }

    /// The hashes of all preimages, in the order in which they were pushed.
    pub fn into_hashes(mut self) -> Vec<B256> {
        self.run();
        self.run_long();
        self.hashes
    }

    /// Makes room for so many more hashes.
    pub fn reserve(&mut self, preimages: usize) {
        self.hashes.reserve(preimages);
    }

    fn push_long(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.long.extend_from_slice(part));
        self.ends.push((self.long.len(), self.hashes.len()));
        self.hashes.push(B256::ZERO);
        if self.long.len() >= LONG_BYTES {
            self.run_long();
        }
    }

    /// Hashes the long preimages that wait.
    fn run_long(&mut self) {
        let mut start = 0;
        let preimages = self.ends.iter().map(|(end, _)| {
            let preimage = self.long.get(start..*end).unwrap_or_default();
            start = *end;
            preimage
        });
        let found = hash_each(self.backend, &preimages.collect::<Vec<_>>());
        for ((_, slot), found) in self.ends.drain(..).zip(found) {
            if let Some(hash) = self.hashes.get_mut(slot) {
                *hash = found;
            }
        }
        self.long.clear();
    }

    /// Counts the block that was written to the next lane.
    fn enter(&mut self) {
        self.slots[self.waiting] = self.hashes.len();
        self.hashes.push(B256::ZERO);
        self.waiting += 1;
        if self.waiting == LANES {
            self.run();
        }
    }

    /// Hashes what waits.
    fn run(&mut self) {
        let count = core::mem::take(&mut self.waiting);
        if count == 0 {
            return;
        }
        let hashes = self.backend.hash(count, &self.blocks);
        for (lane, slot) in self.slots.iter().enumerate().take(count) {
            let words = [hashes[0][lane], hashes[1][lane], hashes[2][lane], hashes[3][lane]];
            if let (Some(hash), bytes) = (self.hashes.get_mut(*slot), words.map(u64::to_le_bytes)) {
                hash.0.copy_from_slice(bytes.as_flattened());
            }
        }
    }
}

fn hash_of_parts(parts: &[&[u8]]) -> B256 {
    let hasher = parts.iter().fold(Keccak256::new(), |hasher, part| hasher.chain_update(part));
    B256::new(hasher.finalize().into())
}

/// [`super::keccak256`] by the crate `sha3`, which is the specification.
pub(super) fn keccak256_portable(preimage: &[u8]) -> B256 {
    B256::new(Keccak256::digest(preimage).into())
}

/// Keccak-256 of each of `preimages`, in order; the fastest way for long ones, which are not copied.
pub fn keccak256_each(preimages: &[&[u8]]) -> Vec<B256> {
    hash_each(Backend::best(), preimages)
}

/// Keccak-256 of each of `preimages`, in order.
pub fn keccak256_many<T: AsRef<[u8]>>(preimages: impl IntoIterator<Item = T>) -> Vec<B256> {
    let preimages = preimages.into_iter();
    let mut batch = Batch::new();
    batch.reserve(preimages.size_hint().0);
    for preimage in preimages {
        batch.push(&[preimage.as_ref()]);
    }
    batch.into_hashes()
}
