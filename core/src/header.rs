//! Headers: what the sequencer signs.

use crate::{
    hash::{Domain, Preimage},
    signature::{self, Signature, SignatureError},
};
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// The version of the header's layout and of every rule that this crate holds.
pub const PROTOCOL_VERSION: u16 = 1;

/// The epoch that a block is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Height divided by the blocks in an epoch.
    pub number: u64,
    /// What decides who is drawn for which task.
    #[serde(with = "crate::wire::raw")]
    pub seed: B256,
    /// The verifiers of this epoch.
    #[serde(with = "crate::wire::raw")]
    pub set_hash: B256,
    /// The verifiers of the next epoch.
    #[serde(with = "crate::wire::raw")]
    pub next_set_hash: B256,
}

/// What the chain has seen of L1. All zero until settlement exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1 {
    /// L1 block number.
    pub number: u64,
    /// L1 block hash.
    #[serde(with = "crate::wire::raw")]
    pub hash: B256,
    /// Messages taken from L1 so far.
    pub message_count: u64,
    /// Running hash over those messages.
    #[serde(with = "crate::wire::raw")]
    pub queue_hash: B256,
}

/// A block's header. Its hash is over the fixed layout of its fields in this order, behind the header domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`PROTOCOL_VERSION`].
    pub version: u16,
    /// The genesis hash of the chain.
    #[serde(with = "crate::wire::raw")]
    pub genesis: B256,
    /// The parameters in force.
    #[serde(with = "crate::wire::raw")]
    pub params_hash: B256,
    /// The number of blocks below this one; genesis has 0.
    pub height: u64,
    /// Raised at each hand-over between sequencers.
    pub term: u64,
    /// The hash of the block below.
    #[serde(with = "crate::wire::raw")]
    pub parent: B256,
    /// Unix time in milliseconds, above the parent's.
    pub time_ms: u64,
    /// The root of the state tree after the block.
    #[serde(with = "crate::wire::raw")]
    pub state_root: B256,
    /// The root of the manifest's Merkle tree.
    #[serde(with = "crate::wire::raw")]
    pub manifest_root: B256,
    /// The root of the Merkle tree over the hashes of all earlier headers.
    #[serde(with = "crate::wire::raw")]
    pub ancestors: B256,
    /// The epoch that the block is in.
    pub epoch: Epoch,
    /// What the chain has seen of L1.
    pub l1: L1,
    /// Gas of all rows, after refunds.
    pub gas_used: u64,
    /// Base fee, in wei.
    pub base_fee: u64,
    /// The address whose key signs the header.
    #[serde(with = "crate::wire::raw")]
    pub sequencer: Address,
}

impl Header {
    /// The header's hash: what is signed, voted for and named as parent.
    pub fn hash(&self) -> B256 {
        Preimage::of(Domain::Header, &self.genesis)
            .u16(self.version)
            .b256(&self.params_hash)
            .u64(self.height)
            .u64(self.term)
            .b256(&self.parent)
            .u64(self.time_ms)
            .b256(&self.state_root)
            .b256(&self.manifest_root)
            .b256(&self.ancestors)
            .u64(self.epoch.number)
            .b256(&self.epoch.seed)
            .b256(&self.epoch.set_hash)
            .b256(&self.epoch.next_set_hash)
            .u64(self.l1.number)
            .b256(&self.l1.hash)
            .u64(self.l1.message_count)
            .b256(&self.l1.queue_hash)
            .u64(self.gas_used)
            .u64(self.base_fee)
            .address(&self.sequencer)
            .hash()
    }
}

/// A header and the sequencer's signature over its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// The signature, outside the hash.
    pub signature: Signature,
}

impl SignedHeader {
    /// The address whose key signed.
    ///
    /// # Errors
    /// [`SignatureError`] if no key can have made the signature.
    pub fn signer(&self) -> Result<Address, SignatureError> {
        signature::recover(&self.header.hash(), &self.signature)
    }
}
