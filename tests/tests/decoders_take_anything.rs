//! A decoder answers to any bytes: no panic, no memory but in proportion to what it was given, and what it accepts encodes to
//! the same bytes again.

use alloy_primitives::Bytes;
use ocelli_core::{
    attestation::SignedAttestation,
    certificate::Certificate,
    column::ColumnBody,
    evidence::Evidence,
    genesis::ChainConfig,
    header::SignedHeader,
    limits,
    manifest::Manifest,
    message::{BlockDocument, ReceiptProof, StateProof, StreamMessage},
    params::Fork,
    promise::SignedPromise,
    row::{RowBody, RowTask},
    transaction::Transaction,
    tree::Proof,
    wire,
};
use ocelli_tests::{
    realistic,
    verdicts::{Check, claim},
    wallet::CHAIN_ID,
};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of memory that a decoder may take at once for each byte that it is given.
const MEMORY_A_BYTE: u64 = 48;
/// Bytes of memory that a decoder may take whatever it is given: for a list that is said to be long, up to a megabyte is set
/// aside before its elements are read, and lists stand in lists.
const MEMORY_AT_LEAST: u64 = 4 << 20;

/// One decoder, and encodings that it accepts.
struct Decoder {
    name: &'static str,
    /// Decodes, and says whether what was decoded encodes to the same bytes again; none if nothing was decoded.
    decode: fn(&[u8]) -> Option<bool>,
    accepted: Vec<Vec<u8>>,
}

fn wire<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Option<bool> {
    let value: T = wire::decode(bytes, limit).ok()?;
    Some(wire::encode(&value) == bytes)
}

fn decoders() -> Vec<Decoder> {
    let (blocks, _) = realistic::blocks();
    let of_blocks = |of: &dyn Fn(&ocelli_tests::chain::TestBlock) -> Vec<u8>| blocks.iter().map(of).collect::<Vec<_>>();
    let evidence = |check| {
        move |block: &ocelli_tests::chain::TestBlock| block.evidence(claim(block, check).expect("a task")).encode()
    };
    let document = |block: &ocelli_tests::chain::TestBlock| BlockDocument {
        signed: block.signed.clone(),
        parent_ancestors: block.parent_ancestors.clone(),
        manifest: block.assembled.manifest.clone(),
    };
    let bodies = |of: fn(&ocelli_core::block::AssembledBlock) -> &Vec<Bytes>| -> Vec<Vec<u8>> {
        blocks.iter().flat_map(|block| of(&block.assembled)).map(|body| body.to_vec()).collect()
    };
    let transactions = blocks.iter().flat_map(|block| &block.rows).flat_map(|row| &row.transactions);
    let messages = blocks.iter().flat_map(|block| {
        let sealed = StreamMessage::Sealed { signed: Box::new(block.signed.clone()), rows: 3, columns: 4 };
        let attested = StreamMessage::Attested { certificate: vec![7; 40].into() };
        [sealed, attested, StreamMessage::Lagged].map(|message| wire::encode(&message))
    });
    vec![
        Decoder {
            name: "row body",
            decode: |bytes| wire::<RowBody>(bytes, limits::ROW_BODY_BYTES_ANY),
            accepted: bodies(|assembled| &assembled.row_bodies),
        },
        Decoder {
            name: "column body",
            decode: |bytes| wire::<ColumnBody>(bytes, limits::COLUMN_BODY_BYTES_ANY),
            accepted: bodies(|assembled| &assembled.column_bodies),
        },
        Decoder {
            name: "manifest",
            decode: |bytes| wire::<Manifest>(bytes, limits::MANIFEST_BYTES),
            accepted: of_blocks(&|block| wire::encode(&block.assembled.manifest)),
        },
        Decoder {
            name: "evidence",
            decode: |bytes| Evidence::decode(bytes).ok().map(|evidence| evidence.encode() == bytes),
            accepted: [
                of_blocks(&evidence(Check::Block)),
                of_blocks(&evidence(Check::Row(1))),
                of_blocks(&evidence(Check::Column(0))),
            ]
            .concat(),
        },
        Decoder {
            name: "row task",
            decode: |bytes| wire::<RowTask>(bytes, limits::EVIDENCE_BYTES),
            accepted: of_blocks(&|block| wire::encode(&block.row_task(1))),
        },
        Decoder {
            name: "proof",
            decode: |bytes| wire::<Proof>(bytes, limits::STATE_PROOF_BYTES),
            accepted: of_blocks(&|block| {
                let body: ColumnBody = wire::decode(&block.assembled.column_bodies[0], usize::MAX).expect("a body");
                wire::encode(&body.proof)
            }),
        },
        Decoder {
            name: "signed header",
            decode: |bytes| wire::<SignedHeader>(bytes, 1_024),
            accepted: of_blocks(&|block| wire::encode(&block.signed)),
        },
        Decoder {
            name: "chain configuration",
            decode: |bytes| wire::<ChainConfig>(bytes, 4 << 20),
            accepted: of_blocks(&|block| wire::encode(&block.config)),
        },
        Decoder {
            name: "stream message",
            decode: |bytes| wire::<StreamMessage>(bytes, limits::STREAM_MESSAGE_BYTES),
            accepted: messages.collect(),
        },
        Decoder {
            name: "block document",
            decode: |bytes| wire::<BlockDocument>(bytes, limits::BLOCK_DOCUMENT_BYTES),
            accepted: of_blocks(&|block| wire::encode(&document(block))),
        },
        Decoder {
            name: "transaction",
            decode: |bytes| {
                Transaction::decode(bytes, CHAIN_ID, Fork::Osaka).ok().map(|decoded| decoded.encoded() == bytes)
            },
            accepted: transactions.map(|bytes| bytes.to_vec()).collect(),
        },
        Decoder {
            name: "attestation",
            decode: |bytes| SignedAttestation::decode(bytes).ok().map(|decoded| decoded.encode() == bytes),
            accepted: vec![],
        },
        Decoder {
            name: "certificate",
            decode: |bytes| Certificate::decode(bytes).ok().map(|decoded| decoded.encode() == bytes),
            accepted: vec![],
        },
        Decoder {
            name: "receipt proof",
            decode: |bytes| wire::<ReceiptProof>(bytes, limits::RECEIPT_PROOF_BYTES),
            accepted: vec![],
        },
        Decoder {
            name: "state proof",
            decode: |bytes| wire::<StateProof>(bytes, limits::STATE_PROOF_BYTES),
            accepted: vec![],
        },
        Decoder {
            name: "promise",
            decode: |bytes| SignedPromise::decode(bytes).ok().map(|decoded| decoded.encode() == bytes),
            accepted: vec![],
        },
    ]
}

/// Decodes within the memory that `bytes` may take.
fn decode(decoder: &Decoder, bytes: &[u8]) -> Option<bool> {
    let mut answer = None;
    let memory = allocation_counter::measure(|| answer = (decoder.decode)(bytes));
    let most = MEMORY_AT_LEAST + MEMORY_A_BYTE * bytes.len() as u64;
    assert!(memory.bytes_max <= most, "{}: {} bytes of memory for {}", decoder.name, memory.bytes_max, bytes.len());
    answer
}

/// An encoding with something done to it.
fn mutated(accepted: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let base = prop::sample::select(accepted);
    (base, vec((0_u8..5, any::<Index>(), any::<u8>(), any::<Index>()), 1..4)).prop_map(|(mut bytes, edits)| {
        for (kind, at, byte, to) in edits {
            if bytes.is_empty() {
                break;
            }
            let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                3 => drop(bytes.drain(at.min(to)..at.max(to))),
                _ => {
                    let piece = bytes[at.min(to)..at.max(to)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    })
}

fn for_each(decoder: &Decoder, inputs: impl Strategy<Value = Vec<u8>>) {
    let mut runner = TestRunner::new(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() });
    let outcome = runner.run(&inputs, |bytes| {
        prop_assert_ne!(decode(decoder, &bytes), Some(false), "{} has two encodings", decoder.name);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{}: {error}", decoder.name));
}

#[test]
fn of_random_bytes() {
    for decoder in decoders() {
        for_each(&decoder, vec(any::<u8>(), 0..2_000));
        // Most decoders stop at the version byte otherwise.
        for_each(&decoder, vec(any::<u8>(), 0..2_000).prop_map(|bytes| [vec![wire::VERSION], bytes].concat()));
    }
}

#[test]
fn of_accepted_encodings_and_what_is_near_them() {
    for decoder in decoders() {
        for accepted in &decoder.accepted {
            assert_eq!(decode(&decoder, accepted), Some(true), "{}", decoder.name);
        }
        if !decoder.accepted.is_empty() {
            for_each(&decoder, mutated(decoder.accepted.clone()));
        }
    }
}

#[test]
fn of_accesses_that_take_two_bytes_each() {
    let decoder = decoders().into_iter().find(|decoder| decoder.name == "column body").expect("there is one");
    let most = limits::COLUMN_ACCESSES_ANY as u32;
    for (count, are_too_many) in [(1_000, false), (most, false), (most + 1, true), (8 * most - 20, true)] {
        // Row 0; each access of the next key, which becomes a slot of zero.
        let mut cells = wire::encode(&(0_u32, count)).split_off(1);
        cells.resize(cells.len() + 2 * count as usize, 0);
        let empty: &[u8] = &[];
        let body = wire::encode(&(empty, cells.as_slice(), (empty, empty, empty)));
        decode(&decoder, &body);
        assert_eq!(wire::decode::<ColumnBody>(&body, limits::COLUMN_BODY_BYTES_ANY).is_err(), are_too_many, "{count}");
    }
}

#[test]
fn of_long_lists_of_the_smallest_elements_wherever_a_list_may_be() {
    // A length of 2^18 in the place of each byte of an encoding, and zeros for elements: where it is the length of a list,
    // these are the elements that take the most memory for a byte.
    let list = [vec![0x80, 0x80, 0x10], vec![0; 1 << 18]].concat();
    for decoder in decoders() {
        let shortest = decoder.accepted.iter().min_by_key(|accepted| accepted.len());
        for accepted in shortest.into_iter().chain(decoder.accepted.last()) {
            for at in 0..=accepted.len() {
                decode(&decoder, &[&accepted[..at], &list].concat());
            }
        }
    }
}
