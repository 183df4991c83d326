//! Why a transaction is not taken, in the words that wallets know.
//!
//! Libraries tell errors apart by pieces of geth's messages, so the beginnings below are geth's, and what follows a colon is
//! for people. The tests hold the pieces that viem and ethers look for.

use super::NoPromise;
use crate::limits;
use alloy_primitives::{Address, B256, U256};
use ocelli_core::transaction::TransactionError;

/// Why a transaction is not taken. Nothing of it is kept, but for [`NoPromise::TooLate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The bytes are not a transaction of this chain: the sender's fault, whatever the state is.
    #[error("{}", in_words(.0))]
    Transaction(TransactionError),
    /// The pool has it already.
    #[error("already known: {0}")]
    AlreadyKnown(B256),
    /// The account has used the nonce.
    #[error("nonce too low: next nonce {next}, tx nonce {found}")]
    NonceTooLow {
        /// The nonce of the account.
        next: u64,
        /// The nonce of the transaction.
        found: u64,
    },
    /// The nonce is further ahead than transactions wait for.
    #[error("nonce too high: next nonce {next}, tx nonce {found}, at most {} ahead", limits::POOL_NONCE_AHEAD)]
    NonceTooHigh {
        /// The nonce of the account.
        next: u64,
        /// The nonce of the transaction.
        found: u64,
    },
    /// The account cannot pay for this and its other waiting transactions.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, other waiting transactions may cost \
         {others}"
    )]
    InsufficientFunds {
        /// What the account has, in wei.
        balance: U256,
        /// The most that this transaction can cost, in wei.
        cost: U256,
        /// The most that the account's other waiting transactions can cost, in wei.
        others: U256,
    },
    /// The fee is below what any block asks.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {found}, lowest baseFee: {minimum}")]
    FeeTooLow {
        /// The fee offered for a unit of gas, in wei.
        found: u128,
        /// The lowest base fee, in wei.
        minimum: u64,
    },
    /// The gas limit is above a block's.
    #[error("exceeds block gas limit: gas limit {found}, block gas limit {limit}")]
    GasLimit {
        /// The transaction's gas limit.
        found: u64,
        /// A block's gas limit.
        limit: u64,
    },
    /// Another transaction with this nonce waits, and this one does not offer enough more.
    #[error(
        "replacement transaction underpriced: max fee and priority fee have to be {}% above those of {known}",
        limits::POOL_REPLACEMENT_PERCENT
    )]
    Underpriced {
        /// The transaction that waits.
        known: B256,
    },
    /// Another transaction with this nonce is promised, or one behind it is, so nothing takes its place.
    #[error("replacement transaction refused: {known} is needed for a promise, which holds up to block {height}")]
    Promised {
        /// The transaction that waits.
        known: B256,
        /// The last block by which it is promised to be in.
        height: u64,
    },
    /// A promise was asked for that cannot be given.
    #[error("no promise can be given: {0}. eth_sendRawTransaction asks for none")]
    NoPromise(NoPromise),
    /// The sender is a contract (EIP-3607).
    #[error("sender not an eoa: {0} has code")]
    SenderHasCode(Address),
    /// Of an account whose transactions others can make worthless, as many wait as may.
    #[error("in-flight transaction limit reached for delegated accounts: {}", limits::POOL_DELEGATED_TRANSACTIONS)]
    DelegatedLimit,
    /// It carries an authorization of an account that has many transactions waiting, which it would make worthless.
    #[error("authority already reserved: {0} has too many waiting transactions")]
    AuthorityReserved(Address),
    /// The account's waiting transactions take up what one account may.
    #[error(
        "account limit exceeded: waiting transactions of one account may have {} bytes",
        limits::POOL_ACCOUNT_BYTES
    )]
    AccountFull,
    /// The pool is full, and this transaction is not worth more than any that could go.
    #[error("txpool is full")]
    Full,
    /// The journal cannot be written: the operator's fault. Nothing is taken from now on.
    #[error("the node cannot take transactions: its journal cannot be written. Restart it once the disk is well")]
    Journal,
    /// A block was proved faulty, so no more are made.
    #[error("the node takes no transactions: block {height} was proved faulty, and no more blocks are made")]
    Faulty {
        /// The block's height.
        height: u64,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl From<TransactionError> for Rejected {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}

impl Rejected {
    /// A short name, for metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Transaction(_) => "invalid",
            Self::AlreadyKnown(_) => "already_known",
            Self::NonceTooLow { .. } => "nonce_too_low",
            Self::NonceTooHigh { .. } => "nonce_too_high",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::FeeTooLow { .. } => "fee_too_low",
            Self::GasLimit { .. } => "gas_limit",
            Self::Underpriced { .. } => "underpriced",
            Self::Promised { .. } => "promised",
            Self::NoPromise(NoPromise::TooLate) => "too_late",
            Self::NoPromise(_) => "no_promise",
            Self::SenderHasCode(_) => "sender_has_code",
            Self::DelegatedLimit | Self::AuthorityReserved(_) => "delegated",
            Self::AccountFull => "account_full",
            Self::Full => "full",
            Self::Journal => "journal",
            Self::Faulty { .. } => "faulty",
            Self::Stopping => "stopping",
        }
    }
}

/// The error as geth would have it, where geth has it.
fn in_words(error: &TransactionError) -> String {
    match error {
        TransactionError::UnknownType(kind) => format!("transaction type not valid: {kind}"),
        TransactionError::Blob => format!("transaction type not valid: {error}"),
        TransactionError::OtherChain { .. } => format!("invalid chain id: {error}"),
        TransactionError::Signature(error) => format!("invalid sender: {error}"),
        TransactionError::NonceExhausted => "nonce has max value".to_owned(),
        TransactionError::CostOverflow => format!("insufficient funds for gas * price + value: {error}"),
        TransactionError::InitcodeTooLong => format!("max initcode size exceeded: {error}"),
        TransactionError::TooLong { .. } => format!("oversized data: {error}"),
        TransactionError::Malformed => format!("invalid transaction: {error}"),
        other => other.to_string(),
    }
}
