//! The endpoint over real sockets: WebSocket calls, subscriptions, limits of a connection.

use super::world::{World, call, quantity};
use crate::limits;
use alloy_primitives::{B256, Bytes, TxKind, U256, hex};
use ocelli_tests::wallet::Wallet;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use tungstenite::{Message, WebSocket, stream::MaybeTlsStream};

/// A WebSocket client.
struct Client {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let (socket, _) = tungstenite::connect(format!("ws://{address}/")).expect("connects");
        Self { socket }
    }

    fn send(&mut self, id: u64, method: &str, params: Value) {
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.socket.send(Message::text(call.to_string())).expect("sends");
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("reads") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    fn result(&mut self, method: &str, params: Value) -> Value {
        self.send(1, method, params);
        let mut response = self.read();
        assert!(response.get("error").is_none(), "{response}");
        response["result"].take()
    }
}

/// Runs what blocks beside the servers.
async fn blocking<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(body).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_each_block_and_log() {
    let mut wallets = [0, 1].map(Wallet::new);
    let mut world = World::new(&wallets);
    let contract = world.deploy(&mut wallets[0]);
    let address = world.listen().await;
    let mut client = blocking(move || Client::connect(address)).await;
    let (mut client, heads, logs) = blocking(move || {
        assert_eq!(client.result("eth_chainId", json!([])), "0x7a69");
        let heads = client.result("eth_subscribe", json!(["newHeads"]));
        let filter = json!({ "address": contract, "topics": [B256::with_last_byte(8)] });
        let logs = client.result("eth_subscribe", json!(["logs", filter]));
        (client, heads, logs)
    })
    .await;
    assert!(heads.as_str().is_some_and(|id| id.starts_with("0x")), "{heads}");

    let calls = [call(&mut wallets[0], contract, 7), call(&mut wallets[1], contract, 8)];
    let block = world.seal(&[&calls]);
    let (mut client, messages) = blocking(move || {
        let messages = [client.read(), client.read()];
        (client, messages)
    })
    .await;
    for message in messages {
        assert_eq!(message["method"], "eth_subscription");
        let (id, result) = (&message["params"]["subscription"], &message["params"]["result"]);
        if *id == heads {
            assert_eq!(result["hash"], json!(block.hash));
            assert!(result.get("transactions").is_none());
        } else {
            assert_eq!((id, &result["logIndex"]), (&logs, &json!("0x1")));
        }
    }

    let mut client = blocking(move || {
        assert_eq!(client.result("eth_unsubscribe", json!([heads])), true);
        assert_eq!(client.result("eth_unsubscribe", json!([logs])), true);
        client
    })
    .await;
    world.seal(&[&[wallets[0].transfer(contract, 0)]]);
    assert_eq!(blocking(move || client.result("eth_blockNumber", json!([]))).await, "0x3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_each_log_of_a_block_that_has_very_many() {
    let mut wallet = Wallet::new(0);
    let mut world = World::new(std::slice::from_ref(&wallet));
    // Logs nothing, 6,000 times.
    let (deploy, contract) = wallet.deploy(&hex!("611770 5b 5f5fa0 6001900380 6003 57 00"));
    world.seal(&[&[deploy]]);
    let address = world.listen().await;
    let mut client = blocking(move || {
        let mut client = Client::connect(address);
        client.result("eth_subscribe", json!(["logs", { "address": contract }]));
        client
    })
    .await;
    let calls = [(); 2].map(|()| wallet.send(TxKind::Call(contract), U256::ZERO, Bytes::new(), 4_000_000));
    let sealed = world.seal(&[&calls]);
    assert!(sealed.receipts().all(|receipt| receipt.success));
    let last = blocking(move || (0..12_000).map(|_| client.read()).last()).await.expect("a log");
    assert_eq!(last["params"]["result"]["logIndex"], json!(quantity(11_999)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_so_many_subscriptions_and_no_more() {
    let world = World::new(&[Wallet::new(0)]);
    let address = world.listen().await;
    let error = blocking(move || {
        let mut client = Client::connect(address);
        for _ in 0..limits::RPC_SUBSCRIPTIONS {
            client.result("eth_subscribe", json!(["newHeads"]));
        }
        client.send(2, "eth_subscribe", json!(["newHeads"]));
        client.read()["error"].take()
    })
    .await;
    assert_eq!(error["code"], -32006, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let world = World::new(&[Wallet::new(0)]);
    let address = world.listen().await;
    let (refused, answered) = blocking(move || {
        let mut client = Client::connect(address);
        client.send(1, "web3_sha3", json!([format!("0x{}", "00".repeat(limits::RPC_REQUEST_BYTES as usize / 2))]));
        let refused = client.read();
        (refused, client.result("eth_blockNumber", json!([])))
    })
    .await;
    assert_eq!((&refused["error"]["code"], answered), (&json!(-32007), json!("0x0")));
}
