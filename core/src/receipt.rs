//! Receipts: what a transaction did, as its row commits to it.

use crate::hash::Preimage;
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// One log (event).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The contract that logged.
    #[serde(with = "crate::wire::raw")]
    pub address: Address,
    /// Up to four topics.
    pub topics: Vec<B256>,
    /// The data.
    pub data: Bytes,
}

/// A transaction's receipt. Indices and cumulative gas are not in it: they follow from the row order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whether the transaction succeeded.
    pub success: bool,
    /// Gas used, after refunds.
    pub gas_used: u64,
    /// Logs, in order.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// The receipt's leaf in its row's receipts tree: status, gas used, number of logs, and for each log its address, number
    /// of topics, topics, length of data and data.
    pub fn leaf(&self) -> Vec<u8> {
        let of_log = |log: &Log| 20 + 1 + 32 * log.topics.len() + 4 + log.data.len();
        let preimage = Preimage::with_room(1 + 8 + 4 + self.logs.iter().map(of_log).sum::<usize>());
        let preimage = preimage.u8(u8::from(self.success)).u64(self.gas_used).u32(self.logs.len() as u32);
        let preimage = self.logs.iter().fold(preimage, |preimage, log| {
            let preimage = preimage.address(&log.address).u8(log.topics.len() as u8);
            let preimage = log.topics.iter().fold(preimage, |preimage, topic| preimage.b256(topic));
            preimage.u32(log.data.len() as u32).bytes(&log.data)
        });
        preimage.into_bytes()
    }
}
