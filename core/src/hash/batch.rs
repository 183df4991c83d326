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
/// The rate of Keccak-256 in bytes.
pub(super) const RATE: usize = 136;
/// How long a preimage of two hashes is, as the state tree has mostly: blocks of nothing else take less to load.
pub(super) const HALF_BYTES: usize = 64;
/// Bytes of a word of a state.
pub(super) const WORD: usize = 8;

/// How many bytes of long preimages a batch collects before it hashes them.
const LONG_BYTES: usize = 1 << 16;

/// Padded blocks, one for each lane.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Blocks(pub(super) [[u8; RATE]; LANES]);

impl Blocks {
    /// Zeros, which is no block yet.
    pub(super) const fn new() -> Self {
        Self([[0; RATE]; LANES])
    }
}

/// The hashes of [`Blocks`].
pub(super) type Hashes = [B256; LANES];

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

    /// The names of all backends, whether this machine has them or not, the fastest first.
    pub const NAMES: &'static [&'static str] = &["avx512", "avx2", "simd128", "portable"];

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

    /// Its name, one of [`Self::NAMES`].
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

    /// Hashes the first `count` of `blocks`, of which `are_half` says whether each has [`HALF_BYTES`] and its padding.
    fn hash(self, count: usize, blocks: &Blocks, are_half: bool) -> Hashes {
        let mut hashes = [B256::ZERO; LANES];
        match self.0 {
            // Its preimages are hashed as they come, so that nothing waits.
            Kind::Portable => {
                let _ = (count, blocks, are_half, &mut hashes);
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(kernel) => kernel.hash(count, blocks, are_half, &mut hashes),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(kernel) => kernel.hash(blocks, are_half, &mut hashes),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128(kernel) => kernel.hash(count, blocks, are_half, &mut hashes),
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
    /// How long the last preimage in each lane was; its padding still stands there.
    padded: [usize; LANES],
    /// How many lanes wait, and which of the hashes is each one's.
    waiting: usize,
    slots: [usize; LANES],
    /// How many preimages were pushed since the last time that it was drained.
    pushed: usize,
    /// Their hashes, but for those of the last ones, with zeros for long ones that wait.
    hashes: Vec<B256>,
    /// Long preimages that wait, one after the other.
    long: Vec<u8>,
    /// Where each of those ends, and which of the hashes is its.
    ends: Vec<(usize, usize)>,
}

/// No preimage is so long.
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
            blocks: Blocks::new(),
            padded: [NOT_PADDED; LANES],
            waiting: 0,
            slots: [0; LANES],
            pushed: 0,
            hashes: Vec::new(),
            long: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many preimages were pushed and not drained.
    pub const fn len(&self) -> usize {
        self.pushed
    }

    /// Whether nothing was pushed that was not drained.
    pub const fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// Pushes the preimage that consists of `parts`, one after the other.
    #[inline]
    pub fn push(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.backend == Backend::PORTABLE {
            return self.push_hash(hash_of_parts(parts));
        }
        if length > SHORT_BYTES {
            return self.push_long(parts);
        }
        let mut rest = &mut self.blocks.0[self.waiting][..];
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        self.enter(length);
    }

    /// Pushes a preimage of whole 64-bit words, at most 16, each given as the little-endian value of its eight bytes.
    #[inline]
    pub fn push_words<const N: usize>(&mut self, preimage: [u64; N]) {
        const { assert!(N * WORD <= SHORT_BYTES) }
        if self.backend == Backend::PORTABLE {
            return self.push_hash(keccak256_portable(preimage.map(u64::to_le_bytes).as_flattened()));
        }
        let words = self.blocks.0[self.waiting].as_chunks_mut().0;
        for (here, word) in words.iter_mut().zip(preimage) {
            *here = word.to_le_bytes();
        }
        self.enter(N * WORD);
    }

    /// The hashes of all preimages, in the order in which they were pushed. The batch is then empty.
    pub fn drain(&mut self) -> Drain<'_, B256> {
        self.run();
        self.run_long();
        self.pushed = 0;
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

    fn push_hash(&mut self, hash: B256) {
        self.hashes.push(hash);
        self.pushed += 1;
    }

    fn push_long(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.long.extend_from_slice(part));
        self.ends.push((self.long.len(), self.pushed));
        self.pushed += 1;
        if self.long.len() >= LONG_BYTES {
            self.run_long();
        }
    }

    /// Hashes the long preimages that wait.
    fn run_long(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.hashes.resize(self.pushed, B256::ZERO);
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

    /// Pads and counts the preimage that was written to the next lane.
    #[inline]
    fn enter(&mut self, length: usize) {
        let lane = self.waiting;
        if self.padded[lane] != length {
            self.padded[lane] = length;
            pad(&mut self.blocks.0[lane], length);
        }
        self.slots[lane] = self.pushed;
        self.pushed += 1;
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
        let are_half = self.padded.iter().take(count).all(|length| *length == HALF_BYTES);
        let found = self.backend.hash(count, &self.blocks, are_half);
        let found = found.into_iter().take(count);
        // The first of them is the next one, and the last the last that was pushed: nothing stands among them.
        if self.slots[0] == self.hashes.len() && self.hashes.len() + count == self.pushed {
            return self.hashes.extend(found);
        }
        self.hashes.resize(self.pushed, B256::ZERO);
        for (slot, found) in self.slots.iter().zip(found) {
            if let Some(hash) = self.hashes.get_mut(*slot) {
                *hash = found;
            }
        }
    }
}

/// Pads what stands in the first `length` bytes of the last block of a preimage; there is room for one byte more.
pub(super) fn pad(block: &mut [u8; RATE], length: usize) {
    block[length..].fill(0);
    block[length] = 0x01;
    block[RATE - 1] |= 0x80;
}

fn hash_of_parts(parts: &[&[u8]]) -> B256 {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
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
