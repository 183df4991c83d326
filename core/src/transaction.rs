//! Transactions: EIP-2718 bytes that are valid whatever the state is.
//!
//! A [`Transaction`] that exists is of a type that Ocelli takes (legacy with EIP-155, 2930, 1559, 7702), is for this chain, is
//! signed in Ethereum's one form (EIP-2), can pay for its own bytes under the chain's fork, and encodes to the bytes that it
//! was decoded from. Who sent it is the one thing left to find out, because that costs the most: [`Recovered`] knows.
//!
//! What depends on state (nonce, balance, base fee) is the EVM's to check.

mod envelope;
mod recovered;

use crate::{
    hash::{keccak256, keccak256_many},
    limits,
    params::Fork,
    signature::{self, Signature, SignatureError},
};
use alloc::{sync::Arc, vec::Vec};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use envelope::Envelope;
pub use recovered::Recovered;
use revm::{
    context_interface::{cfg::GasParams, transaction::SignedAuthorization},
    primitives::{eip3860::MAX_INITCODE_SIZE, eip7825::TX_GAS_LIMIT_CAP},
};

/// Why bytes are not a transaction of this chain. Each is the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError {
    /// Longer than [`limits::TRANSACTION_BYTES`].
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not the canonical RLP of a transaction of its type, or something left over.
    Malformed,
    /// A transaction type that is not taken, or not under this fork.
    UnknownType(u8),
    /// A blob transaction (EIP-4844): Ocelli has no blobs.
    Blob,
    /// A legacy transaction without a chain id (EIP-155): anyone could repeat it on another chain.
    NotReplayProtected,
    /// For another chain.
    OtherChain {
        /// The chain id that it names.
        found: u64,
    },
    /// The signature is not well formed, or no key makes it.
    Signature(SignatureError),
    /// The nonce is the last one, which no transaction may have (EIP-2681).
    NonceExhausted,
    /// The gas limit is above 2^24 (EIP-7825; from Osaka on).
    GasLimitTooHigh {
        /// The gas limit.
        found: u64,
    },
    /// The gas limit does not cover what the transaction costs before anything runs (EIP-2028, EIP-2930, EIP-3860,
    /// EIP-7623, EIP-7702; of these what the fork has).
    GasLimitTooLow {
        /// The gas needed.
        needed: u64,
    },
    /// The priority fee is above the fee (EIP-1559).
    TipAboveFee,
    /// Gas limit times fee, plus value, is more than any balance.
    CostOverflow,
    /// The code that creates a contract is longer than 49,152 bytes (EIP-3860).
    InitcodeTooLong,
    /// A type 4 transaction without an authorization (EIP-7702).
    NoAuthorizations,
}

impl core::fmt::Display for TransactionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong { length } => {
                write!(f, "{length} bytes where at most {} are allowed", limits::TRANSACTION_BYTES)
            }
            Self::Malformed => write!(f, "not the RLP of a transaction"),
            Self::UnknownType(kind) => write!(f, "transaction type {kind} is not supported"),
            Self::Blob => write!(f, "blob transactions are not supported"),
            Self::NotReplayProtected => write!(f, "only replay-protected (EIP-155) transactions are allowed"),
            Self::OtherChain { found } => write!(f, "for chain {found}, not for this one"),
            Self::Signature(error) => error.fmt(f),
            Self::NonceExhausted => write!(f, "nonce is 2^64 - 1"),
            Self::GasLimitTooHigh { found } => write!(f, "gas limit {found} is above {TX_GAS_LIMIT_CAP}"),
            Self::GasLimitTooLow { needed } => write!(f, "intrinsic gas too low: needs {needed}"),
            Self::TipAboveFee => write!(f, "max priority fee per gas higher than max fee per gas"),
            Self::CostOverflow => write!(f, "gas limit times fee plus value is more than any balance"),
            Self::InitcodeTooLong => write!(f, "initcode is longer than {MAX_INITCODE_SIZE} bytes"),
            Self::NoAuthorizations => write!(f, "no authorization in a set code transaction"),
        }
    }
}

impl core::error::Error for TransactionError {}

/// A statically valid transaction. Cheap to clone and to move: all but its hash is behind a pointer.
#[derive(Clone, Debug)]
pub struct Transaction {
    hash: B256,
    content: Arc<Content>,
}

/// What bytes decode to.
#[derive(Debug)]
struct Content {
    envelope: Envelope,
    signature: Signature,
    encoded: Bytes,
    max_cost: U256,
    intrinsic_gas: u64,
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Transaction {}

impl Transaction {
    /// Decodes the EIP-2718 encoding of a signed transaction for the chain `chain_id` whose rules are those of `fork`.
    ///
    /// # Errors
    /// [`TransactionError`], by the first rule broken.
    pub fn decode(bytes: &[u8], chain_id: u64, fork: Fork) -> Result<Self, TransactionError> {
        let content = Content::read(bytes, chain_id, fork)?;
        Ok(Self { hash: keccak256(bytes), content: Arc::new(content) })
    }

    /// [`Transaction::decode`] of many, whose hashes are taken together. One answer for each, in order.
    pub fn decode_many<'a>(
        all: impl IntoIterator<Item = &'a [u8]>,
        chain_id: u64,
        fork: Fork,
    ) -> Vec<Result<Self, TransactionError>> {
        let read = all.into_iter().map(|bytes| Content::read(bytes, chain_id, fork).map(Arc::new));
        let read: Vec<Result<Arc<Content>, TransactionError>> = read.collect();
        let mut hashes = keccak256_many(read.iter().flatten().map(|content| &content.encoded)).into_iter();
        let mut hashed = |content| Self { hash: hashes.next().unwrap_or_default(), content };
        read.into_iter().map(|content| content.map(&mut hashed)).collect()
    }

    /// The EIP-2718 bytes.
    pub fn encoded(&self) -> &Bytes {
        &self.content.encoded
    }

    /// The transaction hash: Keccak-256 of the EIP-2718 bytes.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// What the sender signed.
    pub fn signing_hash(&self) -> B256 {
        keccak256(self.content.envelope.encoded_for_signing())
    }

    /// The sender's signature of [`Self::signing_hash`].
    pub fn signature(&self) -> &Signature {
        &self.content.signature
    }

    /// The sender, recovered from the signature.
    ///
    /// # Errors
    /// [`TransactionError::Signature`] if no key makes the signature.
    pub fn recover_sender(&self) -> Result<Address, TransactionError> {
        signature::recover(&self.signing_hash(), &self.content.signature).map_err(TransactionError::Signature)
    }

    /// The EIP-2718 type: 0 for legacy, or 1, 2, 4.
    pub fn kind(&self) -> u8 {
        self.content.envelope.kind()
    }

    /// The chain that it is for.
    pub fn chain_id(&self) -> u64 {
        self.content.envelope.fields().chain_id().unwrap_or_default()
    }

    /// The number of transactions that the sender sent before.
    pub fn nonce(&self) -> u64 {
        self.content.envelope.fields().nonce()
    }

    /// The gas limit.
    pub fn gas_limit(&self) -> u64 {
        self.content.envelope.fields().gas_limit()
    }

    /// The most that the sender pays for a unit of gas, in wei: the gas price of types 0 and 1.
    pub fn max_fee_per_gas(&self) -> u128 {
        self.content.envelope.fields().max_fee_per_gas()
    }

    /// The most that the sender tips for a unit of gas, in wei: none in types 0 and 1, which name one price.
    pub fn max_priority_fee_per_gas(&self) -> Option<u128> {
        self.content.envelope.fields().max_priority_fee_per_gas()
    }

    /// Who is called, or that a contract is created.
    pub fn to(&self) -> TxKind {
        self.content.envelope.fields().kind()
    }

    /// The value sent, in wei.
    pub fn value(&self) -> U256 {
        self.content.envelope.fields().value()
    }

    /// The call's data, or the code that creates a contract.
    pub fn input(&self) -> &Bytes {
        self.content.envelope.input()
    }

    /// The access list (EIP-2930); none in type 0.
    pub fn access_list(&self) -> Option<&AccessList> {
        self.content.envelope.access_list()
    }

    /// The authorizations (EIP-7702) as they were signed; none but in type 4.
    pub fn authorizations(&self) -> &[SignedAuthorization] {
        self.content.envelope.authorizations()
    }

    /// The most that the sender can pay, in wei: gas limit times fee, plus value.
    pub fn max_cost(&self) -> U256 {
        self.content.max_cost
    }

    /// The gas that it pays for whatever it does: the greater of what is spent before anything runs and the calldata floor
    /// (EIP-7623). At least 21,000, and 25,000 more for each authorization.
    pub fn intrinsic_gas(&self) -> u64 {
        self.content.intrinsic_gas
    }

    /// What a unit of gas costs the sender at `base_fee`, in wei: the base fee and as much of the tip as the fee leaves room
    /// for (EIP-1559). If the fee is below `base_fee`, in which case no block takes the transaction, the fee.
    pub fn effective_gas_price(&self, base_fee: u64) -> u128 {
        let max_fee = self.max_fee_per_gas();
        let tip = self.max_priority_fee_per_gas().unwrap_or(max_fee);
        max_fee.min(tip.saturating_add(u128::from(base_fee)))
    }

    /// What a unit of gas tips at `base_fee`, in wei; none if the fee is below `base_fee`.
    pub fn effective_tip(&self, base_fee: u64) -> Option<u128> {
        let base_fee_wide = u128::from(base_fee);
        (self.max_fee_per_gas() >= base_fee_wide).then(|| self.effective_gas_price(base_fee) - base_fee_wide)
    }
}

impl Content {
    fn read(bytes: &[u8], chain_id: u64, fork: Fork) -> Result<Self, TransactionError> {
        if bytes.len() > limits::TRANSACTION_BYTES {
            return Err(TransactionError::TooLong { length: bytes.len() });
        }
        let (envelope, encoded) = Envelope::decode(bytes)?;
        let signature = envelope.signature().map_err(TransactionError::Signature)?;
        let intrinsic_gas = intrinsic_gas(&envelope, fork);
        let max_cost = check(&envelope, chain_id, fork, intrinsic_gas)?;
        Ok(Self { envelope, signature, encoded: encoded.into(), max_cost, intrinsic_gas })
    }
}

/// Gas that is spent before anything runs: the greater of the intrinsic gas and the calldata floor (EIP-7623).
fn intrinsic_gas(envelope: &Envelope, fork: Fork) -> u64 {
    let fields = envelope.fields();
    let access_list = envelope.access_list().map_or(&[][..], |list| list.as_slice());
    let slots: usize = access_list.iter().map(|item| item.storage_keys.len()).sum();
    let gas = GasParams::new_spec(fork.spec()).initial_tx_gas(
        envelope.input(),
        fields.kind().is_create(),
        access_list.len() as u64,
        slots as u64,
        envelope.authorizations().len() as u64,
        None,
    );
    gas.initial_total_gas().max(gas.floor_gas())
}

/// Checks the fields and returns the greatest cost.
fn check(envelope: &Envelope, chain_id: u64, fork: Fork, intrinsic_gas: u64) -> Result<U256, TransactionError> {
    let fields = envelope.fields();
    if !fork.takes(envelope.kind()) {
        return Err(TransactionError::UnknownType(envelope.kind()));
    }
    let found = fields.chain_id().ok_or(TransactionError::NotReplayProtected)?;
    if found != chain_id {
        return Err(TransactionError::OtherChain { found });
    }
    if fields.nonce() == u64::MAX {
        return Err(TransactionError::NonceExhausted);
    }
    if fork.caps_gas_limit() && fields.gas_limit() > TX_GAS_LIMIT_CAP {
        return Err(TransactionError::GasLimitTooHigh { found: fields.gas_limit() });
    }
    if fields.max_priority_fee_per_gas().is_some_and(|tip| tip > fields.max_fee_per_gas()) {
        return Err(TransactionError::TipAboveFee);
    }
    if fields.kind().is_create() && fields.input().len() > MAX_INITCODE_SIZE {
        return Err(TransactionError::InitcodeTooLong);
    }
    if matches!(envelope, Envelope::SetCode(_)) && envelope.authorizations().is_empty() {
        return Err(TransactionError::NoAuthorizations);
    }
    if fields.gas_limit() < intrinsic_gas {
        return Err(TransactionError::GasLimitTooLow { needed: intrinsic_gas });
    }
    // At most 2^64 · 2^128: no overflow before the value is added.
    let gas = U256::from(fields.gas_limit()) * U256::from(fields.max_fee_per_gas());
    gas.checked_add(fields.value()).ok_or(TransactionError::CostOverflow)
}
