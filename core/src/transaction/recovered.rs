//! Transactions whose signers are known.

use super::{Transaction, TransactionError};
use crate::{
    hash::{keccak256, keccak256_many},
    signature::{self, Signature},
};
use alloc::vec::Vec;
use alloy_eips::eip7702::constants::MAGIC;
use alloy_primitives::{Address, B256};
use alloy_rlp::Encodable;
use core::ops::Deref;
use revm::{
    context::TxEnv,
    context_interface::{
        either::Either,
        transaction::{RecoveredAuthority, RecoveredAuthorization, SignedAuthorization},
    },
};

/// A transaction with its sender and the authorities of its authorizations, each recovered from its signature.
///
/// There is no other way to make one, so its sender signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    transaction: Transaction,
    sender: Address,
    authorities: Vec<Option<Address>>,
}

impl Recovered {
    /// Recovers the signers of one transaction.
    ///
    /// # Errors
    /// [`TransactionError::Signature`] if no key makes the sender's signature.
    pub fn new(transaction: Transaction) -> Result<Self, TransactionError> {
        let sender = transaction.recover_sender()?;
        let authorities = transaction.authorities();
        Ok(Self { transaction, sender, authorities })
    }

    /// Recovers the signers of many transactions, in one batch with those of their authorizations. One answer for each, in
    /// order, never another than [`Self::new`] gives.
    pub fn recover_many(transactions: Vec<Transaction>) -> Vec<Result<Self, TransactionError>> {
        let mut signed: Vec<(B256, Signature)> = Vec::with_capacity(transactions.len());
        let hashes =
            keccak256_many(transactions.iter().map(|transaction| transaction.content.envelope.encoded_for_signing()));
        for (transaction, hash) in transactions.iter().zip(hashes) {
            signed.push((hash, *transaction.signature()));
            signed.extend(transaction.authorizations().iter().filter_map(signed_hash));
        }
        let mut signers = signature::recover_many(&signed).into_iter();
        let mut recover = |transaction: Transaction| {
            let mut next = || signers.next().unwrap_or(Err(signature::SignatureError::NoKey));
            let sender = next();
            let of = |one| signature_of(one).and_then(|_| next().ok());
            let authorities = transaction.authorizations().iter().map(of).collect();
            Ok(Self { sender: sender.map_err(TransactionError::Signature)?, authorities, transaction })
        };
        transactions.into_iter().map(&mut recover).collect()
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The transaction, without its signers.
    pub fn into_transaction(self) -> Transaction {
        self.transaction
    }

    /// The sender.
    pub const fn sender(&self) -> Address {
        self.sender
    }

    /// For each authorization (EIP-7702), in order, who signed it; none if nobody can have.
    pub fn authorities(&self) -> &[Option<Address>] {
        &self.authorities
    }

    /// What revm executes. It holds the authorities, so that revm does not recover them again by other code.
    pub fn to_tx_env(&self) -> TxEnv {
        let transaction = &self.transaction;
        TxEnv {
            tx_type: transaction.kind(),
            caller: self.sender,
            gas_limit: transaction.gas_limit(),
            gas_price: transaction.max_fee_per_gas(),
            kind: transaction.to(),
            value: transaction.value(),
            data: transaction.input().clone(),
            nonce: transaction.nonce(),
            chain_id: Some(transaction.chain_id()),
            access_list: transaction.access_list().cloned().unwrap_or_default(),
            gas_priority_fee: transaction.max_priority_fee_per_gas(),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: self.recovered_authorizations(),
        }
    }

    fn recovered_authorizations(&self) -> Vec<Either<SignedAuthorization, RecoveredAuthorization>> {
        let signed = self.transaction.authorizations().iter();
        let recovered = signed.zip(&self.authorities).map(|(authorization, authority)| {
            let authority = authority.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
            RecoveredAuthorization::new_unchecked(authorization.inner().clone(), authority)
        });
        recovered.map(Either::Right).collect()
    }
}

impl Deref for Recovered {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        &self.transaction
    }
}

impl Transaction {
    /// For each authorization (EIP-7702), in order, who signed it. One that nobody can have signed, because its signature is
    /// not well formed (a high s among others) or no key makes it, has no authority; it does not make the transaction invalid.
    pub fn authorities(&self) -> Vec<Option<Address>> {
        let recover = |authorization| {
            let (hash, signature) = signed_hash(authorization)?;
            signature::recover(&hash, &signature).ok()
        };
        self.authorizations().iter().map(recover).collect()
    }
}

/// The signature of an authorization; none if it is not well formed.
fn signature_of(authorization: &SignedAuthorization) -> Option<Signature> {
    let y_odd = match authorization.y_parity() {
        0 => false,
        1 => true,
        _ => return None,
    };
    Signature::new(&authorization.r().into(), &authorization.s().into(), y_odd).ok()
}

/// What an authority signs, and its signature; none if that is not well formed.
fn signed_hash(authorization: &SignedAuthorization) -> Option<(B256, Signature)> {
    let signature = signature_of(authorization)?;
    let mut signed = Vec::with_capacity(1 + authorization.inner().length());
    signed.push(MAGIC);
    authorization.inner().encode(&mut signed);
    Some((keccak256(signed), signature))
}
