//! The instruction KECCAK256, which takes a hash of 64 bytes from those that were taken before where it can.
//!
//! Solidity names an entry of a mapping by such a hash, and contracts take it anew for each access to the entry. Whoever knows
//! beforehand what will be hashed can have it done in vector lanes ([`Hashed::each`]). Everything else is revm's.

use super::{Source, rules::RowContext};
use crate::hash::Batch;
use alloc::vec::Vec;
use alloy_primitives::{B256, U256};
use revm::interpreter::{
    InstructionContext, InstructionExecResult, InstructionResult, instructions::system, interpreter::EthInterpreter,
    interpreter_types::MemoryTr,
};

/// What a hash is remembered of: the key of a mapping, and where that is.
pub type Preimage = [u8; 64];

/// How many hashes are remembered: what a transaction comes back to soon.
const REMEMBERED: usize = 8;

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
    hashes: Vec<Hashed>,
    /// Which one goes next, where there are as many as are remembered.
    next: usize,
}

impl Remembered {
    /// Adds a hash.
    pub fn add(&mut self, hashed: Hashed) {
        if self.hashes.len() < REMEMBERED {
            self.hashes.push(hashed);
        } else if let Some(oldest) = self.hashes.get_mut(self.next) {
            *oldest = hashed;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }

    fn get(&self, preimage: &Preimage) -> Option<B256> {
        let found = self.hashes.iter().find(|hashed| hashed.preimage == *preimage);
        found.map(|hashed| hashed.hash)
    }
}

/// What a KECCAK256 is to hash, if that is a preimage of this kind, within the memory that there is.
fn preimage<S: Source>(context: &InstructionContext<'_, RowContext<S>, EthInterpreter>) -> Option<Preimage> {
    let interpreter = &*context.interpreter;
    let argument = |at| interpreter.stack.peek(at).ok().and_then(|word| usize::try_from(word).ok());
    let (offset, length) = (argument(0)?, argument(1)?);
    let is_there = length == size_of::<Preimage>() && offset.checked_add(length)? <= interpreter.memory.size();
    if !is_there {
        return None;
    }
    interpreter.memory.slice_len(offset, length).as_ref().try_into().ok()
}

/// revm's KECCAK256, with the same stack, memory and gas after it on every input.
///
/// # Errors
/// revm's.
pub(super) fn keccak256<S: Source>(
    context: InstructionContext<'_, RowContext<S>, EthInterpreter>,
) -> InstructionExecResult {
    let Some(preimage) = preimage(&context) else { return system::keccak256(context) };
    let InstructionContext { interpreter, host } = context;
    if let Some(hash) = host.chain.get(&preimage) {
        if !interpreter.gas.record_regular_cost(host.cfg.gas_params.keccak256_cost(preimage.len())) {
            return Err(InstructionResult::OutOfGas);
        }
        // Both are there: they were looked at.
        interpreter.stack.pop()?;
        return interpreter.stack.set(0, U256::from_be_bytes(hash.0));
    }
    system::keccak256(InstructionContext { interpreter, host })?;
    let hash = B256::from(interpreter.stack.peek(0)?);
    host.chain.add(Hashed { preimage, hash });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::keccak256;

    #[test]
    fn the_last_ones_are_remembered_and_no_others() {
        let preimages: Vec<Preimage> = (0..20_u8).map(|number| [number; 64]).collect();
        let mut remembered = Remembered::default();
        for (at, hashed) in Hashed::each(preimages.iter().copied()).into_iter().enumerate() {
            remembered.add(hashed);
            for (before, preimage) in preimages.iter().enumerate() {
                let is_recent = before <= at && before + REMEMBERED > at;
                assert_eq!(remembered.get(preimage), is_recent.then(|| keccak256(preimage)), "{before} after {at}");
            }
        }
    }
}
