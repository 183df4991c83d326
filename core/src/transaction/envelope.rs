//! The four types of transaction, decoded and not yet checked.

use super::TransactionError;
use crate::signature::{Signature, SignatureError};
use alloc::vec::Vec;
use alloy_consensus::{SignableTransaction, Signed, Transaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::Bytes;
use revm::context_interface::transaction::SignedAuthorization;

/// A signed transaction by its type.
#[derive(Clone, Debug)]
pub(super) enum Envelope {
    /// Type 0, without an envelope of its own.
    Legacy(Signed<TxLegacy>),
    /// Type 1 (EIP-2930).
    AccessList(Signed<TxEip2930>),
    /// Type 2 (EIP-1559).
    DynamicFee(Signed<TxEip1559>),
    /// Type 4 (EIP-7702).
    SetCode(Signed<TxEip7702>),
}

/// Evaluates `$body` with `$signed` bound to the signed transaction, whatever its type.
macro_rules! each {
    ($envelope:expr, $signed:ident => $body:expr) => {
        match $envelope {
            Envelope::Legacy($signed) => $body,
            Envelope::AccessList($signed) => $body,
            Envelope::DynamicFee($signed) => $body,
            Envelope::SetCode($signed) => $body,
        }
    };
}

impl Envelope {
    /// Decodes `bytes`, all of them, accepting each transaction in one encoding only; gives that, too.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Vec<u8>), TransactionError> {
        let (first, mut rest) = bytes.split_first().ok_or(TransactionError::Malformed)?;
        let decoded = match first {
            0xc0.. => {
                rest = bytes;
                Signed::rlp_decode(&mut rest).map(Self::Legacy)
            }
            1 => Signed::rlp_decode(&mut rest).map(Self::AccessList),
            2 => Signed::rlp_decode(&mut rest).map(Self::DynamicFee),
            3 => return Err(TransactionError::Blob),
            4 => Signed::rlp_decode(&mut rest).map(Self::SetCode),
            0..=0x7f => return Err(TransactionError::UnknownType(*first)),
            0x80..=0xbf => return Err(TransactionError::Malformed),
        };
        let envelope = decoded.map_err(|_| TransactionError::Malformed)?;
        // That RLP has one form of everything is the decoder's rule; that ours is one of bytes does not rest on it.
        let encoded = envelope.encoded();
        if rest.is_empty() && encoded == bytes { Ok((envelope, encoded)) } else { Err(TransactionError::Malformed) }
    }

    fn encoded(&self) -> Vec<u8> {
        each!(self, signed => {
            let mut out = Vec::with_capacity(signed.eip2718_encoded_length());
            signed.eip2718_encode(&mut out);
            out
        })
    }

    /// What the sender signs the hash of.
    pub(super) fn encoded_for_signing(&self) -> Vec<u8> {
        each!(self, signed => signed.tx().encoded_for_signing())
    }

    pub(super) fn signature(&self) -> Result<Signature, SignatureError> {
        Signature::try_from(each!(self, signed => signed.signature()))
    }

    /// The fields that all types have.
    pub(super) fn fields(&self) -> &dyn Transaction {
        each!(self, signed => signed.tx())
    }

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Legacy(_) => 0,
            Self::AccessList(_) => 1,
            Self::DynamicFee(_) => 2,
            Self::SetCode(_) => 4,
        }
    }

    pub(super) fn input(&self) -> &Bytes {
        self.fields().input()
    }

    pub(super) fn access_list(&self) -> Option<&AccessList> {
        self.fields().access_list()
    }

    pub(super) fn authorizations(&self) -> &[SignedAuthorization] {
        self.fields().authorization_list().unwrap_or_default()
    }
}
