//! Ethereum's JSON-RPC, as wallets and tools expect it.
//!
//! ```text
//! HTTP POST, WebSocket ─► server (limits a connection) ─► methods (limits over all) ─► chain, pool
//! ```
//!
//! One file a group of methods. Nothing here can change the chain: a transaction goes to the pool, everything else reads. What
//! is answered is durable. Bad input of any kind costs bounded work and gets the error that wallets know: [`errors`] has the
//! codes, [`crate::limits`] the limits.

mod accounts;
mod at;
mod blocks;
mod blooms;
mod call;
mod convert;
mod errors;
mod fees;
mod filters;
mod identity;
mod logs;
mod methods;
mod sealing;
mod server;
mod submit;
mod subscribe;
#[cfg(test)]
mod tests;
mod transactions;

use crate::{chain::Chain, limits, pool::Pool, promises::Promises};
use alloy_primitives::B256;
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use blooms::Blooms;
use filters::Filters;
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use methods::{Gate, Methods};
use parking_lot::Mutex;
use sealing::Sealing;
use server::Endpoint;
use std::sync::Arc;

/// What the methods answer from.
#[derive(Debug)]
struct Rpc {
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    promises: Arc<Promises>,
    reads: Gate,
    heavy: Gate,
    sealing: Sealing,
    filters: Filters,
    blooms: Blooms,
    /// The tip that is suggested after the block with this hash.
    tip: Mutex<Option<(B256, u128)>>,
}

impl Rpc {
    /// Answers from `chain` and the pool of `promises`. Must be called on a tokio runtime, where a task follows the chain from
    /// then on.
    fn new(chain: Arc<Chain>, promises: Arc<Promises>) -> Arc<Self> {
        let sealing = Sealing::follow(&chain);
        Arc::new(Self {
            chain,
            pool: promises.pool().clone(),
            promises,
            reads: Gate::new(limits::RPC_READS),
            heavy: Gate::new(limits::RPC_HEAVY),
            sealing,
            filters: Filters::default(),
            blooms: Blooms::default(),
            tip: Mutex::default(),
        })
    }
}

/// The routes of `page`, and at `/` JSON-RPC besides: POST requests and WebSockets. Must be called on a tokio runtime.
///
/// # Panics
/// If two methods have one name, which a test would have found.
pub fn router(chain: Arc<Chain>, promises: Arc<Promises>, page: Router) -> Router {
    let module = module(Rpc::new(chain, promises)).expect("every method has a name of its own");
    let endpoint = Endpoint::new(module);
    page.layer(middleware::from_fn(move |request: Request, page: Next| {
        let endpoint = endpoint.clone();
        async move {
            if request.uri().path() == "/" && Endpoint::accepts(&request) {
                endpoint.handle(request).await
            } else {
                page.run(request).await
            }
        }
    }))
}

/// All methods.
fn module(rpc: Arc<Rpc>) -> Result<RpcModule<Arc<Rpc>>, RegisterMethodError> {
    let mut methods = Methods::new(rpc);
    identity::register(&mut methods)?;
    blocks::register(&mut methods)?;
    transactions::register(&mut methods)?;
    accounts::register(&mut methods)?;
    call::register(&mut methods)?;
    submit::register(&mut methods)?;
    logs::register(&mut methods)?;
    filters::register(&mut methods)?;
    fees::register(&mut methods)?;
    subscribe::register(&mut methods)?;
    Ok(methods.module)
}
