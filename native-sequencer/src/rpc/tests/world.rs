//! A chain of real blocks with an endpoint in front of it.

use crate::{
    block::{SealedBlock, StoredBlock},
    chain::{Chain, Head},
    listener::{self, Backlog},
    pool::Pool,
    producer::Producer,
    promises::Promises,
    rpc,
    store::Store,
};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
};
use ocelli_core::transaction::Recovered;
use ocelli_tests::{chain::TestChain, wallet::Wallet};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};
use tower::ServiceExt;

/// Without calldata, returns slot 0. With a first word of zero, reverts with the calldata. With any other, stores it in slot
/// 0 and logs it under itself as topic.
const RUNTIME: [u8; 40] = alloy_primitives::hex!(
    "36 15 60 1f 57"          // 00: without calldata go to 1f
    "5f 35 80 15 60 17 57"    // 05: with a word of zero go to 17
    "80 5f 55 80 5f 52"       // 0c: store it in slot 0 and in memory
    "60 20 5f a1 00"          // 12: log
    "5b 36 5f 5f 37 36 5f fd" // 17: revert
    "5b 5f 54 5f 52 60 20 5f f3" // 1f: return slot 0
);

/// A chain, its wallets, and the endpoint.
pub(super) struct World {
    made: TestChain,
    pub(super) chain: Arc<Chain>,
    store: Arc<Store>,
    pub(super) pool: Arc<Pool>,
    app: Router,
    _dir: tempfile::TempDir,
}

impl World {
    /// A chain whose genesis funds `wallets`.
    pub(super) fn new(wallets: &[Wallet]) -> Self {
        let made = TestChain::new(wallets);
        let codes: Vec<_> = made.state.codes.clone().into_iter().collect();
        let dir = tempfile::tempdir().expect("a folder");
        let (store, recovered) = Store::open(dir.path(), &made.config, &made.state.tree, &codes).expect("opens");
        let store = Arc::new(store);
        let chain = Arc::new(Chain::new(
            made.config.clone(),
            store.clone(),
            recovered.codes,
            recovered.head,
            recovered.states,
            recovered.certificate,
        ));
        let recovered_term = chain.head().header.term;
        let page = Router::new().route("/", axum::routing::get(|| async { "the page" }));
        let pool = Arc::new(Pool::open(dir.path(), chain.clone()).expect("opens"));
        let promises = Promises::new(&chain, pool.clone(), made.key.clone(), recovered_term);
        let app = rpc::router(chain.clone(), Arc::new(promises), page);
        Self { made, chain, store, pool, app, _dir: dir }
    }

    /// Seals a block with these rows.
    pub(super) fn seal(&mut self, rows: &[&[Recovered]]) -> Arc<SealedBlock> {
        let block = self.made.block(rows);
        let senders = rows.iter().map(|row| row.iter().map(Recovered::sender).collect());
        let senders: Vec<_> = [Vec::new()].into_iter().chain(senders).chain([Vec::new()]).collect();
        let stored = StoredBlock::new(block.signed, block.parent_ancestors, &block.assembled, block.rows, &senders)
            .expect("fits together");
        let written: Vec<_> = block.assembled.writes.iter().map(|leaf| leaf.key).collect();
        let sealed = Arc::new(SealedBlock::open(stored, &written, &self.made.config.params).expect("fits together"));
        assert!(sealed.set_column_bodies(block.assembled.column_bodies));
        self.store.append(&sealed, &block.assembled.writes).expect("appends");
        let head = Head {
            header: self.made.head.clone(),
            hash: sealed.hash,
            state: self.made.state.tree.clone(),
            ancestors: self.made.ancestors.clone(),
        };
        self.chain.publish(sealed.clone(), head);
        sealed
    }

    /// Makes blocks of what is in the pool from now on, until the stopper is dropped. Nothing else may be sealed then.
    pub(super) fn produce(&self) -> Stopper {
        let (chain, pool, store) = (self.chain.clone(), self.pool.clone(), self.store.clone());
        let mut producer = Producer::new(chain, pool, store, self.made.key.clone(), None).expect("the chain's key");
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let thread = std::thread::spawn(move || producer.run(|| stop.load(Ordering::Acquire)).expect("makes blocks"));
        Stopper { stopped, thread: Some(thread) }
    }

    /// Deploys the contract of these tests in a block of its own.
    pub(super) fn deploy(&mut self, wallet: &mut Wallet) -> Address {
        let (deploy, address) = wallet.deploy(&RUNTIME);
        let sealed = self.seal(&[&[deploy]]);
        assert!(sealed.receipts().all(|receipt| receipt.success));
        address
    }

    /// What an HTTP request with this body gets.
    pub(super) async fn post(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        self.post_owed(body, Backlog::alone()).await
    }

    /// The same over a connection with this backlog.
    pub(super) async fn post_owed(&self, body: impl Into<Body>, backlog: Backlog) -> (StatusCode, Value) {
        let request = Request::post("/").header("content-type", "application/json").extension(backlog);
        let request = request.body(body.into()).expect("a request");
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// The page at the endpoint's address.
    pub(super) async fn get(&self) -> String {
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    }

    /// Which origins may call, as a browser asks before it does.
    pub(super) async fn allowed_origin(&self) -> Option<String> {
        let request = Request::options("/")
            .header("origin", "https://example.org")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .body(Body::empty())
            .expect("a request");
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let allowed = response.headers().get("access-control-allow-origin")?;
        allowed.to_str().ok().map(str::to_owned)
    }

    /// The response to one call.
    pub(super) async fn response(&self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (status, response) = self.post(call.to_string()).await;
        assert_eq!((status, &response["id"]), (StatusCode::OK, &json!(1)), "{response}");
        response
    }

    /// The result of a call that has one.
    pub(super) async fn result(&self, method: &str, params: Value) -> Value {
        let mut response = self.response(method, params).await;
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].take()
    }

    /// Code and message of the error that a call gets.
    pub(super) async fn error(&self, method: &str, params: Value) -> (i64, String) {
        let response = self.response(method, params).await;
        let error = &response["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{method} did not fail: {response}"));
        (error["code"].as_i64().expect("a code"), message.to_owned())
    }

    /// Serves on a port of the operating system's choice.
    pub(super) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(listener::serve(listener, self.app.clone()));
        address
    }
}

/// Stops making blocks when dropped.
pub(super) struct Stopper {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A call of the contract with this word.
pub(super) fn call(wallet: &mut Wallet, contract: Address, word: u64) -> Recovered {
    wallet.send(TxKind::Call(contract), U256::ZERO, input(word), 200_000)
}

/// Calldata of one word.
pub(super) fn input(word: u64) -> Bytes {
    U256::from(word).to_be_bytes_vec().into()
}

/// A quantity as JSON-RPC writes it.
pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}
