//! `eth_call`, `eth_estimateGas`, `eth_createAccessList`.

use super::world::{World, call, input, quantity};
use alloy_primitives::{Address, B256, TxKind, U256};
use ocelli_tests::wallet::Wallet;
use serde_json::json;

/// A chain with the contract of these tests, whose slot 0 holds 7.
fn world() -> (World, [Wallet; 2], Address) {
    let mut wallets = [0, 1].map(Wallet::new);
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    world.seal(&[&[call(&mut wallets[0], contract, 7)]]);
    (world, wallets, contract)
}

#[tokio::test]
async fn a_call_sees_state_and_changes_nothing() {
    let (world, wallets, contract) = world();
    let root = world.chain.head().state.root();
    let seven = json!(B256::with_last_byte(7));
    assert_eq!(world.result("eth_call", json!([{ "to": contract }, "latest"])).await, seven);
    assert_eq!(world.result("eth_call", json!([{ "to": contract }])).await, seven);
    assert_eq!(world.result("eth_call", json!([{ "to": contract }, "0x1"])).await, json!(B256::ZERO));
    assert_eq!(world.result("eth_call", json!([{ "to": contract }, "0x0"])).await, "0x");
    let write = json!([{ "from": wallets[1].address(), "to": contract, "input": input(9) }, "latest"]);
    assert_eq!(world.result("eth_call", write).await, "0x");
    assert_eq!(world.result("eth_call", json!([{ "to": contract }, "latest"])).await, seven);
    assert_eq!(world.chain.head().state.root(), root);
}

#[tokio::test]
async fn a_revert_is_told_with_its_data() {
    let (world, _, contract) = world();
    for method in ["eth_call", "eth_estimateGas"] {
        let response = world.response(method, json!([{ "to": contract, "data": input(0) }, "latest"])).await;
        assert_eq!(response["error"]["code"], 3, "{method}");
        assert_eq!(response["error"]["message"], "execution reverted");
        assert_eq!(response["error"]["data"], json!(input(0)));
    }
}

#[tokio::test]
async fn overrides_stand_in_for_state_and_block() {
    let (world, _, contract) = world();
    let call =
        async |to: Address, state, block| world.result("eth_call", json!([{ "to": to }, "latest", state, block])).await;
    let word = |last| json!(B256::with_last_byte(last));
    let slot = json!({ B256::ZERO.to_string(): word(3) });
    assert_eq!(call(contract, json!({ contract.to_string(): { "stateDiff": slot } }), json!(null)).await, word(3));
    assert_eq!(call(contract, json!({ contract.to_string(): { "state": {} } }), json!(null)).await, word(0));
    let address = Address::repeat_byte(5);
    // TIMESTAMP, NUMBER, BASEFEE, and the balance of the address itself.
    for (opcode, expected) in [("42", 99), ("43", 98), ("48", 0), ("47", 97)] {
        let code = format!("0x{opcode}5f5260205ff3");
        let state = json!({ address.to_string(): { "code": code, "balance": "0x61" } });
        assert_eq!(call(address, state, json!({ "time": "0x63", "number": "0x62" })).await, word(expected), "{opcode}");
    }
    let both = json!({ address.to_string(): { "state": {}, "stateDiff": {} } });
    assert_eq!(world.error("eth_call", json!([{ "to": address }, "latest", both])).await.0, -32602);
}

#[tokio::test]
async fn a_call_pays_what_it_names() {
    let (world, wallets, _) = world();
    let poor = Address::repeat_byte(3);
    let value = json!([{ "from": poor, "to": wallets[0].address(), "value": "0x1" }, "latest"]);
    let (code, message) = world.error("eth_call", value).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("insufficient funds for gas * price + value"), "{message}");
    let cheap = json!([{ "from": wallets[0].address(), "to": poor, "maxFeePerGas": "0x1" }, "latest"]);
    assert_eq!(world.error("eth_call", cheap).await.1, "max fee per gas less than block base fee");
    let other_chain = json!([{ "to": poor, "chainId": "0x1" }, "latest"]);
    assert_eq!(world.error("eth_call", other_chain).await.0, -32000);
}

#[tokio::test]
async fn an_endless_call_ends() {
    let (world, ..) = world();
    let address = Address::repeat_byte(5);
    let state = json!({ address.to_string(): { "code": "0x5b5f56" } });
    let (code, message) =
        world.error("eth_call", json!([{ "to": address, "gas": "0xffffffffffffffff" }, "latest", state])).await;
    assert_eq!((code, message.as_str()), (-32000, "out of gas"));
    let (code, message) = world.error("eth_estimateGas", json!([{ "to": address }, "latest", state])).await;
    assert_eq!((code, message.as_str()), (-32000, "gas required exceeds allowance (16777216)"));
}

#[tokio::test]
async fn an_estimate_is_enough_and_not_much_more() {
    let (mut world, mut wallets, contract) = world();
    let from = wallets[1].address();
    let transfer = json!([{ "from": from, "to": Address::repeat_byte(9), "value": "0x1" }]);
    assert_eq!(world.result("eth_estimateGas", transfer).await, "0x5208");
    let estimate = world.result("eth_estimateGas", json!([{ "from": from, "to": contract, "data": input(9) }])).await;
    let gas: U256 = serde_json::from_value(estimate).unwrap();
    let gas = gas.to::<u64>();
    let sent = wallets[1].send(TxKind::Call(contract), U256::ZERO, input(9), gas);
    let block = world.seal(&[&[sent]]);
    let receipt = block.receipts().next().expect("there is one");
    assert!(receipt.success);
    assert!(gas * 1_000 <= receipt.gas_used * 1_015 + 64 * 1_000, "{gas} for {}", receipt.gas_used);

    let (_, message) = world
        .error("eth_estimateGas", json!([{ "from": from, "to": contract, "data": input(9), "gas": "0x5300" }]))
        .await;
    assert_eq!(message, "gas required exceeds allowance (21248)");
}

#[tokio::test]
async fn an_access_list_names_what_is_used() {
    let (world, wallets, contract) = world();
    let request = json!({ "from": wallets[1].address(), "to": contract, "data": input(9) });
    let made = world.result("eth_createAccessList", json!([request, "latest"])).await;
    assert_eq!(made["accessList"], json!([{ "address": contract, "storageKeys": [B256::ZERO] }]));
    assert!(made.get("error").is_none());
    let transfer = json!({ "from": wallets[1].address(), "to": wallets[0].address() });
    let made = world.result("eth_createAccessList", json!([transfer, "latest"])).await;
    assert_eq!((&made["accessList"], &made["gasUsed"]), (&json!([]), &json!(quantity(21_000))));
    let reverting = json!({ "to": contract, "data": input(0) });
    assert_eq!(world.result("eth_createAccessList", json!([reverting])).await["error"], "execution reverted");
}
