//! Transactions come in: `eth_sendRawTransaction`, `eth_sendRawTransactionSync` (EIP-7966), which waits for the receipt, and
//! `ocelli_sendRawTransaction`, which answers with the sequencer's promise.

use super::{
    Rpc, convert,
    errors::RpcError,
    methods::{Arguments, Methods},
};
use crate::limits;
use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use alloy_rpc_types_eth::TransactionReceipt;
use jsonrpsee::{core::RegisterMethodError, types::Params};
use ocelli_core::promise::{Promise, SignedPromise};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.waiting("eth_sendRawTransaction", send)?;
    methods.waiting("eth_sendRawTransactionSync", send_and_wait)?;
    methods.waiting("ocelli_sendRawTransaction", send_for_a_promise)
}

async fn send(rpc: Arc<Rpc>, params: Params<'static>) -> Result<B256, RpcError> {
    let raw: Bytes = Arguments::new(&params, 1)?.required()?;
    drop(params);
    rpc.submit(raw).await
}

async fn send_and_wait(rpc: Arc<Rpc>, params: Params<'static>) -> Result<TransactionReceipt, RpcError> {
    let (raw, wait) = {
        let mut arguments = Arguments::new(&params, 2)?;
        (arguments.required::<Bytes>()?, arguments.optional::<Millis>()?)
    };
    drop(params);
    let wait = wait.and_then(Millis::valid).unwrap_or(limits::RECEIPT_WAIT);
    // Asked for before it can be in a block, so that the answer cannot come too early.
    let sealed = rpc.sealing.expect(keccak256(&raw));
    let hash = rpc.submit(raw).await?;
    if let Some(pending) = rpc.pool.get(&hash) {
        let expected = rpc.pool.next_nonce(&pending.sender());
        if expected <= pending.nonce() {
            return Err(RpcError::NotReady { hash, expected });
        }
    }
    let found = match sealed.within(wait).await {
        Some(found) => Some(found),
        // An event can have been missed if this process was very busy; the chain has not missed it.
        None => {
            let shared = Arc::clone(&rpc);
            rpc.reads.run(move || shared.find(&hash)).await?
        }
    };
    let receipt = found.and_then(|(block, index)| convert::receipt(&block, index));
    receipt.ok_or(RpcError::NotInTime { hash, waited: wait })
}

async fn send_for_a_promise(rpc: Arc<Rpc>, params: Params<'static>) -> Result<Promised, RpcError> {
    let raw: Bytes = Arguments::new(&params, 1)?.required()?;
    drop(params);
    let promised = rpc.promises.submit(raw).await.map_err(|rejected| RpcError::Rejected(rejected.to_string()))?;
    Ok(promised.into())
}

/// A promise as JSON: what is signed, field by field, and the signature.
#[derive(Debug, Serialize)]
struct Promised {
    hash: B256,
    promise: Terms,
    signature: Bytes,
}

/// What is promised; numbers are quantities.
#[derive(Debug, Serialize)]
struct Terms {
    transaction: B256,
    sender: Address,
    nonce: U64,
    after: U64,
    height: U64,
    term: U64,
}

impl From<SignedPromise> for Promised {
    fn from(signed: SignedPromise) -> Self {
        let Promise { transaction, sender, nonce, after, height, term } = signed.promise;
        let [nonce, after, height, term] = [nonce, after, height, term].map(U64::from);
        let promise = Terms { transaction, sender, nonce, after, height, term };
        // r, s and 27 or 28, as wallets and contracts take it.
        let signature = alloy_primitives::Signature::from(&signed.signature).as_bytes().into();
        Self { hash: transaction, promise, signature }
    }
}

/// A time in milliseconds: a number, as EIP-7966's examples have it, or a quantity, as its table does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Millis {
    Number(u64),
    Quantity(alloy_primitives::U64),
}

impl Millis {
    /// What is no valid time means the default (EIP-7966).
    fn valid(self) -> Option<Duration> {
        let millis = match self {
            Self::Number(millis) => millis,
            Self::Quantity(millis) => millis.to(),
        };
        let wait = Duration::from_millis(millis);
        (millis > 0 && wait <= limits::RECEIPT_WAIT_MOST).then_some(wait)
    }
}

impl Rpc {
    async fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        self.pool.submit(raw).await.map_err(|rejected| RpcError::Rejected(rejected.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_or_a_quantity_and_bounded() {
        let wait = |json: &str| serde_json::from_str::<Millis>(json).unwrap().valid();
        assert_eq!(wait("5000"), Some(Duration::from_secs(5)));
        assert_eq!(wait("\"0x1388\""), Some(Duration::from_secs(5)));
        assert_eq!(wait("0"), None);
        assert_eq!(wait("86400000"), None);
    }
}
