//! Lies in the header.

use super::{Lie, among, forge::header, not_committed, only};
use crate::wallet::Wallet;
use alloy_primitives::{Address, B256};
use ocelli_core::{
    block::{BlockFault, HeaderField},
    evidence::Fault,
    header::SignedHeader,
    refusal::NotCommitted,
    row::RowFault,
};

const OTHER: B256 = B256::repeat_byte(0x5a);

/// A header that has this field wrong and nothing else.
macro_rules! field {
    ($field:ident) => {
        only!(Fault::Block(BlockFault::Header(HeaderField::$field)))
    };
}

/// A header that has this field wrong, on which rows depend too.
macro_rules! field_and_rows {
    ($field:ident) => {
        among!(Fault::Block(BlockFault::Header(HeaderField::$field)))
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "header: another protocol version",
        expect: field!(Version),
        apply: |block| header(block, |header| header.version += 1),
    },
    Lie {
        name: "header: other parameters",
        expect: field!(ParamsHash),
        apply: |block| header(block, |header| header.params_hash = OTHER),
    },
    Lie {
        name: "header: a height left out",
        expect: field_and_rows!(Height),
        apply: |block| header(block, |header| header.height += 1),
    },
    Lie {
        name: "header: the parent's height",
        expect: field_and_rows!(Height),
        apply: |block| header(block, |header| header.height -= 1),
    },
    Lie {
        name: "header: a term below the parent's",
        // The parent of the first block is genesis, which has the lowest term there is.
        expect: field!(Term),
        apply: |block| {
            let below = block.parent.term.checked_sub(1)?;
            header(block, |header| header.term = below)
        },
    },
    Lie {
        name: "header: the parent's time",
        expect: field!(Time),
        apply: |block| {
            let time_ms = block.parent.time_ms;
            header(block, |header| header.time_ms = time_ms)
        },
    },
    Lie {
        name: "header: a time before the parent's",
        expect: field!(Time),
        apply: |block| {
            let time_ms = block.parent.time_ms - 1;
            header(block, |header| header.time_ms = time_ms)
        },
    },
    Lie {
        name: "header: another state root",
        expect: field!(StateRoot),
        apply: |block| header(block, |header| header.state_root = OTHER),
    },
    Lie {
        name: "header: the parent's state root",
        expect: field!(StateRoot),
        apply: |block| {
            let root = block.parent.state_root;
            header(block, |header| header.state_root = root)
        },
    },
    Lie {
        name: "header: another history",
        expect: field!(Ancestors),
        apply: |block| header(block, |header| header.ancestors = OTHER),
    },
    Lie {
        name: "header: a history without the parent",
        expect: field!(Ancestors),
        apply: |block| {
            let ancestors = block.parent.ancestors;
            header(block, |header| header.ancestors = ancestors)
        },
    },
    Lie {
        name: "header: another epoch",
        expect: field!(Epoch),
        apply: |block| header(block, |header| header.epoch.number += 1),
    },
    Lie {
        name: "header: another epoch seed",
        expect: field!(Epoch),
        apply: |block| header(block, |header| header.epoch.seed = OTHER),
    },
    Lie {
        name: "header: other verifiers",
        expect: field!(Epoch),
        apply: |block| header(block, |header| header.epoch.set_hash = OTHER),
    },
    Lie {
        name: "header: other verifiers to come",
        expect: field!(Epoch),
        apply: |block| header(block, |header| header.epoch.next_set_hash = OTHER),
    },
    Lie {
        name: "header: an L1 block number",
        expect: field!(L1),
        apply: |block| header(block, |header| header.l1.number = 1),
    },
    Lie {
        name: "header: an L1 block hash",
        expect: field!(L1),
        apply: |block| header(block, |header| header.l1.hash = OTHER),
    },
    Lie {
        name: "header: messages from L1",
        expect: field!(L1),
        apply: |block| header(block, |header| header.l1.message_count = 1),
    },
    Lie {
        name: "header: a queue of messages from L1",
        expect: field!(L1),
        apply: |block| header(block, |header| header.l1.queue_hash = OTHER),
    },
    Lie {
        name: "header: more gas than the rows used",
        expect: field!(GasUsed),
        apply: |block| header(block, |header| header.gas_used += 1),
    },
    Lie {
        name: "header: a higher base fee",
        expect: field_and_rows!(BaseFee),
        apply: |block| header(block, |header| header.base_fee += 1),
    },
    Lie {
        name: "header: a lower base fee",
        expect: field_and_rows!(BaseFee),
        apply: |block| header(block, |header| header.base_fee -= 1),
    },
    Lie {
        name: "header: another sequencer's name",
        expect: field!(Sequencer),
        apply: |block| header(block, |header| header.sequencer = Address::repeat_byte(1)),
    },
    Lie {
        name: "header: a parent that is not the one whose hash the opening row writes",
        expect: among!(Fault::Row { index: 0, fault: RowFault::Cell(_) }),
        apply: |block| header(block, |header| header.parent = OTHER),
    },
    Lie {
        name: "header: of another chain",
        expect: not_committed!(NotCommitted::OtherChain),
        apply: |block| header(block, |header| header.genesis = OTHER),
    },
    Lie {
        name: "header: another manifest",
        expect: not_committed!(NotCommitted::Manifest),
        apply: |block| header(block, |header| header.manifest_root = OTHER),
    },
    Lie {
        name: "header: signed by somebody else",
        expect: not_committed!(NotCommitted::NotSigned),
        apply: |block| {
            let signature = Wallet::new(0).key.sign(&block.signed.header.hash());
            block.signed.signature = signature;
            Some(())
        },
    },
    Lie {
        name: "header: with the signature of another header",
        expect: not_committed!(NotCommitted::NotSigned),
        apply: |block| {
            let signature = block.key.sign(&block.parent.hash());
            block.signed = SignedHeader { signature, header: block.signed.header.clone() };
            Some(())
        },
    },
];
