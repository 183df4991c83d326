//! The instruction KECCAK256, which takes the hash of a short preimage from those that were taken before where it can.
//!
//! Solidity names an entry of a mapping by a hash of 64 bytes, and contracts take it anew for each access to the entry; exchanges
//! find a pair's address by one of 85 (EIP-1014). Whoever knows beforehand what will be hashed can have it done in vector lanes
//! ([`Hashed::each`]). Everything else is revm's.

use super::{Source, rules::RowContext};
use crate::hash::Batch;
use alloc::vec::Vec;
use alloy_primitives::{B256, U256};
use revm::interpreter::{
    InstructionContext, InstructionExecResult, InstructionResult, instructions::system, interpreter::EthInterpreter,
    interpreter_types::MemoryTr,
};

/// What names an entry of a mapping: its key, and where the mapping is.
pub type Preimage = [u8; 64];

/// How many hashes are remembered: what a transaction comes back to soon. More need not be expected of it.
pub const REMEMBERED: usize = 16;
/// Bytes of the longest preimage whose hash is remembered.
const LONGEST: usize = 96;

/// A hash with its preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    preimage: Preimage,
    hash: B256,
}

impl Hashed {
    /// Hashes each, in order.
    pub fn each(preimages: impl IntoIterator<Item = Preimage>) -> Vec<Self> {
        let preimages: Vec<Preimage> = preimages.into_iter().collect();
        let mut batch = Batch::new();
        batch.reserve(preimages.len());
        preimages.iter().for_each(|preimage| batch.push(&[preimage]));
        let hashed = |(preimage, hash)| Self { preimage, hash };
        preimages.into_iter().zip(batch.into_hashes()).map(hashed).collect()
    }

    /// The hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }
}

/// The last hashes.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    hashes: Vec<Short>,
    /// Which one goes next, where there are as many as are remembered.
    next: usize,
}

/// The hash of a short preimage.
#[derive(Clone, Copy, Debug)]
struct Short {
    length: usize,
    /// The preimage, and zeros.
    bytes: [u8; LONGEST],
    hash: B256,
}

impl Remembered {
    /// Adds a hash.
    pub fn add(&mut self, hashed: Hashed) {
        self.remember(&hashed.preimage, hashed.hash);
    }

    /// Adds the hash of a preimage, unless that is long.
    fn remember(&mut self, preimage: &[u8], hash: B256) {
        let mut short = Short { length: preimage.len(), bytes: [0; LONGEST], hash };
        let Some(bytes) = short.bytes.get_mut(..preimage.len()) else { return };
        bytes.copy_from_slice(preimage);
        if self.hashes.len() < REMEMBERED {
            self.hashes.push(short);
        } else if let Some(oldest) = self.hashes.get_mut(self.next) {
            *oldest = short;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }

    fn get(&self, preimage: &[u8]) -> Option<B256> {
        let is_of = |short: &&Short| {
            short.length == preimage.len() && short.bytes.get(..preimage.len()).is_some_and(|bytes| bytes == preimage)
        };
        self.hashes.iter().find(is_of).map(|short| short.hash)
    }
}

/// Where in memory a KECCAK256 finds what it is to hash, and how many bytes, if that is short and there.
fn short_preimage<S: Source>(
    context: &InstructionContext<'_, RowContext<S>, EthInterpreter>,
) -> Option<(usize, usize)> {
    let interpreter = &*context.interpreter;
    let argument = |at| interpreter.stack.peek(at).ok().and_then(|word| usize::try_from(word).ok());
    let (offset, length) = (argument(0)?, argument(1)?);
    let is_there = offset.checked_add(length)? <= interpreter.memory.size();
    (is_there && 0 < length && length <= LONGEST).then_some((offset, length))
}

/// revm's KECCAK256, with the same stack, memory and gas after it on every input.
///
/// # Errors
/// revm's.
pub(super) fn keccak256<S: Source>(
    context: InstructionContext<'_, RowContext<S>, EthInterpreter>,
) -> InstructionExecResult {
    let Some((offset, length)) = short_preimage(&context) else { return system::keccak256(context) };
    let InstructionContext { interpreter, host } = context;
    let remembered = host.chain.get(&interpreter.memory.slice_len(offset, length));
    if let Some(hash) = remembered {
        if !interpreter.gas.record_regular_cost(host.cfg.gas_params.keccak256_cost(length)) {
            return Err(InstructionResult::OutOfGas);
        }
        // Both are there: they were looked at.
        interpreter.stack.pop()?;
        return interpreter.stack.set(0, U256::from_be_bytes(hash.0));
    }
    system::keccak256(InstructionContext { interpreter, host })?;
    let hash = B256::from(interpreter.stack.peek(0)?);
    host.chain.remember(&interpreter.memory.slice_len(offset, length), hash);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak256;
    use alloc::vec;

    #[test]
    fn the_last_ones_are_remembered_and_no_others() {
        // Each is the beginning of the next one, up to some that are too long.
        let preimages: Vec<Vec<u8>> = (LONGEST - 30..LONGEST + 4).map(|length| vec![7; length]).collect();
        let mut remembered = Remembered::default();
        for (at, preimage) in preimages.iter().enumerate() {
            remembered.remember(preimage, keccak256(preimage));
            for (before, preimage) in preimages.iter().enumerate() {
                let short = |at: usize| at.min(30);
                let is_recent = before <= at && before <= 30 && before + REMEMBERED > short(at);
                assert_eq!(remembered.get(preimage), is_recent.then(|| keccak256(preimage)), "{before} after {at}");
            }
        }
    }
}
