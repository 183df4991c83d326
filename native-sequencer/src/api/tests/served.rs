//! A real chain on a real socket: blocks made by the core, stored, published and served on loopback.

use crate::{
    api::{ApiOptions, EvidenceBook, router},
    block::{SealedBlock, StoredBlock},
    chain::{Chain, Head, ProvenFault},
    collect::{self, Collecting},
    pool::Pool,
    promises::Promises,
    store::Store,
};
use alloy_primitives::{Address, B256, U256};
use axum::Router;
use ocelli_core::{
    attestation::{Attestation, BlockTasks, SignedAttestation, TaskSet},
    block::assemble,
    evm::Env,
    genesis::GenesisAccount,
    header::SignedHeader,
    manifest::RowKind,
    signature::SecretKey,
    transaction::Recovered,
    typed_data::SigningDomain,
    value::{Account, Value},
    verifiers::{Registered, VerifierSet},
};
use ocelli_tests::{
    chain::{TestChain, execute, params},
    wallet::Wallet,
};
use parking_lot::Mutex;
use std::{net::SocketAddr, path::Path, sync::Arc, thread::JoinHandle};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// A chain whose one verifier is [`verifier`], and a server of it.
pub(crate) struct Served {
    pub(crate) made: TestChain,
    pub(crate) wallets: Vec<Wallet>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) store: Arc<Store>,
    pub(crate) url: String,
    /// Faults that the node was told of.
    pub(crate) faults: Arc<Mutex<Vec<u64>>>,
    /// The runtime that serves: it has one thread, which nothing else runs on.
    pub(crate) runtime: Handle,
    /// Says that serving is about to end.
    pub(crate) stopping: tokio::sync::watch::Sender<bool>,
    /// Serving ends when this is dropped.
    stop: tokio::sync::oneshot::Sender<()>,
    serving: JoinHandle<()>,
    collecting: JoinHandle<Result<(), collect::CollectError>>,
    folder: TempDir,
}

/// What a block says that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Honest,
    /// A wei comes from nowhere.
    WeiFromNowhere,
}

/// The key of the one registered verifier.
pub(crate) fn verifier() -> Arc<SecretKey> {
    Wallet::new(900).key
}

/// A chain without blocks, and the wallets that it makes rich.
pub(crate) fn new_chain() -> (TestChain, Vec<Wallet>) {
    let wallets: Vec<Wallet> = (0..4).map(Wallet::new).collect();
    let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(22)), ..Default::default() };
    let accounts = wallets.iter().map(|wallet| (wallet.address(), rich.clone())).collect();
    let registered = vec![Registered { owner: verifier().address(), weight: 1 }];
    let verifiers = VerifierSet::try_from(registered).expect("one verifier");
    (
        TestChain::with_accounts(&accounts, |sequencer| ocelli_core::params::Params { verifiers, ..params(sequencer) }),
        wallets,
    )
}

impl Served {
    /// A new chain with `blocks` blocks.
    pub(crate) fn with_blocks(blocks: u64) -> Self {
        Self::behind(blocks, |router| router)
    }

    /// A new chain with `blocks` blocks, behind something that may alter what is served.
    pub(crate) fn behind(blocks: u64, alter: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        let (made, wallets) = new_chain();
        let folder = tempfile::tempdir().expect("a folder");
        let mut served = Self::open(made, wallets, folder, alter);
        for _ in 0..blocks {
            served.seal(Truth::Honest);
        }
        served
    }

    fn open(
        made: TestChain,
        wallets: Vec<Wallet>,
        folder: TempDir,
        alter: impl FnOnce(Router) -> Router + Send + 'static,
    ) -> Self {
        let (genesis, _) = new_chain();
        let codes: Vec<_> = genesis.state.codes.clone().into_iter().collect();
        let (store, recovered) =
            Store::open(folder.path(), &made.config, &genesis.state.tree, &codes).expect("the store opens");
        let store = Arc::new(store);
        let chain = Arc::new(Chain::new(
            made.config.clone(),
            store.clone(),
            recovered.codes,
            recovered.head,
            recovered.states,
            recovered.certificate,
        ));
        let faults = Arc::new(Mutex::default());
        let (ready, serving) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (collector, collecting) = collect::start(chain.clone(), store.clone()).expect("a thread");
        let (stopping, told) = tokio::sync::watch::channel(false);
        let pool = Arc::new(Pool::open(folder.path(), chain.clone()).expect("the pool opens"));
        let promises = Promises::new(&chain, pool, made.key.clone(), chain.head().header.term);
        let options = options(&chain, (collector, promises), folder.path(), &faults, told);
        let thread = std::thread::spawn(move || serve(options, alter, &ready, stopped));
        let (runtime, address) = serving.recv().expect("it serves");
        let url = format!("http://{address}");
        Self { made, wallets, chain, store, url, faults, runtime, stopping, stop, serving: thread, collecting, folder }
    }

    /// Stops and starts again from what is stored.
    pub(crate) fn restarted(self) -> Self {
        self.restarted_after(|_| ())
    }

    /// Stops, lets something happen to the folder, and starts again.
    pub(crate) fn restarted_after(self, happens: impl FnOnce(&Path)) -> Self {
        let Self { made, wallets, chain, store, folder, stop, serving, collecting, .. } = self;
        drop(stop);
        serving.join().expect("served without a panic");
        collecting.join().expect("collected without a panic").expect("and without an error");
        drop((chain, store));
        happens(folder.path());
        Self::open(made, wallets, folder, |router| router)
    }

    /// Makes, stores and publishes the next block.
    pub(crate) fn seal(&mut self, truth: Truth) -> Arc<SealedBlock> {
        let height = self.made.head.height + 1;
        let to = Address::from_word(U256::from(height).into());
        let (one, two) = (self.wallets[0].transfer(to, height), self.wallets[1].transfer_legacy(to, 5));
        let three = self.wallets[2].transfer(Address::repeat_byte(3), 1);
        self.seal_rows(&[&[one, two], &[three]], truth)
    }

    fn seal_rows(&mut self, rows: &[&[Recovered]], truth: Truth) -> Arc<SealedBlock> {
        let (config, parent) = (self.made.config.clone(), self.made.head.clone());
        let time_ms = parent.time_ms + 100;
        let env = Env::after(&config, &parent, time_ms);
        let before = self.made.state.tree.clone();
        let mut senders: Vec<Vec<Address>> =
            rows.iter().map(|row| row.iter().map(Recovered::sender).collect()).collect();
        senders.insert(0, Vec::new());
        senders.push(Vec::new());
        let mut executed = execute(&env, &mut self.made.state, rows);
        if truth == Truth::WeiFromNowhere {
            let lie = executed
                .iter_mut()
                .filter(|row| row.kind == RowKind::User)
                .flat_map(|row| row.effects.accesses.iter_mut())
                .find_map(|access| match &mut access.after {
                    Some(Value::Account(account)) => Some(account),
                    _ => None,
                })
                .expect("an account changes");
            *lie = Account { balance: lie.balance + U256::ONE, ..*lie };
        }
        let parent_ancestors = self.made.ancestors.clone();
        let assembled =
            assemble(&config, &parent, &mut self.made.ancestors, (time_ms, 0), &before, &executed).expect("splits");
        self.made.state.tree = assembled.state.clone();
        self.made.head = assembled.header.clone();
        let signature = self.made.key.sign(&assembled.header.hash());
        let signed = SignedHeader { header: assembled.header.clone(), signature };
        let stored = StoredBlock::new(signed, parent_ancestors, &assembled, executed, &senders).expect("fits");
        let written: Vec<_> = assembled.writes.iter().map(|leaf| leaf.key).collect();
        let block = Arc::new(SealedBlock::open(stored, &written, &config.params).expect("fits together"));
        assert!(block.set_column_bodies(assembled.column_bodies));
        self.store.append(&block, &assembled.writes).expect("stores");
        let head = Head {
            header: assembled.header,
            hash: block.hash,
            state: assembled.state,
            ancestors: self.made.ancestors.clone(),
        };
        self.chain.publish(block.clone(), head);
        block
    }

    /// The block at `height`.
    pub(crate) fn block(&self, height: u64) -> Arc<SealedBlock> {
        self.chain.block(height).expect("reads").expect("there is one")
    }

    /// An attestation by `key` for the block at `height`, of every task of the blocks in `tasks`.
    pub(crate) fn attestation(
        &self,
        key: &SecretKey,
        height: u64,
        tasks: std::ops::RangeInclusive<u64>,
    ) -> SignedAttestation {
        let tasks = tasks.map(|height| {
            let tasks = TaskSet::all(self.block(height).stored.manifest.task_count());
            BlockTasks { height, tasks }
        });
        let block = self.block(height);
        let attestation = Attestation::new(height, 0, block.hash, tasks.collect()).expect("well formed");
        SignedAttestation::by_owner(attestation, key, &self.domain())
    }

    /// What attestations of this chain are signed under.
    pub(crate) fn domain(&self) -> SigningDomain {
        SigningDomain::new(self.made.config.params.chain_id, &self.made.config.genesis_hash())
    }

    /// `GET`s a path; status, headers and body.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, None)
    }

    /// `GET`s a path if what is there has another tag.
    pub(crate) fn get_with(&self, path: &str, tag: Option<&str>) -> Answer {
        let request = agent().get(format!("{}{path}", self.url));
        let request = if let Some(tag) = tag { request.header("if-none-match", tag) } else { request };
        Answer::of(request.call().expect("answers"))
    }

    /// `POST`s bytes.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        Answer::of(agent().post(format!("{}{path}", self.url)).send(body).expect("answers"))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().new_agent()
}

fn options(
    chain: &Arc<Chain>,
    (collecting, promises): (Collecting, Promises),
    folder: &Path,
    faults: &Arc<Mutex<Vec<u64>>>,
    stopping: tokio::sync::watch::Receiver<bool>,
) -> ApiOptions {
    let told = faults.clone();
    ApiOptions {
        chain: chain.clone(),
        promises: Arc::new(promises),
        collecting,
        evidence: EvidenceBook::open(&folder.join("evidence"), chain.clone()).expect("a folder"),
        on_fault: Arc::new(move |fault: &ProvenFault| told.lock().push(fault.height)),
        ready: Arc::new(|| Ok(())),
        metrics: None,
        stopping,
    }
}

fn serve(
    options: ApiOptions,
    alter: impl FnOnce(Router) -> Router,
    ready: &std::sync::mpsc::Sender<(Handle, SocketAddr)>,
    stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let service = alter(router(options)).into_make_service_with_connect_info::<SocketAddr>();
        let address = listener.local_addr().expect("bound");
        ready.send((Handle::current(), address)).expect("the test waits");
        tokio::select! {
            served = axum::serve(listener, service) => served.expect("serves"),
            _ = stopped => {}
        }
    });
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) tag: Option<String>,
    pub(crate) cache: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn of(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, tag, cache) = (response.status().as_u16(), header("etag"), header("cache-control"));
        Self { status, tag, cache, body: response.body_mut().read_to_vec().expect("a body") }
    }

    /// The status and the code of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = json.pointer("/error/code").and_then(serde_json::Value::as_str).unwrap_or_default();
        (self.status, code.to_owned())
    }

    /// The JSON of an answer that is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// A hash that nothing has.
pub(crate) const NOTHING: B256 = B256::repeat_byte(0xee);
