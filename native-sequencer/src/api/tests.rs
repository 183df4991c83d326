//! The API from outside: on a socket, with a small real chain behind it.

mod columns;
pub(crate) mod served;
mod stream;
mod transactions;

use super::EvidenceBook;
use alloy_primitives::{Address, U256};
use ocelli_core::{
    attestation::SignedAttestation,
    certificate::Certificate,
    evidence::{Claim, Evidence},
    evm::Env,
    genesis::ChainConfig,
    hash::keccak256,
    header::SignedHeader,
    key::Key,
    limits::{ATTESTATION_BYTES, BLOCK_DOCUMENT_BYTES},
    manifest::Manifest,
    message::{BlockDocument, ReceiptProof, StateProof},
    row::{RowTask, verify_row},
    wire,
};
use ocelli_tests::wallet::Wallet;
use served::{NOTHING, Served, Truth, verifier};
use std::fs;

const FOREVER: &str = "public, max-age=31536000, immutable";

#[test]
fn what_a_hash_names_is_cached_for_ever_and_not_sent_twice() {
    let served = Served::with_blocks(2);
    let block = served.block(1);
    let code = served.made.state.codes.keys().next().expect("genesis has code");
    let paths = [
        format!("/v1/blocks/{}", block.hash),
        format!("/v1/blocks/{}/rows/1", block.hash),
        format!("/v1/blocks/{}/columns/0", block.hash),
        format!("/v1/codes/{code}"),
    ];
    let mut tags = Vec::new();
    for path in &paths {
        let answer = served.get(path);
        assert_eq!((answer.status, answer.cache.as_deref()), (200, Some(FOREVER)), "{path}");
        let tag = answer.tag.expect("a tag");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
        let again = served.get_with(path, Some(&tag));
        assert_eq!((again.status, again.body.len(), again.tag.as_ref()), (304, 0, Some(&tag)), "{path}");
        let listed = served.get_with(path, Some(&format!("\"other\", {tag}")));
        assert_eq!(listed.status, 304, "one of a list");
        assert_eq!(served.get_with(path, Some("\"other\"")).status, 200, "another tag");
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), paths.len(), "each its own tag");
}

#[test]
fn a_block_has_the_same_document_by_hash_and_by_height() {
    let served = Served::with_blocks(2);
    let block = served.block(2);
    let (by_hash, by_height) = (served.get(&format!("/v1/blocks/{}", block.hash)), served.get("/v1/blocks/2"));
    assert_eq!(by_hash.body, by_height.body);
    assert_eq!(by_height.cache.as_deref(), Some("no-store"), "another block may take the height");
    let document: BlockDocument = wire::decode(&by_hash.body, BLOCK_DOCUMENT_BYTES).expect("decodes");
    assert_eq!(document.signed.header.hash(), block.hash);
    assert_eq!(document.manifest.root(), document.signed.header.manifest_root);
}

#[test]
fn bodies_pass_the_core_s_checks() {
    let served = Served::with_blocks(1);
    let block = served.block(1);
    let env = Env::of(&served.made.config, block.header());
    for index in 0..block.stored.manifest.rows.len() {
        let body = served.get(&format!("/v1/blocks/{}/rows/{index}", block.hash)).body;
        let task: RowTask = wire::decode(&body, 1 << 24).expect("decodes");
        let codes = &served.made.state.codes;
        verify_row(&env, &block.stored.manifest, index, &task, |hash| codes.get(hash).cloned()).expect("valid");
    }
    for (index, column) in block.stored.manifest.columns.iter().enumerate() {
        let body = served.get(&format!("/v1/blocks/{}/columns/{index}", block.hash)).body;
        assert_eq!(wire::body_hash(&body), column.body_hash, "the body itself, without a wrapper");
    }
}

#[test]
fn the_configuration_names_the_chain() {
    let served = Served::with_blocks(1);
    let config: ChainConfig = wire::decode(&served.get("/v1/chain").body, 1 << 20).expect("decodes");
    assert_eq!(config, served.made.config);
    let summary = served.get("/v1/chain.json").json();
    assert_eq!(summary["genesis"], config.genesis_hash().to_string());
    assert_eq!(summary["head"]["height"], 1);
    assert_eq!(summary["verifiers"][0]["owner"], verifier().address().to_string().to_lowercase());
}

#[test]
fn headers_are_consecutive_and_bounded() {
    let served = Served::with_blocks(5);
    let headers = |query: &str| -> Vec<u64> {
        let bytes = served.get(&format!("/v1/headers?{query}")).body;
        let headers: Vec<SignedHeader> = wire::decode(&bytes, 1 << 20).expect("decodes");
        headers.iter().map(|signed| signed.header.height).collect()
    };
    assert_eq!(headers("from=2&count=2"), [2, 3]);
    assert_eq!(headers("from=0"), [1, 2, 3, 4, 5], "genesis is signed by nobody");
    assert_eq!(headers("from=4&count=18446744073709551615"), [4, 5]);
    assert!(headers("from=6").is_empty());
    assert!(headers("from=18446744073709551615").is_empty());
    assert_eq!(served.get("/v1/headers?from=x").error(), (400, "malformed".into()));
}

#[test]
fn what_is_not_there_is_said_with_a_code() {
    let served = Served::with_blocks(1);
    let block = served.block(1).hash;
    for (path, expected) in [
        ("/v1/blocks/0".to_owned(), (404, "not_found")),
        ("/v1/blocks/2".to_owned(), (404, "not_found")),
        ("/v1/blocks/-1".to_owned(), (400, "malformed")),
        ("/v1/blocks/0xabc".to_owned(), (400, "malformed")),
        (format!("/v1/blocks/{NOTHING}"), (404, "not_found")),
        (format!("/v1/blocks/{NOTHING}/rows/0"), (404, "not_found")),
        (format!("/v1/blocks/{block}/rows/99"), (404, "not_found")),
        (format!("/v1/blocks/{block}/columns/99999999999"), (400, "malformed")),
        ("/v1/blocks/1/rows/0".to_owned(), (400, "malformed")),
        (format!("/v1/codes/{NOTHING}"), (404, "not_found")),
        (format!("/v1/receipts/{NOTHING}"), (404, "not_found")),
        (format!("/v1/evidence/{NOTHING}"), (404, "not_found")),
        ("/v1/certificates/latest".to_owned(), (404, "not_found")),
        ("/v1/certificates/1".to_owned(), (404, "not_found")),
        ("/v1/proofs?height=9&key=account:0x0000000000000000000000000000000000000000".to_owned(), (404, "no_state")),
        ("/v1/proofs".to_owned(), (400, "malformed")),
        ("/v1/stream".to_owned(), (426, "not_a_websocket")),
        ("/v1/nothing".to_owned(), (404, "not_found")),
        ("/v1/attestations".to_owned(), (405, "no_such_method")),
    ] {
        assert_eq!(served.get(&path).error(), (expected.0, expected.1.to_owned()), "{path}");
    }
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.get("/readyz").status, 200);
}

#[test]
fn proofs_hold_under_the_header_that_they_name() {
    let served = Served::with_blocks(3);
    let (present, absent) = (Wallet::new(0).address(), Address::repeat_byte(0xcc));
    let query = format!("key=account:{present}&key=account:{absent}&key=slot:{present}:0x0f");
    for height in 1..=3 {
        let bytes = served.get(&format!("/v1/proofs?height={height}&{query}")).body;
        let proof = StateProof::decode(&bytes).expect("decodes");
        let proven = proof.verify(served.block(height).header()).expect("holds");
        assert_eq!(proven.len(), 3);
        let slot = Key::Slot(present, U256::from(15));
        assert!(proven.iter().any(|leaf| leaf.key == slot && leaf.version == 0), "absent, and proved so");
    }
    let latest = StateProof::decode(&served.get(&format!("/v1/proofs?{query}")).body).expect("decodes");
    assert_eq!(latest.height, 3, "of the head, if no height is named");

    for sealed in &served.block(2).transactions {
        let bytes = served.get(&format!("/v1/receipts/{}", sealed.hash)).body;
        let proof = ReceiptProof::decode(&bytes).expect("decodes");
        assert_eq!(
            proof.verify(&sealed.hash, served.block(2).header()),
            Ok(served.block(2).receipt(sealed).expect("its own"))
        );
    }
}

#[test]
fn attestations_become_a_certificate_that_outlives_a_restart() {
    let served = Served::with_blocks(3);
    let key = verifier();
    let first = served.post("/v1/attestations", &served.attestation(&key, 2, 1..=2).encode()).json();
    assert_eq!(first["owner"], key.address().to_string().to_lowercase());
    assert_eq!(first["vote"], true);
    let bytes = wait_for(|| Some(served.get("/v1/certificates/latest")).filter(|answer| answer.status == 200)).body;
    let certificate = Certificate::decode(&bytes).expect("decodes");
    assert_eq!((certificate.after, certificate.height), (0, 2));
    assert_eq!(served.get("/v1/certificates/1").body, bytes, "the first that covers the height");

    let served = served.restarted();
    assert_eq!(served.get("/v1/certificates/latest").body, bytes);
    let stale = served.post("/v1/attestations", &served.attestation(&key, 2, 1..=2).encode());
    assert_eq!(stale.error(), (409, "stale".into()), "collecting goes on from the certificate");
    served.post("/v1/attestations", &served.attestation(&key, 3, 3..=3).encode()).json();
    let next = wait_for(|| Some(served.get("/v1/certificates/3")).filter(|answer| answer.status == 200));
    assert_eq!(Certificate::decode(&next.body).expect("decodes").after, 2);
}

/// Asks until there is something: collecting has a thread and a pace of its own.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_attestation_that_does_not_count_is_refused_by_its_reason() {
    let served = Served::with_blocks(2);
    let other = Served::with_blocks(3);
    let key = verifier();
    let post = |signed: &SignedAttestation| served.post("/v1/attestations", &signed.encode()).error();
    let honest = served.attestation(&key, 1, 1..=1);

    let stranger = served.attestation(&Wallet::new(77).key, 1, 1..=1);
    assert_eq!(post(&stranger), (403, "not_registered".into()));
    let mut forged = served.attestation(&key, 1, 1..=1);
    forged.signature = served.attestation(&key, 2, 2..=2).signature;
    assert_eq!(post(&forged).0, 403, "another signature speaks for somebody else");
    assert_eq!(post(&other.attestation(&key, 3, 3..=3)), (404, "unknown_block".into()));

    let fork = ocelli_core::attestation::Attestation::new(1, 0, NOTHING, Vec::new()).expect("well formed");
    assert_eq!(post(&SignedAttestation::by_owner(fork, &key, &served.domain())), (409, "other_block".into()));
    let term = ocelli_core::attestation::Attestation::new(1, 7, served.block(1).hash, Vec::new()).expect("well formed");
    assert_eq!(post(&SignedAttestation::by_owner(term, &key, &served.domain())), (409, "other_term".into()));

    let mut altered = honest.encode();
    altered.push(0);
    assert_eq!(served.post("/v1/attestations", &altered).error(), (400, "malformed".into()));
    let long = vec![1; ATTESTATION_BYTES + 1];
    assert_eq!(served.post("/v1/attestations", &long).error(), (413, "too_large".into()));

    // A vote without tasks makes no certificate, so saying it again is a repetition and not stale.
    let vote = ocelli_core::attestation::Attestation::new(1, 0, served.block(1).hash, Vec::new()).expect("well formed");
    let vote = SignedAttestation::by_owner(vote, &key, &served.domain());
    assert_eq!(served.post("/v1/attestations", &vote.encode()).status, 200);
    assert_eq!(post(&vote), (409, "nothing_new".into()));
    assert_eq!(served.chain.attested_height(), 0, "none of these made a certificate");
}

#[test]
fn a_peer_that_sends_too_much_is_told_to_wait() {
    let served = Served::with_blocks(1);
    let (burst, _) = crate::limits::EVIDENCE_A_PEER;
    for _ in 0..burst {
        assert_eq!(served.post("/v1/evidence", b"nothing").error(), (400, "malformed".into()));
    }
    assert_eq!(served.post("/v1/evidence", b"nothing").error(), (429, "too_many_requests".into()));
}

/// Evidence about row 1 of the block at `height`.
fn accusation(served: &Served, height: u64) -> Evidence {
    let block = served.block(height);
    let task = block.row_task(1).expect("a row");
    let codes = served.made.state.codes.values().cloned().collect();
    let (signed, manifest) = (block.stored.signed.clone(), block.stored.manifest.clone());
    Evidence { signed, manifest, claim: Claim::Row { index: 1, task, codes } }
}

#[test]
fn nothing_can_be_proved_against_an_honest_block() {
    let served = Served::with_blocks(2);
    let honest = accusation(&served, 1);
    assert_eq!(served.post("/v1/evidence", &honest.encode()).error(), (400, "no_fault".into()));

    let mut altered = honest.clone();
    if let Claim::Row { task, .. } = &mut altered.claim {
        let mut body = task.body.to_vec();
        body[10] ^= 1;
        task.body = body.into();
    }
    assert_eq!(served.post("/v1/evidence", &altered.encode()).error(), (400, "not_committed".into()));

    let other = Evidence { manifest: Manifest::default(), ..honest };
    assert_eq!(served.post("/v1/evidence", &other.encode()).error(), (400, "not_committed".into()));
    assert_eq!(served.get("/readyz").status, 200);
    assert!(served.chain.faults().is_empty() && served.faults.lock().is_empty());
}

#[test]
fn a_proved_fault_is_published_once_and_not_forgotten() {
    let mut served = Served::with_blocks(1);
    served.seal(Truth::WeiFromNowhere);
    let evidence = accusation(&served, 2).encode();
    let answer = served.post("/v1/evidence", &evidence).json();
    assert_eq!((&answer["height"], &answer["new"]), (&2.into(), &true.into()));
    let hash = keccak256(&evidence);
    assert_eq!(answer["evidence"], hash.to_string());
    let again = served.post("/v1/evidence", &evidence).json();
    assert_eq!(again["new"], false);
    assert_eq!(*served.faults.lock(), [2], "told once");
    assert_eq!(served.get(&format!("/v1/evidence/{hash}")).body, evidence);
    assert_eq!(served.get("/readyz").error(), (503, "not_ready".into()));

    let served = served.restarted();
    assert_eq!(served.get("/readyz").error(), (503, "not_ready".into()), "a restart does not heal a chain");
    assert_eq!(served.get(&format!("/v1/evidence/{hash}")).body, evidence);
}

#[test]
fn evidence_on_disk_that_was_altered_keeps_the_node_from_starting() {
    let mut served = Served::with_blocks(1);
    served.seal(Truth::WeiFromNowhere);
    let evidence = accusation(&served, 2).encode();
    let open = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(name), bytes).expect("writes");
        let book = EvidenceBook::open(folder.path(), served.chain.clone());
        book.map(|book| book.get(&keccak256(bytes)).is_some())
    };
    let name = format!("{}.evidence", keccak256(&evidence));
    assert!(open(&name, &evidence).expect("opens"), "whole, it is served");
    let mut altered = evidence.clone();
    altered[100] ^= 1;
    for damaged in [altered, evidence[..evidence.len() - 1].to_vec(), Vec::new()] {
        let error = open(&name, &damaged).expect_err("damaged").to_string();
        assert!(error.contains(&name) && error.contains("damaged"), "{error}");
    }
    // Whole, but about another chain; and half written when the power failed.
    assert!(!open(&format!("{}.evidence", keccak256(b"another's")), b"another's").expect("opens"));
    assert!(!open(&format!("{}.partial", keccak256(&evidence)), &evidence[..9]).expect("opens"));
}

#[test]
fn what_is_not_there_is_not_unchanged() {
    let served = Served::with_blocks(1);
    let hash = served.block(1).hash;
    for kind in ["rows", "columns"] {
        assert_eq!(served.get_with(&format!("/v1/blocks/{hash}/{kind}/9999"), Some("*")).error().0, 404, "{kind}");
        assert_eq!(served.get_with(&format!("/v1/blocks/{hash}/{kind}/0"), Some("*")).status, 304, "{kind}");
    }
}
