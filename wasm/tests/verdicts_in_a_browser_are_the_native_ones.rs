//! The bindings give, in a browser, the verdict that the core gives natively: on honest blocks, on lies in every kind of task,
//! and on bodies that are not the committed ones.

#![cfg(target_arch = "wasm32")]

use alloy_primitives::{Address, B256, Bytes};
use js_sys::{Reflect, Uint8Array};
use ocelli_core::{
    attestation::SignedAttestation,
    evidence::Evidence,
    message::{BlockDocument, StreamMessage},
    signature::SecretKey,
    typed_data::{SigningDomain, TypedData},
    wire,
};
use ocelli_tests::{
    chain::{TestBlock, TestChain},
    wallet::Wallet,
};
use ocelli_wasm::{Block, Chain, VerifierKey, decode_stream_message};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Two blocks of transfers in two rows each.
fn two_blocks() -> (TestChain, [TestBlock; 2]) {
    let mut wallets: Vec<_> = (0..4).map(Wallet::new).collect();
    let mut chain = TestChain::new(&wallets);
    let blocks = [1, 2].map(|wei| {
        let transfers: Vec<_> =
            wallets.iter_mut().map(|wallet| wallet.transfer(Address::repeat_byte(3), wei)).collect();
        chain.block(&[&transfers[..2], &transfers[2..]])
    });
    (chain, blocks)
}

fn bind(chain: &TestChain) -> Chain {
    Chain::new(&wire::encode(&chain.config), Some(chain.config.genesis_hash().to_string())).expect("a configuration")
}

fn document(block: &TestBlock) -> Vec<u8> {
    wire::encode(&BlockDocument {
        signed: block.signed.clone(),
        parent_ancestors: block.parent_ancestors.clone(),
        manifest: block.assembled.manifest.clone(),
    })
}

fn open(chain: &Chain, block: &TestBlock) -> Block {
    chain.open_block(Some(wire::encode(&block.parent)), &document(block)).expect("a document")
}

fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).expect("an object")
}

fn text(object: &JsValue, name: &str) -> String {
    field(object, name).as_string().unwrap_or_else(|| panic!("{name} is text"))
}

fn bytes(object: &JsValue, name: &str) -> Vec<u8> {
    Uint8Array::new(&field(object, name)).to_vec()
}

fn check_row(opened: &Block, block: &TestBlock, index: u32) -> JsValue {
    let task = wire::encode(&block.row_task(index as usize));
    let wanted = opened.row_codes(index, &task).expect("a task");
    let codes = wanted.iter().map(|hash| &block.codes[&hash.parse::<B256>().expect("a hash")]);
    let codes = codes.map(|code| Uint8Array::from(&code[..])).collect();
    opened.check_row(index, &task, codes).expect("a task")
}

fn check_column(opened: &Block, block: &TestBlock, index: u32) -> JsValue {
    opened.check_column(index, &block.assembled.column_bodies[index as usize]).expect("a body")
}

/// Every check of the block, each as its verdict's kind.
fn verdicts(chain: &Chain, block: &TestBlock) -> Vec<JsValue> {
    let opened = open(chain, block);
    let manifest = &block.assembled.manifest;
    let rows = (0..manifest.rows.len() as u32).map(|index| check_row(&opened, block, index));
    let columns = (0..manifest.columns.len() as u32).map(|index| check_column(&opened, block, index));
    core::iter::once(opened.verdict().expect("a verdict")).chain(rows).chain(columns).collect()
}

/// The first fault that the bindings find is the one that the core finds, and its evidence convinces the core.
fn assert_same_fault(chain: &TestChain, block: &TestBlock) {
    let native = block.check().expect("committed").expect("a fault").to_string();
    let found = verdicts(&bind(chain), block);
    let fault = found.iter().find(|verdict| text(verdict, "kind") == "fault").expect("a fault");
    assert_eq!(text(fault, "description"), native);
    let evidence = bytes(fault, "evidence");
    let confirmed = Evidence::decode(&evidence).expect("evidence").check(&chain.config).expect("a fault");
    assert_eq!(confirmed.to_string(), native);
    let verdict = bind(chain).check_evidence(&evidence).expect("a verdict");
    assert_eq!((text(&verdict, "kind").as_str(), text(&verdict, "description")), ("fault", native));
}

#[wasm_bindgen_test]
fn honest_blocks_are_valid_in_every_task() {
    let (chain, blocks) = two_blocks();
    for block in &blocks {
        assert_eq!(block.check(), Ok(None));
        for verdict in verdicts(&bind(&chain), block) {
            assert_eq!(text(&verdict, "kind"), "valid");
        }
    }
}

#[wasm_bindgen_test]
fn the_first_block_stands_on_the_genesis_without_being_told() {
    let (chain, [first, _]) = two_blocks();
    let opened = bind(&chain).open_block(None, &document(&first)).expect("a document");
    assert_eq!(text(&opened.verdict().expect("a verdict"), "kind"), "valid");
    assert_eq!(field(&opened.info().expect("info"), "height").as_f64(), Some(1.0));
    assert_eq!(text(&opened.info().expect("info"), "hash"), first.signed.header.hash().to_string());
}

#[wasm_bindgen_test]
fn a_lie_in_a_row_is_a_fault() {
    let (chain, [_, mut block]) = two_blocks();
    block.assembled.manifest.rows[1].tips += alloy_primitives::U256::ONE;
    block.commit();
    assert_same_fault(&chain, &block);
}

#[wasm_bindgen_test]
fn a_lie_in_a_column_is_a_fault() {
    let (chain, [_, mut block]) = two_blocks();
    block.assembled.manifest.columns[0].cells_root = B256::repeat_byte(1);
    block.commit();
    assert_eq!(text(&check_column(&open(&bind(&chain), &block), &block, 0), "kind"), "fault");
}

#[wasm_bindgen_test]
fn a_lie_in_the_header_is_a_fault() {
    let (chain, [_, mut block]) = two_blocks();
    block.assembled.header.base_fee += 1;
    block.sign();
    assert_same_fault(&chain, &block);
}

#[wasm_bindgen_test]
fn what_is_not_committed_says_nothing_about_the_block() {
    let (chain, [first, second]) = two_blocks();
    let bound = bind(&chain);
    let opened = open(&bound, &second);
    let other = opened.check_column(0, &first.assembled.column_bodies[0]).expect("a body");
    assert_eq!((text(&other, "kind").as_str(), text(&other, "part").as_str()), ("not-committed", "body"));
    let row = opened.check_row(1, &wire::encode(&first.row_task(1)), Vec::new()).expect("a task");
    assert_eq!(text(&row, "kind"), "not-committed");
    let orphan = bound.open_block(None, &document(&second)).expect("a document");
    assert_eq!(text(&orphan.verdict().expect("a verdict"), "part"), "parent");
}

#[wasm_bindgen_test]
fn errors_have_codes() {
    let (chain, [first, _]) = two_blocks();
    let bound = bind(&chain);
    let code = |error: ocelli_wasm::Failure| text(&error.into(), "code");
    assert_eq!(Chain::new(&[9], None).map_err(code).err().as_deref(), Some("MALFORMED"));
    let config = wire::encode(&chain.config);
    let other = Some(B256::ZERO.to_string());
    assert_eq!(Chain::new(&config, other).map_err(code).err().as_deref(), Some("OTHER_GENESIS"));
    assert_eq!(bound.open_block(None, &[]).map_err(code).err().as_deref(), Some("MALFORMED"));
    let mut forged = first.clone();
    forged.signed.signature = SecretKey::from_bytes(&[7; 32]).expect("a key").sign(&B256::ZERO);
    assert_eq!(bound.anchor(&document(&forged)).map_err(code).err().as_deref(), Some("OTHER_CHAIN"));
    assert_eq!(VerifierKey::new(&bound, &[0; 32]).map_err(code).err().as_deref(), Some("INVALID_ARGUMENT"));
}

#[wasm_bindgen_test]
fn two_headers_of_one_height_are_evidence_and_one_is_not() {
    let (chain, [_, block]) = two_blocks();
    let mut other = block.clone();
    other.assembled.header.time_ms += 1;
    other.sign();
    let bound = bind(&chain);
    let (one, two) = (wire::encode(&block.signed), wire::encode(&other.signed));
    let evidence = bound.equivocation(&one, &two).expect("headers").expect("evidence");
    assert_eq!(text(&bound.check_evidence(&evidence).expect("a verdict"), "kind"), "fault");
    assert_eq!(bound.equivocation(&one, &one).expect("headers"), None);
}

#[wasm_bindgen_test]
fn a_session_attests_for_the_owner_who_delegated_to_it() {
    let (chain, [first, _]) = two_blocks();
    let bound = bind(&chain);
    let owner = Wallet::new(77);
    let mut session = VerifierKey::new(&bound, &[7; 32]).expect("a key");
    assert_eq!(session.owner(), session.address());

    let expires = 1_800_000_000_u64;
    let delegation =
        ocelli_core::attestation::Delegation { session: session.address().parse().expect("an address"), expires };
    let domain = SigningDomain::new(chain.config.params.chain_id, &chain.config.genesis_hash());
    let signature = owner.key.sign(&delegation.digest(&domain));
    let taken = session.delegate(expires as f64, signature.as_bytes()).expect("a signature");
    assert_eq!(taken.parse(), Ok(owner.address()));

    let header = &first.signed.header;
    let lists = js_sys::JSON::parse(r#"[{"height":1,"tasks":[2,0]}]"#).expect("JSON");
    let attested = session.attest(1.0, 0.0, &header.hash().to_string(), lists).expect("an attestation");
    let signed = SignedAttestation::decode(&attested).expect("an attestation");
    let voter = signed.verify(&domain, header.time_ms).expect("signed");
    assert_eq!(voter.owner, owner.address());
    let tasks: Vec<u32> = signed.attestation.tasks_at(1).expect("tasks").iter().collect();
    assert_eq!(tasks, [0, 2]);

    let info = bound.voter(&attested, header.time_ms as f64).expect("signed");
    assert_eq!(text(&info, "owner").parse(), Ok(owner.address()));
    assert_eq!(field(&info, "registered").as_bool(), Some(false));

    let frame = wire::encode(&StreamMessage::Checked { attestation: Bytes::from(attested) });
    let event = decode_stream_message(&frame).expect("a frame");
    assert_eq!((text(&event, "kind").as_str(), text(&event, "header")), ("checked", header.hash().to_string()));
}

#[wasm_bindgen_test]
fn every_verifier_takes_every_task_once_in_an_order_of_its_own() {
    let (chain, [first, _]) = two_blocks();
    let opened = open(&bind(&chain), &first);
    let orders = [1_u8, 2, 3].map(|byte| {
        let order = opened.task_order(&Address::repeat_byte(byte).to_string()).expect("an address");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..first.assembled.manifest.task_count()));
        order
    });
    assert!(orders[0] != orders[1] || orders[1] != orders[2]);
}
