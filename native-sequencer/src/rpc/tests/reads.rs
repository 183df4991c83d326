//! Blocks, transactions, receipts, logs, accounts, fees.

use super::world::{World, call, input, quantity};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_rpc_types_eth::{Block, Transaction, TransactionReceipt};
use ocelli_core::transaction::Recovered;
use ocelli_tests::wallet::Wallet;
use serde_json::{Value, json};

fn wallets() -> [Wallet; 3] {
    [0, 1, 2].map(Wallet::new)
}

#[tokio::test]
async fn a_sealed_transaction_is_found_with_its_receipt() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    let transfer = wallets[1].transfer_legacy(Address::repeat_byte(9), 5);
    let block =
        world.seal(&[&[call(&mut wallets[0], contract, 7)], &[transfer.clone(), call(&mut wallets[2], contract, 8)]]);

    let hash = block.transactions[2].hash;
    let found: Transaction =
        serde_json::from_value(world.result("eth_getTransactionByHash", json!([hash])).await).unwrap();
    assert_eq!((found.block_hash, found.block_number, found.transaction_index), (Some(block.hash), Some(2), Some(2)));
    assert_eq!(*found.inner.tx_hash(), hash);
    assert_eq!(found.inner.signer(), wallets[2].address());

    let receipt: TransactionReceipt =
        serde_json::from_value(world.result("eth_getTransactionReceipt", json!([hash])).await).unwrap();
    let gas: Vec<u64> = block.receipts().map(|receipt| receipt.gas_used).collect();
    assert!(receipt.status());
    assert_eq!((receipt.gas_used, receipt.inner.cumulative_gas_used()), (gas[2], gas.iter().sum()));
    assert_eq!((receipt.from, receipt.to, receipt.contract_address), (wallets[2].address(), Some(contract), None));
    let [log] = receipt.inner.logs() else { panic!("one log") };
    assert_eq!((log.log_index, log.transaction_index, log.block_hash), (Some(1), Some(2), Some(block.hash)));
    assert_eq!((log.address(), &log.data().data), (contract, &input(8)));
    assert!(receipt.inner.logs_bloom().contains_input(alloy_primitives::BloomInput::Raw(contract.as_slice())));

    let by_place = world.result("eth_getTransactionByBlockNumberAndIndex", json!(["0x2", "0x1"])).await;
    assert_eq!(by_place["hash"], json!(transfer.hash()));
    assert_eq!(by_place["type"], "0x0");
    assert_eq!(world.result("eth_getTransactionByBlockHashAndIndex", json!([block.hash, "0x3"])).await, Value::Null);
    assert_eq!(world.result("eth_getTransactionByHash", json!([B256::ZERO])).await, Value::Null);
    assert_eq!(world.result("eth_getTransactionReceipt", json!([B256::ZERO])).await, Value::Null);

    let receipts = world.result("eth_getBlockReceipts", json!(["latest"])).await;
    assert_eq!(receipts.as_array().unwrap().len(), 3);
    assert_eq!(receipts[2], world.result("eth_getTransactionReceipt", json!([hash])).await);
}

#[tokio::test]
async fn a_deployment_tells_the_contracts_address() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    let block = world.result("eth_getBlockByNumber", json!(["latest", false])).await;
    let receipt = world.result("eth_getTransactionReceipt", json!([block["transactions"][0]])).await;
    assert_eq!((&receipt["contractAddress"], &receipt["to"]), (&json!(contract), &Value::Null));
    let code = world.result("eth_getCode", json!([contract, "latest"])).await;
    assert!(code.as_str().unwrap().starts_with("0x3615"));
    assert_eq!(world.result("eth_getCode", json!([contract, "0x0"])).await, "0x");
}

#[tokio::test]
async fn a_block_has_the_fields_that_libraries_read() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let sealed = world.seal(&[&[wallets[0].transfer(Address::repeat_byte(9), 5)]]);
    let header = sealed.header().clone();

    let json = world.result("eth_getBlockByHash", json!([sealed.hash, true])).await;
    let block: Block = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((block.header.hash, block.header.parent_hash), (header.hash(), header.parent));
    assert_eq!((block.header.number, block.header.timestamp), (1, header.time_ms / 1_000));
    assert_eq!((block.header.state_root, block.header.mix_hash), (header.state_root, header.parent));
    assert_eq!(block.header.base_fee_per_gas, Some(header.base_fee));
    assert_eq!(block.transactions.as_transactions().unwrap().len(), 1);
    for (field, value) in
        [("difficulty", "0x0"), ("nonce", "0x0000000000000000"), ("extraData", "0x"), ("gasUsed", "0x5208")]
    {
        assert_eq!(json[field], value, "{field}");
    }
    assert_eq!(json["miner"], json!(world.chain.config().params.tips));
    assert_eq!(json["uncles"], json!([]));

    let genesis = world.result("eth_getBlockByNumber", json!(["earliest", false])).await;
    assert_eq!(genesis["hash"], json!(header.parent));
    assert_eq!((&genesis["number"], &genesis["transactions"]), (&json!("0x0"), &json!([])));
    assert_eq!(world.result("eth_getBlockTransactionCountByNumber", json!(["0x1"])).await, "0x1");
    assert_eq!(world.result("eth_getBlockTransactionCountByHash", json!([header.parent])).await, "0x0");
    assert_eq!(world.result("eth_getUncleCountByBlockNumber", json!(["0x1"])).await, "0x0");
    assert_eq!(world.result("eth_getBlockByNumber", json!(["0x2", false])).await, Value::Null);
    assert_eq!(world.result("eth_getBlockByHash", json!([B256::ZERO, false])).await, Value::Null);
}

#[tokio::test]
async fn tags_name_the_head_the_attested_block_and_genesis() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    world.seal(&[&[wallets[0].transfer(Address::repeat_byte(9), 5)]]);
    for (tag, number) in
        [("latest", "0x1"), ("pending", "0x1"), ("safe", "0x0"), ("finalized", "0x0"), ("earliest", "0x0")]
    {
        assert_eq!(world.result("eth_getBlockByNumber", json!([tag, false])).await["number"], number, "{tag}");
    }
    assert_eq!(world.result("eth_blockNumber", json!([])).await, "0x1");
}

#[tokio::test]
async fn accounts_are_told_as_they_were() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let to = Address::repeat_byte(9);
    let first = world.seal(&[&[wallets[0].transfer(to, 5)]]);
    world.seal(&[&[wallets[0].transfer(to, 6)]]);
    let balance = async |block: Value| world.result("eth_getBalance", json!([to, block])).await;
    assert_eq!(balance(json!("0x0")).await, "0x0");
    assert_eq!(balance(json!("0x1")).await, "0x5");
    assert_eq!(balance(json!({ "blockHash": first.hash })).await, "0x5");
    assert_eq!(balance(json!({ "blockNumber": "0x1" })).await, "0x5");
    assert_eq!(balance(json!("latest")).await, "0xb");
    assert_eq!(world.result("eth_getBalance", json!([to])).await, "0xb");
    let nonce = world.result("eth_getTransactionCount", json!([wallets[0].address(), "latest"])).await;
    assert_eq!(nonce, "0x2");
    assert_eq!(world.error("eth_getBalance", json!([to, "0x3"])).await.0, -32000);
    assert_eq!(world.error("eth_getBalance", json!([to, B256::ZERO])).await, (-32000, "header not found".to_owned()));
}

#[tokio::test]
async fn storage_is_read_by_quantity_and_by_word() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    world.seal(&[&[call(&mut wallets[0], contract, 7)]]);
    for slot in [json!("0x0"), json!(B256::ZERO)] {
        assert_eq!(
            world.result("eth_getStorageAt", json!([contract, slot, "latest"])).await,
            json!(B256::with_last_byte(7))
        );
    }
    assert_eq!(world.result("eth_getStorageAt", json!([contract, "0x1", "latest"])).await, json!(B256::ZERO));
}

#[tokio::test]
async fn logs_are_found_by_range_hash_address_and_topic() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    let mut blocks = Vec::new();
    for word in 1..=4 {
        blocks
            .push(world.seal(&[&[call(&mut wallets[0], contract, word), call(&mut wallets[1], contract, 100 + word)]]));
    }
    let count = async |filter: Value| world.result("eth_getLogs", json!([filter])).await.as_array().unwrap().len();
    assert_eq!(count(json!({})).await, 2);
    assert_eq!(count(json!({ "fromBlock": "earliest" })).await, 8);
    assert_eq!(count(json!({ "fromBlock": "0x2", "toBlock": "0x3" })).await, 4);
    assert_eq!(count(json!({ "blockHash": blocks[0].hash })).await, 2);
    assert_eq!(count(json!({ "fromBlock": "0x0", "address": Address::ZERO })).await, 0);
    assert_eq!(count(json!({ "fromBlock": "0x0", "address": [Address::ZERO, contract] })).await, 8);
    let topic = |word| json!(B256::with_last_byte(word));
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [topic(3)] })).await, 1);
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [[topic(3), topic(104)]] })).await, 2);
    assert_eq!(count(json!({ "fromBlock": "0x0", "topics": [null] })).await, 8);

    let logs = world.result("eth_getLogs", json!([{ "fromBlock": "0x3", "topics": [topic(102)] }])).await;
    assert_eq!((&logs[0]["logIndex"], &logs[0]["transactionIndex"]), (&json!("0x1"), &json!("0x1")));
    assert_eq!(logs[0]["removed"], false);
    assert_eq!(world.error("eth_getLogs", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }])).await.0, -32602);
    for to in [Value::Null, json!("latest"), json!("pending"), json!("safe"), json!("0x9")] {
        assert_eq!(count(json!({ "fromBlock": "0x6", "toBlock": to })).await, 0, "nothing is there yet");
    }
    assert_eq!(count(json!({ "fromBlock": "latest", "toBlock": "0x1" })).await, 0);
    assert_eq!(world.error("eth_getLogs", json!([{ "blockHash": B256::ZERO }])).await.0, -32000);
}

#[tokio::test]
async fn a_filter_tells_each_change_once() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    let logs = world.result("eth_newFilter", json!([{ "address": contract }])).await;
    let blocks = world.result("eth_newBlockFilter", json!([])).await;
    let changes = async |world: &World, id: &Value| world.result("eth_getFilterChanges", json!([id])).await;
    assert_eq!(changes(&world, &logs).await, json!([]));
    let first = world.seal(&[&[call(&mut wallets[0], contract, 1)]]);
    let second = world.seal(&[&[call(&mut wallets[0], contract, 2)]]);
    assert_eq!(changes(&world, &blocks).await, json!([first.hash, second.hash]));
    assert_eq!(changes(&world, &blocks).await, json!([]));
    let found = changes(&world, &logs).await;
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!(found[1]["blockNumber"], "0x3");
    assert_eq!(changes(&world, &logs).await, json!([]));
    assert_eq!(world.result("eth_getFilterLogs", json!([logs])).await.as_array().unwrap().len(), 1);
    assert_eq!(world.result("eth_uninstallFilter", json!([logs])).await, true);
    assert_eq!(world.error("eth_getFilterChanges", json!([logs])).await, (-32000, "filter not found".to_owned()));
}

#[tokio::test]
async fn fees_follow_the_chain() {
    let mut wallets = wallets();
    let mut world = World::new(&wallets);
    let transfers = [wallets[0].transfer(Address::repeat_byte(9), 5), wallets[1].transfer(Address::repeat_byte(9), 5)];
    let block = world.seal(&[&transfers]);
    let tip = world.result("eth_maxPriorityFeePerGas", json!([])).await;
    assert_eq!(tip, quantity(ocelli_tests::wallet::TIP as u64));
    let history = world.result("eth_feeHistory", json!(["0x5", "latest", [0, 50, 100]])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    let base_fees = history["baseFeePerGas"].as_array().unwrap();
    assert_eq!((base_fees.len(), &base_fees[1]), (3, &json!(quantity(block.header().base_fee))));
    assert_eq!(history["reward"][1], json!([tip, tip, tip]));
    assert_eq!(history["gasUsedRatio"].as_array().unwrap().len(), 2);
    assert_eq!(world.error("eth_feeHistory", json!(["0x5", "latest", [50, 0]])).await.0, -32602);
    assert_eq!(world.result("eth_feeHistory", json!([2, "latest"])).await.get("reward"), None);
    assert_eq!(world.result("eth_feeHistory", json!([2, "latest", []])).await.get("reward"), None);
    assert_eq!(world.result("eth_feeHistory", json!([0, "latest", [50]])).await["oldestBlock"], "0x0");
}

#[tokio::test]
async fn the_endpoint_says_who_it_is() {
    let world = World::new(&wallets());
    assert_eq!(world.result("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(world.result("net_version", json!([])).await, "31337");
    assert_eq!(world.result("eth_syncing", json!([])).await, false);
    assert_eq!(world.result("eth_accounts", json!([])).await, json!([]));
    assert!(world.result("web3_clientVersion", Value::Null).await.as_str().unwrap().starts_with("Ocelli/v"));
    let empty = alloy_primitives::KECCAK256_EMPTY;
    assert_eq!(world.result("web3_sha3", json!(["0x"])).await, json!(empty));
}

#[tokio::test]
async fn a_filter_gives_what_one_answer_cannot_hold_in_the_next() {
    let mut wallet = Wallet::new(0);
    let mut world = World::new(std::slice::from_ref(&wallet));
    // Logs nothing, 5,000 times.
    let (deploy, contract) = wallet.deploy(&hex!("611388 5b 5f5fa0 6001900380 6003 57 00"));
    world.seal(&[&[deploy]]);
    let filter = world.result("eth_newFilter", json!([{ "address": contract }])).await;
    for _ in 0..3 {
        let call = wallet.send(TxKind::Call(contract), U256::ZERO, Bytes::new(), 4_000_000);
        assert!(world.seal(&[&[call]]).receipts().all(|receipt| receipt.success));
    }
    assert_eq!(world.error("eth_getLogs", json!([{ "fromBlock": "0x1", "address": contract }])).await.0, -32602);
    let mut counts = Vec::new();
    for _ in 0..3 {
        let logs = world.result("eth_getFilterChanges", json!([filter])).await;
        counts.push(logs.as_array().map(Vec::len).unwrap());
    }
    assert_eq!(counts, [10_000, 5_000, 0]);
}

/// Logs nothing, as often as the calldata says; `calls` of them.
fn many_logs(wallet: &mut Wallet, contract: Address, each: u64, calls: usize) -> Vec<Recovered> {
    let gas = 100_000 + 405 * each;
    (0..calls).map(|_| wallet.send(TxKind::Call(contract), U256::ZERO, input(each), gas)).collect()
}

const LOGS_AS_ASKED: [u8; 15] = hex!("5f35 5b 5f5fa0 6001900380 6002 57 00");

#[tokio::test]
async fn a_block_with_more_logs_than_a_query_returns_can_be_asked_for_alone() {
    let mut wallet = Wallet::new(0);
    let mut world = World::new(std::slice::from_ref(&wallet));
    let (deploy, contract) = wallet.deploy(&LOGS_AS_ASKED);
    world.seal(&[&[deploy]]);
    let blocks = world.result("eth_newFilter", json!([{ "address": contract }])).await;
    let calls = many_logs(&mut wallet, contract, 4_000, 3);
    let sealed = world.seal(&[&calls]);
    assert!(sealed.receipts().all(|receipt| receipt.success));

    for filter in [json!({ "blockHash": sealed.hash }), json!({ "fromBlock": "0x2", "toBlock": "0x2" }), json!({})] {
        let logs = world.result("eth_getLogs", json!([filter])).await;
        assert_eq!(logs.as_array().map(Vec::len), Some(12_000), "{filter}");
    }
    assert_eq!(world.error("eth_getLogs", json!([{ "fromBlock": "0x1" }])).await.0, -32602);

    let mut told = Vec::new();
    loop {
        let logs = world.result("eth_getFilterChanges", json!([blocks])).await;
        let Some(logs) = logs.as_array().filter(|logs| !logs.is_empty()) else { break };
        told.extend(logs.iter().map(|log| log["logIndex"].as_str().expect("a quantity").to_owned()));
    }
    assert_eq!(told, (0..12_000).map(quantity).collect::<Vec<_>>(), "a filter tells each log once, in order");
}

#[tokio::test]
async fn the_suggested_tip_follows_the_head() {
    let mut wallet = Wallet::new(0);
    let mut world = World::new(std::slice::from_ref(&wallet));
    let least = world.result("eth_maxPriorityFeePerGas", json!([])).await;
    assert_eq!(least, world.result("eth_maxPriorityFeePerGas", json!([])).await);
    world.seal(&[&[wallet.transfer(Address::repeat_byte(9), 5)]]);
    let tip = world.result("eth_maxPriorityFeePerGas", json!([])).await;
    assert_eq!(tip, quantity(ocelli_tests::wallet::TIP as u64));
    assert_ne!(tip, least);
}

#[tokio::test]
async fn a_filter_is_not_for_one_block() {
    let world = World::new(&wallets());
    assert_eq!(world.error("eth_newFilter", json!([{ "blockHash": B256::ZERO }])).await.0, -32602);
}
