//! Transactions in, receipts out, through pool, producer and store.

use super::world::World;
use crate::limits;
use alloy_primitives::{Address, B256, Bytes};
use ocelli_core::{
    promise::{Promise, Window},
    typed_data::{SigningDomain, TypedData},
};
use ocelli_tests::wallet::Wallet;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_transaction_becomes_a_receipt() {
    let mut wallets = [0, 1].map(Wallet::new);
    let world = World::new(&wallets);
    let _producing = world.produce();
    let to = Address::repeat_byte(9);
    let transfer = wallets[0].transfer(to, 5);
    // Long enough for a slow machine; it answers as soon as the block is sealed.
    let receipt = world.result("eth_sendRawTransactionSync", json!([transfer.encoded(), 30_000])).await;
    assert_eq!((&receipt["transactionHash"], &receipt["status"]), (&json!(transfer.hash()), &json!("0x1")));
    assert_eq!(receipt["blockNumber"], "0x1");
    assert_eq!(world.result("eth_getTransactionReceipt", json!([transfer.hash()])).await, receipt);
    assert_eq!(world.result("eth_getBalance", json!([to, "latest"])).await, "0x5");
    // The pool hears of a block a moment after everyone else, and knows the transaction until then.
    while world.pool.get(&transfer.hash()).is_some() {
        tokio::task::yield_now().await;
    }
    let again = world.error("eth_sendRawTransaction", json!([transfer.encoded()])).await;
    assert_eq!(again, (-32000, "nonce too low: next nonce 1, tx nonce 0".to_owned()));
}

#[tokio::test]
async fn a_promise_is_the_sequencers_word_on_what_was_sent() {
    let mut wallets = [0].map(Wallet::new);
    let world = World::new(&wallets);
    let transfer = wallets[0].transfer(Address::repeat_byte(9), 5);
    let answer = world.result("ocelli_sendRawTransaction", json!([transfer.encoded()])).await;
    let promise = Promise::new(&transfer, Window { after: 0, height: limits::PROMISE_BLOCKS }, 0);
    let quantities = json!({
        "transaction": transfer.hash(), "sender": transfer.sender().to_string().to_lowercase(), "nonce": "0x0",
        "after": "0x0", "height": format!("{:#x}", promise.height), "term": "0x0",
    });
    assert_eq!((&answer["hash"], &answer["promise"]), (&json!(transfer.hash()), &quantities));
    let signature: Bytes = serde_json::from_value(answer["signature"].clone()).expect("bytes");
    let signature = alloy_primitives::Signature::try_from(&signature[..]).expect("a signature");
    let config = world.chain.config();
    let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
    let signer = signature.recover_address_from_prehash(&promise.digest(&domain));
    assert_eq!(signer.expect("a signer"), config.params.sequencer);
    assert!(world.pool.get(&transfer.hash()).is_some());
    let gapped = wallets[0].clone();
    let gapped = Wallet { nonce: 7, ..gapped }.transfer(Address::ZERO, 1);
    let (code, message) = world.error("ocelli_sendRawTransaction", json!([gapped.encoded()])).await;
    assert!(code == -32000 && message.starts_with("no promise can be given"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_pending() {
    let mut wallets = [0].map(Wallet::new);
    let world = World::new(&wallets);
    let filter = world.result("eth_newPendingTransactionFilter", json!([])).await;
    let from = wallets[0].address();
    let transfer = wallets[0].transfer(Address::repeat_byte(9), 5);
    let hash = world.result("eth_sendRawTransaction", json!([transfer.encoded()])).await;
    assert_eq!(hash, json!(transfer.hash()));
    assert_eq!(world.result("eth_getTransactionCount", json!([from, "latest"])).await, "0x0");
    assert_eq!(world.result("eth_getTransactionCount", json!([from, "pending"])).await, "0x1");
    let pending = world.result("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&pending["from"], &pending["blockHash"]), (&json!(from), &Value::Null));
    assert_eq!(world.result("eth_getTransactionReceipt", json!([hash])).await, Value::Null);
    assert_eq!(world.result("eth_getFilterChanges", json!([filter])).await, json!([hash]));
    assert_eq!(world.result("eth_getFilterChanges", json!([filter])).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_why() {
    let mut wallets = [0].map(Wallet::new);
    let world = World::new(&wallets);
    let (first, second) = (wallets[0].transfer(Address::ZERO, 5), wallets[0].transfer(Address::ZERO, 5));
    let gap = world.response("eth_sendRawTransactionSync", json!([second.encoded(), 30_000])).await;
    assert_eq!((&gap["error"]["code"], &gap["error"]["data"]), (&json!(5), &json!(second.hash())));
    // Nobody makes blocks here.
    let late = world.response("eth_sendRawTransactionSync", json!([first.encoded(), 1])).await;
    assert_eq!((&late["error"]["code"], &late["error"]["data"]), (&json!(4), &json!(first.hash())));
}

#[tokio::test]
async fn what_is_no_transaction_of_this_chain_is_refused() {
    let world = World::new(&[Wallet::new(0)]);
    let stranger = Wallet::new(99).transfer(Address::ZERO, 1);
    for raw in [json!("0x"), json!("0x02c0"), json!(B256::ZERO), json!(stranger.encoded())] {
        for method in ["eth_sendRawTransaction", "eth_sendRawTransactionSync"] {
            assert_eq!(world.error(method, json!([raw])).await.0, -32000, "{raw}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_is_not_pending_even_while_the_pool_has_it() {
    let mut wallets = [0].map(Wallet::new);
    let mut world = World::new(&wallets);
    let transfer = wallets[0].transfer(Address::repeat_byte(9), 5);
    let hash = world.result("eth_sendRawTransaction", json!([transfer.encoded()])).await;
    // Sealed and published, and nobody has told the pool.
    world.seal(&[std::slice::from_ref(&transfer)]);
    assert!(world.pool.get(&transfer.hash()).is_some());
    assert_eq!(world.result("eth_getTransactionByHash", json!([hash])).await["blockNumber"], "0x1");
}
