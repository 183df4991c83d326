//! Subscriptions over WebSocket: `newHeads`, `logs`, `newPendingTransactions`.
//!
//! A subscriber that falls behind is dropped, not waited for: its messages wait in a bounded queue, and when that is full it
//! has [`limits::SLOW_READER`] to make room. A subscription that was dropped ends with an error message where that can still
//! be sent; a connection that takes nothing is closed by [`crate::listener`].

use super::{
    Rpc,
    at::Block,
    convert,
    errors::RpcError,
    filters::{Filters, random_id},
    logs,
    methods::{Arguments, Methods},
};
use crate::{block::SealedBlock, chain::Event, limits, listener::Backlog};
use alloy_rpc_types_eth::Filter;
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionError, SubscriptionResult, traits::IdProvider},
    types::{Params, SubscriptionId},
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::sync::Arc;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, rpc, extensions| {
            subscribe(params, pending, Arc::clone(&rpc), extensions.get::<Backlog>().cloned())
        },
    )?;
    Ok(())
}

/// Ids of subscriptions as Ethereum's clients make them: hexadecimal strings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        // Without randomness ids would repeat and a subscription would replace another one of its own connection.
        SubscriptionId::from(random_id().map_or_else(|_| "0x0".to_owned(), |id| format!("{id:#x}")))
    }
}

/// What is subscribed to.
#[derive(Debug)]
enum Topic {
    Heads,
    Logs(Box<Filter>, OwnedSemaphorePermit),
    Pending,
}

impl Topic {
    fn parse(params: &Params<'_>, filters: &Filters) -> Result<Self, RpcError> {
        let mut arguments = Arguments::new(params, 2)?;
        match arguments.required::<String>()?.as_str() {
            "newHeads" => Ok(Self::Heads),
            "logs" => {
                let filter: Filter = arguments.optional()?.unwrap_or_default();
                let room = filters.room_for(&filter)?;
                Ok(Self::Logs(Box::new(filter), room))
            }
            "newPendingTransactions" if arguments.optional::<bool>()? != Some(true) => Ok(Self::Pending),
            "newPendingTransactions" => {
                Err(RpcError::InvalidParams("only hashes of pending transactions are given out".to_owned()))
            }
            other => Err(RpcError::InvalidParams(format!("no \"{other}\" subscription in eth namespace"))),
        }
    }
}

async fn subscribe(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    rpc: Arc<Rpc>,
    backlog: Option<Backlog>,
) -> SubscriptionResult {
    let topic = match Topic::parse(&params, &rpc.filters) {
        Ok(topic) => topic,
        Err(error) => {
            pending.reject(error).await;
            return Ok(());
        }
    };
    // Before the subscription is acknowledged: what happens after the acknowledgement is in it.
    let (mut events, mut hashes) = (rpc.chain.subscribe(), rpc.pool.subscribe());
    let sink = Sink { sink: pending.accept().await?, backlog };
    match topic {
        Topic::Pending => {
            while let Some(hash) = sink.next(&mut hashes).await? {
                sink.send(&hash).await?;
            }
        }
        Topic::Heads => {
            while let Some(event) = sink.next(&mut events).await? {
                if let Event::Sealed(block) = event {
                    let bloom = rpc.blooms.of(&block);
                    sink.send(&convert::header(rpc.chain.config(), &Block::Sealed(block), bloom)).await?;
                }
            }
        }
        Topic::Logs(filter, _room) => {
            while let Some(event) = sink.next(&mut events).await? {
                if let Event::Sealed(block) = event {
                    sink.send_logs(&rpc, &filter, &block).await?;
                }
            }
        }
    }
    Ok(())
}

/// A subscriber, and what waits for it.
#[derive(Debug)]
struct Sink {
    sink: SubscriptionSink,
    backlog: Option<Backlog>,
}

impl Sink {
    /// The next event; none when the subscriber has left or nothing comes any more.
    async fn next<T: Clone>(&self, events: &mut broadcast::Receiver<T>) -> Result<Option<T>, SubscriptionError> {
        let event = tokio::select! {
            () = self.sink.closed() => return Ok(None),
            event = events.recv() => event,
        };
        match event {
            Ok(event) => Ok(Some(event)),
            Err(RecvError::Lagged(_)) => Err(behind()),
            Err(RecvError::Closed) => Ok(None),
        }
    }

    /// Sends the logs of `block` that `filter` matches one by one, however many they are.
    async fn send_logs(&self, rpc: &Rpc, filter: &Filter, block: &SealedBlock) -> SubscriptionResult {
        if filter.matches_bloom(rpc.blooms.of(block)) {
            for log in logs::matching(filter, block, 0) {
                self.send(&log).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, message: &impl Serialize) -> SubscriptionResult {
        let json = to_raw_value(message)?;
        let fits = self.backlog.as_ref().is_none_or(|backlog| backlog.owe(json.get().len()));
        if fits && self.sink.send_timeout(json, limits::SLOW_READER).await.is_ok() { Ok(()) } else { Err(behind()) }
    }
}

fn behind() -> SubscriptionError {
    SubscriptionError::from("the subscriber fell behind; subscribe again and read what was missed from the chain")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Topic, RpcError> {
        Topic::parse(&Params::new(Some(json)), &Filters::default())
    }

    #[test]
    fn what_can_be_subscribed_to() {
        assert!(matches!(parsed(r#"["newHeads"]"#), Ok(Topic::Heads)));
        assert!(matches!(parsed(r#"["newHeads", {}]"#), Ok(Topic::Heads)));
        assert!(matches!(parsed(r#"["logs", {"topics": [null]}]"#), Ok(Topic::Logs(..))));
        assert!(matches!(parsed(r#"["logs"]"#), Ok(Topic::Logs(..))));
        assert!(matches!(parsed(r#"["newPendingTransactions"]"#), Ok(Topic::Pending)));
        assert_eq!(parsed(r#"["newPendingTransactions", true]"#).unwrap_err().code(), -32602);
        assert_eq!(parsed(r#"["weather"]"#).unwrap_err().code(), -32602);
        assert_eq!(parsed("[]").unwrap_err().code(), -32602);
    }
}
