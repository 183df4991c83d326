//! What became of a promise, from proofs.
//!
//! Whoever judges believes one header, that of the block at the promised height (a certificate covers it, say). Headers below
//! it hang on it by their parents' hashes, and everything else hangs under one of these.

use super::{Facts, NonceUse, Outcome, Promise};
use crate::{
    header::Header,
    key::Key,
    message::{ReceiptProof, ReceiptProofError, StateProof, StateProofError},
    params::Params,
    transaction::{Recovered, Transaction},
    value::Value,
};

/// What a promise is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Proofs<'a> {
    /// The header of the block at the promised height, which is believed, and all those below it from the first block that
    /// counts, or from further down, ascending.
    pub headers: &'a [Header],
    /// What the sender's account holds after the block at the promised height.
    pub account: &'a StateProof,
    /// The transaction that used the sender's nonce, if one did, in one of the blocks in `headers`.
    pub used: Option<&'a ReceiptProof>,
}

/// Why proofs do not decide over a promise. It says nothing about the sequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecided {
    /// The promise is about another transaction.
    OtherTransaction,
    /// The headers do not follow on each other, or not from the first block that counts to the promised height.
    Headers,
    /// The proof of the account does not hold.
    Account(StateProofError),
    /// The proof is about other keys than the sender's account.
    OtherAccount,
    /// The proof of what used the nonce does not hold, or is about none of these blocks.
    Used(ReceiptProofError),
    /// The nonce is used, and nothing that is given used it. What an authorization used (EIP-7702) cannot be told from one
    /// that was passed over, so it decides nothing.
    NotShown,
}

impl core::fmt::Display for Undecided {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OtherTransaction => f.write_str("the promise is about another transaction"),
            Self::Headers => f.write_str("not the headers of the blocks that the promise counts"),
            Self::Account(error) => error.fmt(f),
            Self::OtherAccount => f.write_str("a proof about another account than the sender's"),
            Self::Used(error) => error.fmt(f),
            Self::NotShown => f.write_str("the nonce is used, and what used it is not shown"),
        }
    }
}

impl core::error::Error for Undecided {}

impl Promise {
    /// What became of the promise about `transaction`, on a chain with these parameters.
    ///
    /// # Errors
    /// [`Undecided`] if the proofs do not hold or are about something else.
    pub fn judge(&self, transaction: &Recovered, proofs: &Proofs<'_>, params: &Params) -> Result<Outcome, Undecided> {
        if !self.is_about(transaction) {
            return Err(Undecided::OtherTransaction);
        }
        let last = self.last_of(proofs.headers).ok_or(Undecided::Headers)?;
        let counted = proofs.headers.iter().filter(|header| self.blocks().contains(&header.height));
        let lowest_base_fee = counted.map(|header| header.base_fee).min().ok_or(Undecided::Headers)?;
        let nonce = if self.nonce_after(proofs.account, last)? <= self.nonce {
            NonceUse::Unused
        } else {
            self.used_by(proofs.used.ok_or(Undecided::NotShown)?, proofs.headers, params)?
        };
        let max_fee_per_gas = transaction.max_fee_per_gas();
        Ok(self.outcome(&Facts { nonce, term: last.term, lowest_base_fee, max_fee_per_gas }))
    }

    /// The header at the promised height, if the others are those below it, down to the first that counts.
    fn last_of<'h>(&self, headers: &'h [Header]) -> Option<&'h Header> {
        let (first, last) = (headers.first()?, headers.last()?);
        let follows = |pair: &[Header]| match pair {
            [parent, child] => parent.height.checked_add(1) == Some(child.height) && child.parent == parent.hash(),
            _ => false,
        };
        let spans = first.height <= *self.blocks().start() && last.height == self.height;
        (spans && headers.windows(2).all(follows)).then_some(last)
    }

    fn nonce_after(&self, proof: &StateProof, header: &Header) -> Result<u64, Undecided> {
        match proof.verify(header).map_err(Undecided::Account)? {
            [only] if only.key == Key::Account(self.sender) => match only.value {
                Value::Account(account) => Ok(account.nonce),
                Value::Slot(_) => Err(Undecided::OtherAccount),
            },
            _ => Err(Undecided::OtherAccount),
        }
    }

    fn used_by(&self, proof: &ReceiptProof, headers: &[Header], params: &Params) -> Result<NonceUse, Undecided> {
        let other_height = Undecided::Used(ReceiptProofError::OtherHeight(proof.height));
        let header = headers.iter().find(|header| header.height == proof.height).ok_or(other_height)?;
        let decoded = Transaction::decode(&proof.transaction, params.chain_id, params.fork);
        let used = decoded.and_then(Recovered::new).map_err(|_| Undecided::NotShown)?;
        proof.verify(&used.hash(), header).map_err(Undecided::Used)?;
        match (used.sender(), used.nonce()) == (self.sender, self.nonce) {
            true if used.hash() == self.transaction => Ok(NonceUse::Promised),
            true => Ok(NonceUse::Other),
            false => Err(Undecided::NotShown),
        }
    }
}
