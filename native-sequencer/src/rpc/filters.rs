//! Filters that are asked again and again: `eth_newFilter` and its kin.
//!
//! A filter is a place in the chain and what to look for from there; asking reads the chain, and nothing is kept for a filter
//! between two questions. The exception is pending transactions, which the chain does not have. Filters that nobody asks for
//! are forgotten, and their number is bounded.

use super::{
    Rpc,
    errors::RpcError,
    logs::{self, Cursor},
    methods::{Arguments, Methods},
};
use crate::limits;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, FilterChanges, Log};
use jsonrpsee::core::RegisterMethodError;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Instant};
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    broadcast::{self, error::TryRecvError},
};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.quick("eth_newFilter", 1, new_filter)?;
    methods.quick("eth_newBlockFilter", 0, |rpc, _| rpc.filters.install(Kind::Blocks, rpc.next_height()))?;
    methods.quick("eth_newPendingTransactionFilter", 1, |rpc, _| {
        rpc.filters.install(Kind::Pending(rpc.pool.subscribe()), rpc.next_height())
    })?;
    methods.quick("eth_uninstallFilter", 1, |rpc, arguments| Ok(rpc.filters.remove(arguments.required()?)))?;
    methods.heavy("eth_getFilterChanges", 1, get_filter_changes)?;
    methods.heavy("eth_getFilterLogs", 1, get_filter_logs)
}

/// What a filter looks for.
#[derive(Debug)]
enum Kind {
    Logs { filter: Box<Filter>, _room: OwnedSemaphorePermit },
    Blocks,
    Pending(broadcast::Receiver<B256>),
}

#[derive(Debug)]
struct Installed {
    kind: Kind,
    /// What was not told yet begins here.
    next: Cursor,
    used: Instant,
}

/// The installed filters, by id. Ids cannot be guessed: whoever has one can use up what it finds.
#[derive(Debug)]
pub(super) struct Filters {
    installed: Mutex<HashMap<U64, Installed>>,
    /// What filters and subscriptions may still name.
    alternatives: Arc<Semaphore>,
}

impl Default for Filters {
    fn default() -> Self {
        let alternatives = Arc::new(Semaphore::new(limits::KEPT_ALTERNATIVES));
        Self { installed: Mutex::default(), alternatives }
    }
}

impl Filters {
    /// Room for `filter` to be kept, as long as the permit is: by a filter or by a subscription.
    pub(super) fn room_for(&self, filter: &Filter) -> Result<OwnedSemaphorePermit, RpcError> {
        logs::check(filter)?;
        let room = || self.alternatives.clone().try_acquire_many_owned(logs::alternatives(filter));
        room().or_else(|_| {
            self.forget_idle(&mut self.installed.lock());
            room().map_err(|_| RpcError::Busy("the filters that are kept name too much"))
        })
    }

    fn forget_idle(&self, installed: &mut HashMap<U64, Installed>) {
        let now = Instant::now();
        installed.retain(|_, filter| now.duration_since(filter.used) < limits::FILTER_IDLE);
    }

    fn install(&self, kind: Kind, next: u64) -> Result<U64, RpcError> {
        let mut installed = self.installed.lock();
        if installed.len() >= limits::FILTERS {
            self.forget_idle(&mut installed);
        }
        if installed.len() >= limits::FILTERS {
            return Err(RpcError::Busy("too many filters are installed"));
        }
        let id = random_id()?;
        let next = Cursor::before(next);
        installed.insert(id, Installed { kind, next, used: Instant::now() });
        Ok(id)
    }

    fn remove(&self, id: U64) -> bool {
        self.installed.lock().remove(&id).is_some()
    }

    /// Uses the filter, if it is still there.
    fn with<T>(&self, id: U64, body: impl FnOnce(&mut Installed) -> T) -> Result<T, RpcError> {
        let mut installed = self.installed.lock();
        let filter = installed.get_mut(&id).ok_or(RpcError::UnknownFilter)?;
        if filter.used.elapsed() >= limits::FILTER_IDLE {
            installed.remove(&id);
            return Err(RpcError::UnknownFilter);
        }
        filter.used = Instant::now();
        Ok(body(filter))
    }
}

pub(super) fn random_id() -> Result<U64, RpcError> {
    getrandom::u64().map(U64::from).map_err(|error| {
        tracing::error!(%error, "no randomness");
        RpcError::Internal
    })
}

fn new_filter(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<U64, RpcError> {
    let filter: Filter = arguments.required()?;
    if matches!(filter.block_option, FilterBlockOption::AtBlockHash(_)) {
        return Err(RpcError::InvalidParams(
            "a filter looks for what is to come; blockHash is for eth_getLogs".to_owned(),
        ));
    }
    let room = rpc.filters.room_for(&filter)?;
    rpc.filters.install(Kind::Logs { filter: Box::new(filter), _room: room }, rpc.next_height())
}

/// What a filter has to look at next.
enum Next {
    Logs(Box<Filter>),
    Blocks,
    Pending(Vec<B256>),
}

/// What happened since the last question. A question that fails uses nothing up, so the next one gets it.
fn get_filter_changes(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<FilterChanges<()>, RpcError> {
    let id = arguments.required()?;
    let head = rpc.chain.head().header.height;
    let (next, from) = rpc.filters.with(id, |filter| {
        let next = match &mut filter.kind {
            Kind::Logs { filter, .. } => Next::Logs(filter.clone()),
            Kind::Blocks => Next::Blocks,
            Kind::Pending(hashes) => Next::Pending(drain(hashes)),
        };
        (next, filter.next)
    })?;
    // No further than one log query reaches: the rest is for the next question.
    let to = head.min(from.height.saturating_add(limits::LOG_BLOCKS - 1));
    let behind = from.max(Cursor::before(to + 1));
    let (changes, next) = match next {
        Next::Logs(filter) => {
            let (logs, next) = rpc.some_logs(&filter, from, to)?;
            (FilterChanges::Logs(logs), next.unwrap_or(behind))
        }
        Next::Blocks => {
            let hash = |height| rpc.block(height).map(|block| block.map(|block| block.hash())).transpose();
            let hashes: Result<_, _> = (from.height..=to).filter_map(hash).collect();
            (FilterChanges::Hashes(hashes?), behind)
        }
        Next::Pending(hashes) => (FilterChanges::Hashes(hashes), from),
    };
    rpc.filters.with(id, |filter| filter.next = filter.next.max(next))?;
    Ok(changes)
}

/// The part of what lies from `from` to the end of block `to` that is in the filter's own range, if it names one.
fn within(filter: &Filter, from: Cursor, to: u64) -> Option<(Cursor, u64)> {
    let (first, last) = filter.extract_block_range();
    let from = from.max(Cursor::before(first.unwrap_or(0)));
    let to = to.min(last.unwrap_or(u64::MAX));
    (from.height <= to).then_some((from, to))
}

fn drain(hashes: &mut broadcast::Receiver<B256>) -> Vec<B256> {
    let mut drained = Vec::new();
    loop {
        match hashes.try_recv() {
            Ok(hash) => drained.push(hash),
            // What was pushed out is sealed or forgotten by now.
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return drained,
        }
    }
}

fn get_filter_logs(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<Vec<Log>, RpcError> {
    let filter = rpc.filters.with(arguments.required()?, |filter| match &filter.kind {
        Kind::Logs { filter, .. } => Some(filter.clone()),
        _ => None,
    })?;
    rpc.logs(filter.as_deref().ok_or(RpcError::UnknownFilter)?)
}

impl Rpc {
    /// The logs from `from` to the end of block `to`, or as many as one answer holds, and then where the others begin.
    fn some_logs(&self, filter: &Filter, from: Cursor, to: u64) -> Result<(Vec<Log>, Option<Cursor>), RpcError> {
        let Some((from, to)) = within(filter, from, to) else { return Ok((Vec::new(), None)) };
        let found = self.search(filter, from, to, limits::LOG_RESULTS)?;
        Ok((found.logs, (found.next.height <= to).then_some(found.next)))
    }

    fn next_height(&self) -> u64 {
        super::at::height_of_tag(&self.chain, BlockNumberOrTag::Latest).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;

    #[test]
    fn the_number_of_filters_is_bounded() {
        let filters = Filters::default();
        let first = filters.install(Kind::Blocks, 0).unwrap();
        for _ in 1..limits::FILTERS {
            filters.install(Kind::Blocks, 0).unwrap();
        }
        assert_eq!(filters.install(Kind::Blocks, 0).unwrap_err().code(), -32005);
        assert!(filters.remove(first));
        assert!(!filters.remove(first));
        assert!(filters.install(Kind::Blocks, 0).is_ok());
    }

    #[test]
    fn what_filters_name_is_bounded_over_all() {
        let filters = Filters::default();
        let addresses = (0..limits::LOG_ALTERNATIVES as u64).map(|at| Address::left_padding_from(&at.to_be_bytes()));
        let filter = Filter::new().address(addresses.collect::<Vec<_>>());
        let mut kept: Vec<_> = (0..limits::KEPT_ALTERNATIVES / limits::LOG_ALTERNATIVES)
            .map(|_| filters.room_for(&filter).expect("room"))
            .collect();
        assert_eq!(filters.room_for(&filter).unwrap_err().code(), -32005);
        kept.pop();
        assert!(filters.room_for(&filter).is_ok());
    }

    #[test]
    fn an_unknown_filter_is_told() {
        assert_eq!(Filters::default().with(U64::from(1), |_| ()).unwrap_err().to_string(), "filter not found");
    }

    #[test]
    fn changes_stay_within_the_range_that_a_filter_names() {
        let filter = Filter::new().from_block(5).to_block(8);
        let at = |height, logs| Cursor { height, logs };
        assert_eq!(within(&filter, at(1, 3), 6), Some((at(5, 0), 6)));
        assert_eq!(within(&filter, at(7, 3), 20), Some((at(7, 3), 8)));
        assert_eq!(within(&filter, at(9, 0), 20), None);
        assert_eq!(within(&Filter::new(), at(9, 0), 20), Some((at(9, 0), 20)));
    }
}
