//! What is malformed, too large or too much gets the error that wallets know, and the endpoint goes on.

use super::world::World;
use crate::{limits, listener::Backlog};
use alloy_primitives::Address;
use axum::http::StatusCode;
use ocelli_tests::wallet::Wallet;
use serde_json::{Value, json};

fn world() -> World {
    World::new(&[Wallet::new(0)])
}

async fn code(world: &World, body: String) -> Value {
    world.post(body).await.1["error"]["code"].clone()
}

#[tokio::test]
async fn what_is_no_request_is_told() {
    let world = world();
    assert_eq!(code(&world, "{".to_owned()).await, -32700);
    assert_eq!(code(&world, "[1, ".to_owned()).await, -32700);
    assert_eq!(code(&world, "hello".to_owned()).await, -32700);
    assert_eq!(code(&world, "{\"id\": 1}".to_owned()).await, -32600);
    let deep = "[".repeat(100_000);
    assert_eq!(code(&world, deep).await, -32700);
    let deep_params =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{}]}}", "[".repeat(100_000));
    assert_ne!(code(&world, deep_params).await, Value::Null);
    assert_eq!(world.result("eth_blockNumber", json!([])).await, "0x0");
}

#[tokio::test]
async fn an_unknown_method_is_told() {
    assert_eq!(world().error("eth_mine", json!([])).await.0, -32601);
}

#[tokio::test]
async fn parameters_of_the_wrong_type_are_told() {
    let world = world();
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x1234", "latest"])),
        ("eth_getBalance", json!([Address::ZERO, "newest"])),
        ("eth_getBalance", json!([Address::ZERO, { "blockHash": "0x1" }])),
        ("eth_getBalance", json!({ "address": Address::ZERO })),
        ("eth_getBlockByNumber", json!([{}])),
        ("eth_getLogs", json!([{ "topics": ["0x1"] }])),
        ("eth_getLogs", json!([{ "topics": [null, null, null, null, null] }])),
        ("eth_call", json!([{ "to": 1 }])),
        ("eth_call", json!([{ "gas": -1 }])),
        ("eth_sendRawTransaction", json!(["nonsense"])),
        ("eth_feeHistory", json!(["0x1", "latest", ["a"]])),
        ("eth_getFilterChanges", json!([[]])),
        ("eth_getBalance", json!([Address::ZERO, "latest", "more"])),
        ("eth_chainId", json!(["surplus"])),
    ] {
        assert_eq!(world.error(method, params.clone()).await.0, -32602, "{method} {params}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused() {
    let world = world();
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"web3_sha3\",\"params\":[\"0x{}\"]}}",
        "00".repeat(limits::RPC_REQUEST_BYTES as usize / 2)
    );
    assert_eq!(world.post(long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_batch_is_answered_up_to_its_limit() {
    let world = world();
    let batch = |count: usize| {
        let one = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_blockNumber", "params": [] });
        Value::Array((0..count).map(one).collect()).to_string()
    };
    let (_, responses) = world.post(batch(limits::RPC_BATCH)).await;
    assert_eq!(responses.as_array().unwrap().len(), limits::RPC_BATCH);
    assert_eq!(code(&world, batch(limits::RPC_BATCH + 1)).await, -32600);
    let (_, mixed) = world.post(r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}, 7]"#).await;
    assert_eq!((&mixed[0]["result"], &mixed[1]["error"]["code"]), (&json!("0x7a69"), &json!(-32600)));
}

#[tokio::test]
async fn a_log_query_that_names_too_much_is_refused() {
    let addresses = vec![Address::ZERO; 1].into_iter();
    let addresses: Vec<Address> = addresses
        .chain((0..limits::LOG_ALTERNATIVES).map(|at| Address::left_padding_from(&[1, (at >> 8) as u8, at as u8])))
        .collect();
    let world = world();
    for method in ["eth_getLogs", "eth_newFilter"] {
        assert_eq!(world.error(method, json!([{ "address": addresses }])).await.0, -32602, "{method}");
    }
}

#[tokio::test]
async fn a_call_with_too_many_overrides_is_refused() {
    let world = world();
    let accounts: serde_json::Map<String, Value> = (0..=limits::CALL_OVERRIDES)
        .map(|at| (Address::left_padding_from(&at.to_be_bytes()).to_string(), json!({ "balance": "0x1" })))
        .collect();
    let (code, _) = world.error("eth_call", json!([{}, "latest", accounts])).await;
    assert_eq!(code, -32602);
}

#[tokio::test]
async fn a_page_lives_at_the_same_address() {
    let world = world();
    assert_eq!(world.get().await, "the page");
    assert_eq!(world.allowed_origin().await.as_deref(), Some("*"));
}

#[tokio::test]
async fn who_does_not_read_gets_no_more_large_answers() {
    let world = world();
    // Returns what it finds in memory: nothing, so many times.
    let code = json!({ Address::repeat_byte(9).to_string(): { "code": "0x61ffff5ff3" } });
    let large = json!({ "jsonrpc": "2.0", "id": 7, "method": "eth_call",
        "params": [{ "to": Address::repeat_byte(9) }, "latest", code] });
    let small = json!({ "jsonrpc": "2.0", "id": 8, "method": "eth_chainId", "params": [] });
    let owing = |bytes: usize| {
        let backlog = Backlog::alone();
        assert!(backlog.owe(bytes));
        backlog
    };
    let (_, answer) = world.post_owed(large.to_string(), owing(limits::BACKLOG / 2)).await;
    assert_eq!(answer["result"].as_str().map(str::len), Some(2 + 2 * 0xffff));
    let (_, answer) = world.post_owed(large.to_string(), owing(limits::BACKLOG)).await;
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32005), &json!(7)));
    let (_, answers) = world.post_owed(json!([large, small]).to_string(), owing(limits::BACKLOG)).await;
    assert_eq!((&answers[0]["error"]["code"], &answers[1]["result"]), (&json!(-32005), &json!("0x7a69")));
}

#[tokio::test]
async fn a_batch_whose_answers_are_too_long_together_leaves_no_debt() {
    let world = world();
    // Returns eight megabytes of nothing.
    let code = json!({ Address::repeat_byte(9).to_string(): { "code": "0x624000005ff3" } });
    let large = json!({ "jsonrpc": "2.0", "id": 7, "method": "eth_call",
        "params": [{ "to": Address::repeat_byte(9) }, "latest", code] });
    let backlog = Backlog::alone();
    let count = limits::RPC_RESPONSE_BYTES as usize / (8 << 20) + 1;
    let (_, answer) = world.post_owed(Value::Array(vec![large; count]).to_string(), backlog.clone()).await;
    assert!(answer["error"]["code"].is_i64(), "{answer}");
    assert_eq!(backlog.owed(), 0);
}

#[tokio::test]
async fn a_subscription_over_http_is_refused_in_words() {
    let (code, message) = world().error("eth_subscribe", json!(["newHeads"])).await;
    assert_eq!(code, -32601);
    assert!(message.starts_with("notifications not supported"), "{message}");
}

#[tokio::test]
async fn a_batch_of_nothing_or_of_notifications_is_no_batch_of_answers() {
    let world = world();
    assert_eq!(code(&world, "[]".to_owned()).await, -32600);
    let (status, answer) = world.post(r#"[{"jsonrpc":"2.0","method":"eth_chainId"}]"#).await;
    assert_eq!((status, answer), (StatusCode::OK, Value::Null));
}
