//! The kernels alone, in one thread: recovering signers, hashing, updating the state tree.
//!
//! What is called are the core's public functions, so a figure is of whatever backend they choose on this machine.

use super::{
    BenchError,
    figure::{Figure, Unit, median},
    signers::signers,
};
use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use ocelli_core::{
    hash,
    key::Key,
    signature,
    tree::{Leaf, Tree},
    value::{Account, Value},
};
use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

/// Signatures of one batch, as many as the pool recovers as one.
const SIGNATURES: usize = crate::limits::POOL_BATCH;
/// Batches of a round.
const BATCHES: usize = 4;
/// Hashes of a round.
const HASHES: usize = 1 << 17;
/// Bytes of each: a pair of siblings.
const HASHED_BYTES: usize = 64;
/// Keys that are put into a tree at once while it is filled.
const FILLED_AT_ONCE: u32 = 100_000;

/// A kernel that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kernel {
    /// Signer recovery from signatures; beside libsecp256k1.
    Recover,
    /// Keccak-256 of 64 bytes; beside the crate sha3.
    Keccak,
    /// Batch updates of the state tree; beside nomt and jmt.
    Tree,
}

impl Kernel {
    /// Every one.
    pub const ALL: &[Self] = &[Self::Recover, Self::Keccak, Self::Tree];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::Keccak => "keccak",
            Self::Tree => "tree",
        }
    }
}

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Rounds; ours and the peer's take turns.
    pub rounds: u32,
    /// Keys in the trees.
    pub keys: u32,
    /// Keys updated as one batch.
    pub batch: u32,
    /// Whether peers are left out.
    pub alone: bool,
}

/// Measures one kernel, a peer that needs a disk in the folder `dir`.
///
/// # Errors
/// [`BenchError`] if an answer is wrong.
pub fn run(kernel: Kernel, size: Size, dir: &Path, progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    match kernel {
        Kernel::Recover => recover(size, progress),
        Kernel::Keccak => keccak(size, progress),
        Kernel::Tree => tree(size, dir, progress),
    }
}

fn per_second(count: usize, took: &[Duration]) -> f64 {
    count as f64 / median(took.iter().map(Duration::as_secs_f64))
}

fn timed<T>(took: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = black_box(work());
    took.push(started.elapsed());
    done
}

fn recover(size: Size, mut progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    let signers = signers(SIGNATURES * BATCHES)?;
    let hashes = (0_u64..).map(|number| keccak256(number.to_be_bytes()));
    let signed: Vec<(B256, Signature)> =
        signers.iter().zip(hashes).map(|(signer, hash)| (hash, signer.sign(&hash))).collect();
    let parsed: Vec<(B256, signature::Signature)> = signed
        .iter()
        .map(|(hash, signature)| signature.try_into().map(|signature| (*hash, signature)))
        .collect::<Result<_, _>>()
        .map_err(|_| BenchError::Invalid("a signature is not well formed"))?;
    let expected: Vec<Address> = signers.iter().map(|signer| signer.address).collect();
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for round in 0..size.rounds {
        let found: Vec<_> = timed(&mut own, || parsed.chunks(SIGNATURES).flat_map(signature::recover_many).collect());
        if !found.iter().zip(&expected).all(|(found, expected)| found == &Ok(*expected)) {
            return Err(BenchError::Invalid("another signer was recovered"));
        }
        #[cfg(feature = "peers")]
        if !size.alone {
            let one = |(hash, signature): &(B256, Signature)| super::peers::signatures::recover(hash, signature);
            let found: Option<Vec<Address>> = timed(&mut peer, || signed.iter().map(one).collect());
            if found.as_ref() != Some(&expected) {
                let reason = "another signer was recovered".to_owned();
                return Err(BenchError::Peer { name: super::peers::signatures::NAME, reason });
            }
        }
        progress(f64::from(round + 1) / f64::from(size.rounds));
    }
    let figure = Figure::new(Kernel::Recover.name(), per_second(parsed.len(), &own), Unit::PerSecond);
    Ok(vec![beside(figure, "libsecp256k1", parsed.len(), &mut peer)])
}

/// The figure beside a peer's, if that was measured.
fn beside(figure: Figure, name: &'static str, count: usize, peer: &mut [Duration]) -> Figure {
    if peer.is_empty() { figure } else { figure.beside(name, per_second(count, peer)) }
}

fn keccak(size: Size, mut progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    let inputs: Vec<[u8; HASHED_BYTES]> = (0..HASHES)
        .map(|number| std::array::from_fn(|at| (number.wrapping_mul(0x9E37_79B9) >> (at % 24)) as u8))
        .collect();
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for round in 0..size.rounds {
        let ours: Vec<B256> = timed(&mut own, || hash::keccak256_many(&inputs));
        #[cfg(feature = "peers")]
        if !size.alone {
            use sha3::{Digest, Keccak256};
            let one = |input: &[u8; HASHED_BYTES]| B256::new(Keccak256::digest(input).into());
            let theirs: Vec<B256> = timed(&mut peer, || inputs.iter().map(one).collect());
            if ours != theirs {
                return Err(BenchError::Invalid("another hash"));
            }
        }
        black_box(ours);
        progress(f64::from(round + 1) / f64::from(size.rounds));
    }
    let figure = Figure::new(Kernel::Keccak.name(), per_second(HASHES, &own), Unit::PerSecond);
    Ok(vec![beside(figure, "sha3", HASHES, &mut peer)])
}

/// Keys and values of a tree: accounts whose balances a batch raises.
struct Keys {
    count: u32,
    written: u64,
}

impl Keys {
    fn leaf(&self, index: u32, version: u64) -> Leaf {
        let account = Account { nonce: version, balance: U256::from(self.written), ..Account::default() };
        let address = Address::from_slice(&keccak256(index.to_be_bytes())[12..]);
        Leaf::new(Key::Account(address), version, Value::Account(account))
    }

    fn sorted(mut leaves: Vec<Leaf>) -> Vec<Leaf> {
        leaves.sort_unstable_by_key(|leaf| leaf.path);
        leaves.dedup_by_key(|leaf| leaf.path);
        leaves
    }

    /// The keys from the `first` on that a tree is filled with.
    fn fill(&mut self, first: u32) -> Vec<Leaf> {
        self.written += 1;
        let end = self.count.min(first + FILLED_AT_ONCE);
        Self::sorted((first..end).map(|index| self.leaf(index, 1)).collect())
    }

    /// As many keys, spread over all of them.
    fn batch(&mut self, size: u32) -> Vec<Leaf> {
        self.written += 1;
        let one = |number: u32| {
            let mixed = u128::from((self.written << 32 | u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            self.leaf(((mixed * u128::from(self.count)) >> 64) as u32, self.written)
        };
        Self::sorted((0..size).map(one).collect())
    }
}

fn tree(size: Size, dir: &Path, mut progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    let mut keys = Keys { count: size.keys.max(1), written: 0 };
    let mut ours = Tree::new();
    let mut peers = if size.alone { None } else { Peers::new(dir)? };
    let memory_before = resident_bytes();
    for first in (0..keys.count).step_by(FILLED_AT_ONCE as usize) {
        let leaves = keys.fill(first);
        if let Some(peers) = &mut peers {
            peers.update(&leaves)?;
        }
        ours.update(leaves);
        progress(f64::from(first) / f64::from(keys.count) * 0.7);
    }
    let memory = resident_bytes().zip(memory_before).map(|(after, before)| after.saturating_sub(before));
    if let Some(peers) = &mut peers {
        peers.forget_times();
    }
    let (mut own, mut written) = (Vec::new(), Vec::new());
    for round in 0..size.rounds {
        let leaves = keys.batch(size.batch);
        written.push(leaves.len() as f64);
        let given = leaves.clone();
        timed(&mut own, || ours.update(given));
        if let Some(peers) = &mut peers {
            peers.update(&leaves)?;
        }
        progress(0.7 + f64::from(round + 1) / f64::from(size.rounds) * 0.3);
    }
    let count = median(written) as usize;
    let figure = || Figure::new(Kernel::Tree.name(), per_second(count, &own), Unit::PerSecond);
    if let Some(peers) = peers {
        return Ok(peers.beside(figure, count));
    }
    let of_key = |bytes: u64| {
        let name = format!("{}.memory", Kernel::Tree.name());
        Figure::new(name, bytes as f64 / ours.len() as f64, Unit::BytesPerKey)
    };
    Ok([figure()].into_iter().chain(memory.filter(|_| size.alone).map(of_key)).collect())
}

/// Memory that this process has, with what it keeps for later; unknown where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// The trees that ours is measured beside.
#[cfg(feature = "peers")]
struct Peers {
    nomt: super::peers::near_optimal::Trie,
    jmt: super::peers::jellyfish::Tree,
    took: [Vec<Duration>; 2],
}

#[cfg(feature = "peers")]
impl Peers {
    fn new(dir: &Path) -> Result<Option<Self>, BenchError> {
        use super::peers::{jellyfish, near_optimal};
        std::fs::create_dir_all(dir).map_err(|source| BenchError::File { path: dir.to_owned(), source })?;
        let nomt = near_optimal::Trie::new(&dir.join(near_optimal::NAME))?;
        Ok(Some(Self { nomt, jmt: jellyfish::Tree::new(), took: Default::default() }))
    }

    /// Gives each the same keys, with values of the same length as ours.
    fn update(&mut self, leaves: &[Leaf]) -> Result<(), BenchError> {
        let values = || leaves.iter().map(|leaf| (leaf.path.0, value_bytes(leaf))).collect::<Vec<_>>();
        let [nomt, jmt] = &mut self.took;
        let given = values();
        timed(nomt, || self.nomt.update(given))?;
        let given = values();
        timed(jmt, || self.jmt.update(given))?;
        self.jmt.forget()
    }

    fn forget_times(&mut self) {
        self.took = Default::default();
    }

    fn beside(mut self, figure: impl Fn() -> Figure, count: usize) -> Vec<Figure> {
        let [nomt, jmt] = &mut self.took;
        use super::peers::{jellyfish, near_optimal};
        vec![beside(figure(), near_optimal::NAME, count, nomt), beside(figure(), jellyfish::NAME, count, jmt)]
    }
}

/// An account as ours hashes it: nonce, balance, code hash, and its version.
#[cfg(feature = "peers")]
fn value_bytes(leaf: &Leaf) -> Vec<u8> {
    let Value::Account(account) = leaf.value else { return Vec::new() };
    let (nonce, version) = (account.nonce.to_be_bytes(), leaf.version.to_be_bytes());
    [&nonce[..], &account.balance.to_be_bytes::<32>(), account.code_hash.as_slice(), &version].concat()
}

/// Nobody: this build has no peers.
#[cfg(not(feature = "peers"))]
enum Peers {}

#[cfg(not(feature = "peers"))]
impl Peers {
    fn new(_: &Path) -> Result<Option<Self>, BenchError> {
        Ok(None)
    }

    fn update(&mut self, _: &[Leaf]) -> Result<(), BenchError> {
        match *self {}
    }

    fn forget_times(&mut self) {
        match *self {}
    }

    fn beside(self, _: impl Fn() -> Figure, _: usize) -> Vec<Figure> {
        match self {}
    }
}
