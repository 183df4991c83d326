//! `eth_getLogs`: the logs of some blocks that a filter matches, for bounded work.

use super::{
    Rpc,
    at::height_of_tag,
    convert,
    errors::RpcError,
    methods::{Arguments, Methods},
};
use crate::{block::SealedBlock, limits};
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::core::RegisterMethodError;
use ocelli_core::receipt;
use std::ops::RangeInclusive;

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.heavy("eth_getLogs", |rpc: &Rpc, arguments: &mut Arguments<'_>| {
        let filter = arguments.required()?;
        rpc.logs(&filter)
    })
}

/// Refuses a filter that names more than is looked for.
pub(super) fn check(filter: &Filter) -> Result<(), RpcError> {
    let longest = filter.topics.iter().map(|topics| topics.len()).max().unwrap_or_default();
    if longest.max(filter.address.len()) > limits::LOG_ALTERNATIVES {
        let most = limits::LOG_ALTERNATIVES;
        return Err(RpcError::Limit(format!("the filter names more than {most} addresses or topics")));
    }
    Ok(())
}

/// What `filter` takes in memory: each address and topic that it names counts as one.
pub(super) fn alternatives(filter: &Filter) -> u32 {
    let count = filter.address.len() + filter.topics.iter().map(|topics| topics.len()).sum::<usize>();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether `filter` matches `log`, whatever block it is in.
pub(super) fn matches(filter: &Filter, log: &receipt::Log) -> bool {
    filter.matches_address(log.address) && filter.matches_topics(&log.topics)
}

/// The heights that a range means; none if it is empty.
pub(super) fn range(from: u64, to: u64, head: u64) -> Result<Option<RangeInclusive<u64>>, RpcError> {
    if from > to {
        return Err(RpcError::InvalidParams("invalid block range params: fromBlock is above toBlock".to_owned()));
    }
    let to = to.min(head);
    if from > to {
        return Ok(None);
    }
    if to - from >= limits::LOG_BLOCKS {
        let most = limits::LOG_BLOCKS;
        return Err(RpcError::Limit(format!("query exceeds max block range {most}, ask for fewer blocks at a time")));
    }
    Ok(Some(from..=to))
}

impl Rpc {
    /// The logs that `filter` asks for.
    pub(super) fn logs(&self, filter: &Filter) -> Result<Vec<Log>, RpcError> {
        let heights = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let height = self.chain.height_of(&hash)?.ok_or(RpcError::UnknownBlock)?;
                Some(height..=height)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                let height = |tag: Option<BlockNumberOrTag>| height_of_tag(&self.chain, tag.unwrap_or_default());
                range(height(from_block), height(to_block), self.chain.head().header.height)?
            }
        };
        heights.map_or(Ok(Vec::new()), |heights| self.logs_in(filter, heights))
    }

    /// The logs of blocks at `heights` that `filter` matches.
    pub(super) fn logs_in(&self, filter: &Filter, heights: RangeInclusive<u64>) -> Result<Vec<Log>, RpcError> {
        check(filter)?;
        let mut found = Found::default();
        for height in heights {
            // A bloom that is not known is learnt here, so asking again gets further.
            if self.blooms.get(height).is_some_and(|bloom| !filter.matches_bloom(bloom)) {
                continue;
            }
            let Some(block) = self.chain.block(height)? else { continue };
            let bloom = self.blooms.of(&block);
            found.look_into(&block)?;
            if filter.matches_bloom(bloom) {
                found.search(filter, &block)?;
            }
        }
        Ok(found.logs)
    }
}

/// What a query has found, and what it has cost.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) logs: Vec<Log>,
    bytes: usize,
    transactions: usize,
}

impl Found {
    /// Counts a block that had to be read, be it only to learn its bloom.
    fn look_into(&mut self, block: &SealedBlock) -> Result<(), RpcError> {
        self.transactions += block.transactions.len();
        if self.transactions > limits::LOG_TRANSACTIONS {
            let most = limits::LOG_TRANSACTIONS;
            return Err(limit(&format!("query looks into more than {most} transactions")));
        }
        Ok(())
    }

    /// Adds the logs of `block` that `filter` matches.
    pub(super) fn search(&mut self, filter: &Filter, block: &SealedBlock) -> Result<(), RpcError> {
        for (index, sealed) in block.transactions.iter().enumerate() {
            for (at, log) in sealed.receipt.logs.iter().enumerate() {
                if matches(filter, log) {
                    self.bytes += log.data.len();
                    self.logs.extend(convert::log(block, sealed, index, at));
                    self.check()?;
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), RpcError> {
        if self.logs.len() > limits::LOG_RESULTS {
            return Err(limit(&format!("query returned more than {} results", limits::LOG_RESULTS)));
        }
        if self.bytes > limits::LOG_BYTES {
            return Err(limit(&format!("query returned more than {} bytes of log data", limits::LOG_BYTES)));
        }
        Ok(())
    }
}

fn limit(what: &str) -> RpcError {
    RpcError::Limit(format!("{what}, ask for fewer blocks at a time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B256, Bytes};

    fn log(address: u8, topics: &[u8]) -> receipt::Log {
        let topics = topics.iter().map(|topic| B256::with_last_byte(*topic)).collect();
        receipt::Log { address: Address::with_last_byte(address), topics, data: Bytes::new() }
    }

    fn filter(json: &str) -> Filter {
        let topic = |last: u8| format!("\"{}\"", B256::with_last_byte(last));
        let address = |last: u8| format!("\"{}\"", Address::with_last_byte(last));
        let json = json.replace("T1", &topic(1)).replace("T2", &topic(2));
        serde_json::from_str(&json.replace("A1", &address(1)).replace("A2", &address(2))).unwrap()
    }

    #[test]
    fn an_empty_filter_matches_everything() {
        assert!(matches(&filter("{}"), &log(9, &[])));
        assert!(matches(&filter(r#"{"topics": []}"#), &log(9, &[1, 2, 3, 4])));
        assert!(matches(&filter(r#"{"address": []}"#), &log(9, &[])));
    }

    #[test]
    fn addresses_are_alternatives() {
        assert!(matches(&filter(r#"{"address": A1}"#), &log(1, &[])));
        assert!(!matches(&filter(r#"{"address": A1}"#), &log(2, &[])));
        assert!(matches(&filter(r#"{"address": [A1, A2]}"#), &log(2, &[])));
        assert!(!matches(&filter(r#"{"address": [A1, A2]}"#), &log(3, &[])));
    }

    #[test]
    fn topics_hold_by_position_null_holds_always_and_a_list_is_alternatives() {
        assert!(matches(&filter(r#"{"topics": [T1]}"#), &log(9, &[1, 5])));
        assert!(!matches(&filter(r#"{"topics": [T1]}"#), &log(9, &[5, 1])));
        assert!(matches(&filter(r#"{"topics": [null, T1]}"#), &log(9, &[5, 1])));
        assert!(!matches(&filter(r#"{"topics": [null, T1]}"#), &log(9, &[1])));
        assert!(matches(&filter(r#"{"topics": [[T1, T2], T2]}"#), &log(9, &[2, 2])));
        assert!(!matches(&filter(r#"{"topics": [[T1, T2], T2]}"#), &log(9, &[3, 2])));
    }

    #[test]
    fn a_range_is_bounded_and_ends_at_the_head() {
        assert_eq!(range(5, 100, 10).unwrap(), Some(5..=10));
        assert_eq!(range(11, 100, 10).unwrap(), None);
        assert_eq!(range(7, 6, 10).unwrap_err().code(), -32602);
        let most = limits::LOG_BLOCKS;
        assert!(range(1, most, u64::MAX).unwrap().is_some());
        assert_eq!(range(1, most + 1, u64::MAX).unwrap_err().code(), -32005);
        assert_eq!(range(0, u64::MAX, u64::MAX).unwrap_err().code(), -32005);
    }

    #[test]
    fn a_filter_with_too_many_alternatives_is_refused() {
        let many = |count: usize| {
            let addresses: Vec<_> = (0..count).map(|at| Address::left_padding_from(&at.to_be_bytes())).collect();
            check(&Filter::new().address(addresses))
        };
        assert!(many(limits::LOG_ALTERNATIVES).is_ok());
        assert_eq!(many(limits::LOG_ALTERNATIVES + 1).unwrap_err().code(), -32005);
    }
}
