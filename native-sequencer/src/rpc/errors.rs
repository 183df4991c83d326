//! What goes wrong with a request, as wallets know it.
//!
//! | code | meaning |
//! |---|---|
//! | -32700, -32600, -32601 | not JSON, not a request, no such method (JSON-RPC 2.0) |
//! | -32602 | parameters of the wrong type, number or combination, or that ask for more than one request may |
//! | -32603 | the sequencer's own fault; its log says more |
//! | -32005 | this server is busy (EIP-1474); libraries ask again by themselves, which can help |
//! | -32000 | the request is well formed and cannot be fulfilled: unknown block, invalid transaction, failed call |
//! | 3 | the call reverted; `data` is what it reverted with |
//! | 4, 5 | not in a block in time; not ready for one (EIP-7966) |

use crate::{chain::ReadError, gate::NotDone, limits};
use alloy_primitives::{B256, Bytes, hex};
use alloy_sol_types::{GenericContractError, SolInterface};
use jsonrpsee::types::ErrorObjectOwned;
use revm::context::result::InvalidTransaction;
use std::time::Duration;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The parameters are not what the method takes.
    #[error("{0}")]
    InvalidParams(String),
    /// More than this server does for one request; the text says what, and asking again does not help.
    #[error("{0}")]
    TooMuch(String),
    /// More than this server does at a time, so that asking again later can help.
    #[error("limit exceeded: {0}, try again later")]
    Busy(&'static str),
    /// There is no such block.
    #[error("header not found")]
    UnknownBlock,
    /// The block's state is no longer in memory.
    #[error("historical state of block {height} is not available: only the last {} blocks' is", limits::HISTORY_BLOCKS)]
    OldState {
        /// Its height.
        height: u64,
    },
    /// There is no such filter, or not any more.
    #[error("filter not found")]
    UnknownFilter,
    /// The call reverted with this data.
    #[error("{}", revert_message(.0))]
    Reverted(Bytes),
    /// The call failed otherwise.
    #[error("{0}")]
    Failed(String),
    /// The transaction or call is not valid on the state at hand.
    #[error("{}", invalid_message(.0))]
    Invalid(InvalidTransaction),
    /// The pool did not take the transaction.
    #[error("{0}")]
    Rejected(String),
    /// The transaction is in the pool and was not in a block in time.
    #[error("the transaction was added to the pool but was not in a block within {} ms", .waited.as_millis())]
    NotInTime {
        /// Its hash.
        hash: B256,
        /// How long was waited.
        waited: Duration,
    },
    /// The transaction is in the pool and waits for one with a lower nonce.
    #[error("the transaction was added to the pool but waits for nonce {expected}")]
    NotReady {
        /// Its hash.
        hash: B256,
        /// The nonce that is missing.
        expected: u64,
    },
    /// The sequencer's fault.
    #[error("internal error")]
    Internal,
}

impl RpcError {
    /// The error's code.
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidParams(_) | Self::TooMuch(_) => -32602,
            Self::Busy(_) => -32005,
            Self::Internal => -32603,
            Self::Reverted(_) => 3,
            Self::NotInTime { .. } => 4,
            Self::NotReady { .. } => 5,
            _ => -32000,
        }
    }

    fn data(&self) -> Option<String> {
        match self {
            Self::Reverted(output) => Some(hex::encode_prefixed(output)),
            Self::NotInTime { hash, .. } | Self::NotReady { hash, .. } => Some(hex::encode_prefixed(hash)),
            _ => None,
        }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code(), error.to_string(), error.data())
    }
}

impl From<ReadError> for RpcError {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a block could not be read");
        Self::Internal
    }
}

impl From<NotDone> for RpcError {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::Busy => Self::Busy("too many requests are waiting"),
            NotDone::Failed(error) => {
                tracing::error!(%error, "a request failed");
                Self::Internal
            }
        }
    }
}

/// "execution reverted", with the reason where the data is one of Solidity's two errors, `Error(string)` and `Panic(uint256)`.
fn revert_message(output: &[u8]) -> String {
    match GenericContractError::abi_decode(output) {
        Ok(GenericContractError::Revert(revert)) => format!("execution reverted: {}", revert.reason),
        Ok(GenericContractError::Panic(panic)) => format!("execution reverted: {panic}"),
        Err(_) => "execution reverted".to_owned(),
    }
}

/// The words that libraries look for are geth's.
pub(super) fn invalid_message(invalid: &InvalidTransaction) -> String {
    match invalid {
        InvalidTransaction::NonceTooLow { tx, state } => format!("nonce too low: next nonce {state}, tx nonce {tx}"),
        InvalidTransaction::NonceTooHigh { tx, state } => format!("nonce too high: next nonce {state}, tx nonce {tx}"),
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: have {balance} want {fee}")
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".to_owned(),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".to_owned()
        }
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".to_owned(),
        InvalidTransaction::InvalidChainId => "invalid chain id for signer".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_in_the_revert_data_is_told() {
        let data = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "0000000000000000000000000000000000000000000000000000000000000006"
            "6e6f20676173" "0000000000000000000000000000000000000000000000000000"
        );
        let error = ErrorObjectOwned::from(RpcError::Reverted(Bytes::from(data)));
        assert_eq!(error.code(), 3);
        assert_eq!(error.message(), "execution reverted: no gas");
        assert_eq!(error.data().unwrap().get(), format!("\"{}\"", hex::encode_prefixed(data)));
    }

    #[test]
    fn a_revert_without_a_reason_is_told_plainly() {
        for data in [&b""[..], b"text", &[0x08, 0xc3, 0x79, 0xa0]] {
            let error = ErrorObjectOwned::from(RpcError::Reverted(Bytes::copy_from_slice(data)));
            assert_eq!((error.code(), error.message()), (3, "execution reverted"));
        }
    }

    #[test]
    fn codes_are_those_wallets_know() {
        let nonce = RpcError::Invalid(InvalidTransaction::NonceTooLow { tx: 1, state: 2 });
        assert_eq!((nonce.code(), nonce.to_string().as_str()), (-32000, "nonce too low: next nonce 2, tx nonce 1"));
        assert_eq!(RpcError::Busy("too much").code(), -32005);
        assert_eq!(RpcError::TooMuch(String::new()).code(), -32602);
        assert_eq!(RpcError::InvalidParams(String::new()).code(), -32602);
        assert_eq!(RpcError::OldState { height: 1 }.code(), -32000);
        assert_eq!(RpcError::NotReady { hash: B256::ZERO, expected: 1 }.code(), 5);
    }
}
