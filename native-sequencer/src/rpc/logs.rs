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
use std::{ops::RangeInclusive, sync::Arc};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.heavy("eth_getLogs", 1, |rpc: &Rpc, arguments: &mut Arguments<'_>| {
        let filter = arguments.required()?;
        rpc.logs(&filter)
    })
}

/// Refuses a filter that names more than is looked for.
pub(super) fn check(filter: &Filter) -> Result<(), RpcError> {
    let longest = filter.topics.iter().map(|topics| topics.len()).max().unwrap_or_default();
    if longest.max(filter.address.len()) > limits::LOG_ALTERNATIVES {
        let most = limits::LOG_ALTERNATIVES;
        return Err(RpcError::TooMuch(format!("the filter names more than {most} addresses or topics")));
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
fn range(from: u64, to: u64, head: u64) -> Result<Option<RangeInclusive<u64>>, RpcError> {
    let to = to.min(head);
    if from > to {
        return Ok(None);
    }
    if to - from >= limits::LOG_BLOCKS {
        let most = limits::LOG_BLOCKS;
        return Err(RpcError::TooMuch(format!("query exceeds max block range {most}, ask for fewer blocks at a time")));
    }
    Ok(Some(from..=to))
}

/// Where a search is: at a height, and behind so many of the logs of the block there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    pub(super) height: u64,
    pub(super) logs: u64,
}

impl Cursor {
    /// Before the block at `height`.
    pub(super) const fn before(height: u64) -> Self {
        Self { height, logs: 0 }
    }
}

/// What a search has found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) logs: Vec<Log>,
    /// Where it goes on.
    pub(super) next: Cursor,
    /// What kept it from getting to its end.
    full: Option<String>,
}

impl Rpc {
    /// The logs that `filter` asks for.
    pub(super) fn logs(&self, filter: &Filter) -> Result<Vec<Log>, RpcError> {
        let Some(heights) = self.heights(filter)? else { return Ok(Vec::new()) };
        let (from, to) = heights.into_inner();
        // A block cannot be asked for in parts, so what is told of one is bounded by what an answer can hold alone.
        let (most, advice) = if from == to {
            (usize::MAX, "narrow the filter by address or topics, or use eth_getBlockReceipts")
        } else {
            (limits::LOG_RESULTS, "ask for fewer blocks at a time")
        };
        let found = self.search(filter, Cursor::before(from), to, most)?;
        match found.full {
            None => Ok(found.logs),
            Some(full) => Err(RpcError::TooMuch(format!("{full}, {advice}"))),
        }
    }

    fn heights(&self, filter: &Filter) -> Result<Option<RangeInclusive<u64>>, RpcError> {
        match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let height = self.chain.height_of(&hash)?.ok_or(RpcError::UnknownBlock)?;
                Ok(Some(height..=height))
            }
            FilterBlockOption::Range { from_block, to_block } => {
                // Who asks from the block after the head to the latest, as indexers do again and again, made no mistake.
                if let (Some(BlockNumberOrTag::Number(from)), Some(BlockNumberOrTag::Number(to))) =
                    (from_block, to_block)
                    && from > to
                {
                    let message = "invalid block range params: fromBlock is above toBlock";
                    return Err(RpcError::InvalidParams(message.to_owned()));
                }
                let height = |tag: Option<BlockNumberOrTag>| height_of_tag(&self.chain, tag.unwrap_or_default());
                range(height(from_block), height(to_block), self.chain.head().header.height)
            }
        }
    }

    /// The logs that `filter` matches from `from` on, up to the end of block `to` or as many as one answer holds: at least one
    /// if there is one in the first block that is not empty, and no more than `most`.
    pub(super) fn search(&self, filter: &Filter, from: Cursor, to: u64, most: usize) -> Result<Found, RpcError> {
        check(filter)?;
        let mut found = Found { logs: Vec::new(), next: from, full: None };
        let (mut bytes, mut transactions) = (0, 0);
        while found.next.height <= to {
            let height = found.next.height;
            if let Some(block) = self.unless_ruled_out(filter, height)? {
                let looked_into = transactions;
                transactions += block.transactions.len();
                if looked_into > 0 && transactions > limits::LOG_TRANSACTIONS {
                    let most = limits::LOG_TRANSACTIONS;
                    found.full = Some(format!("query looks into more than {most} transactions"));
                    return Ok(found);
                }
                found.take(matching(filter, &block, found.next.logs), most, &mut bytes);
                if found.full.is_some() {
                    return Ok(found);
                }
            }
            found.next = Cursor::before(height + 1);
        }
        Ok(found)
    }

    /// The block at `height`, unless its bloom is known and says that it has nothing for `filter`.
    fn unless_ruled_out(&self, filter: &Filter, height: u64) -> Result<Option<Arc<SealedBlock>>, RpcError> {
        // A bloom that is not known is learnt here, so asking again gets further.
        if self.blooms.get(height).is_some_and(|bloom| !filter.matches_bloom(bloom)) {
            return Ok(None);
        }
        let block = self.chain.block(height)?;
        if let Some(block) = &block {
            self.blooms.of(block);
        }
        Ok(block)
    }
}

impl Found {
    /// Takes logs until there are `most` or their JSON is as long as an answer may be.
    fn take(&mut self, logs: impl Iterator<Item = Log>, most: usize, bytes: &mut usize) {
        for log in logs {
            *bytes += json_bytes(&log);
            if self.logs.len() >= most {
                self.full = Some(format!("query returned more than {most} results"));
                return;
            }
            if !self.logs.is_empty() && *bytes > limits::LOG_BYTES {
                self.full = Some(format!("query returned more than {} bytes", limits::LOG_BYTES));
                return;
            }
            self.next.logs = log.log_index.unwrap_or_default() + 1;
            self.logs.push(log);
        }
    }
}

/// How long a log is as JSON, at most: what is always there, 69 bytes a topic, two digits a byte of data.
fn json_bytes(log: &Log) -> usize {
    512 + 69 * log.topics().len() + 2 * log.data().data.len()
}

/// The logs of `block` that `filter` matches, after the first `behind` of all of them.
pub(super) fn matching<'a>(
    filter: &'a Filter,
    block: &'a SealedBlock,
    behind: u64,
) -> impl Iterator<Item = Log> + Send + 'a {
    block.transactions.iter().zip(block.receipts()).enumerate().flat_map(move |(index, (sealed, receipt))| {
        let logs = receipt.logs.iter().enumerate();
        logs.skip_while(move |(at, _)| sealed.first_log + (*at as u64) < behind)
            .filter(move |(_, log)| matches(filter, log))
            .filter_map(move |(at, _)| convert::log(block, sealed, index, at))
    })
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
        assert_eq!(range(7, 6, 10).unwrap(), None);
        let most = limits::LOG_BLOCKS;
        assert!(range(1, most, u64::MAX).unwrap().is_some());
        assert_eq!(range(1, most + 1, u64::MAX).unwrap_err().code(), -32602);
        assert_eq!(range(0, u64::MAX, u64::MAX).unwrap_err().code(), -32602);
    }

    #[test]
    fn a_log_is_no_longer_than_it_is_counted() {
        let topics = vec![B256::repeat_byte(255); 4];
        let data = Bytes::from(vec![255; 1_000]);
        let inner = alloy_primitives::Log::new_unchecked(Address::repeat_byte(255), topics, data);
        let log = Log {
            inner,
            block_hash: Some(B256::repeat_byte(255)),
            block_number: Some(u64::MAX),
            block_timestamp: Some(u64::MAX),
            transaction_hash: Some(B256::repeat_byte(255)),
            transaction_index: Some(u64::MAX),
            log_index: Some(u64::MAX),
            removed: false,
        };
        let json = serde_json::to_string(&log).unwrap();
        assert!(json.len() <= json_bytes(&log), "{}", json.len());
    }

    #[test]
    fn a_filter_with_too_many_alternatives_is_refused() {
        let many = |count: usize| {
            let addresses: Vec<_> = (0..count).map(|at| Address::left_padding_from(&at.to_be_bytes())).collect();
            check(&Filter::new().address(addresses))
        };
        assert!(many(limits::LOG_ALTERNATIVES).is_ok());
        assert_eq!(many(limits::LOG_ALTERNATIVES + 1).unwrap_err().code(), -32602);
    }
}
