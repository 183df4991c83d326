//! A running sequencer: store, pool, producer and servers, put together, and taken apart again in order.

use crate::{
    api::{self, ApiOptions, EvidenceBook},
    chain::Chain,
    collect,
    genesis_file::Genesis,
    limits, listener, page,
    pool::Pool,
    producer::{Producer, ProducerError, lie::Lie},
    promises::Promises,
    rpc,
    store::{EVIDENCE_FOLDER, Store},
};
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ocelli_core::signature::SecretKey;
use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};
use tokio::sync::{Notify, watch};

/// What a node is started with.
#[derive(Debug)]
pub struct NodeOptions {
    /// Where JSON-RPC, the verifier API and the page are served.
    pub listen: SocketAddr,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The chain.
    pub genesis: Genesis,
    /// The key that signs headers.
    pub key: Arc<SecretKey>,
    /// Go on in the term after the head's.
    pub raise_term: bool,
    /// Bytes that the bodies of columns may take on disk.
    pub keep_columns: u64,
    /// A test switch.
    pub lie: Option<Lie>,
}

/// Runs a node until the process is told to stop or the producer fails.
///
/// # Errors
/// Whatever keeps it from starting or going on, with what to do.
pub fn run(options: NodeOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(options));
    // Requests that block are cut off; nothing durable depends on them.
    runtime.shutdown_timeout(limits::SHUTDOWN);
    outcome
}

async fn serve(options: NodeOptions) -> anyhow::Result<()> {
    // First, so that nothing is missed of what the others say of themselves.
    let metrics = recorder()?;
    let genesis = &options.genesis;
    // Before anything is made.
    let (key, named) = (options.key.address(), genesis.config.params.sequencer);
    anyhow::ensure!(
        key == named,
        "the key is that of {key}, and the chain's sequencer is {named}: choose another key_file"
    );
    let (store, recovered) = Store::open(&options.data_dir, &genesis.config, &genesis.state, &genesis.codes)?;
    store.keep_columns(options.keep_columns);
    let store = Arc::new(store);
    let chain = Arc::new(Chain::new(
        genesis.config.clone(),
        store.clone(),
        recovered.codes,
        recovered.head,
        recovered.states,
        recovered.certificate,
    ));
    let pool = Arc::new(Pool::open(&options.data_dir, chain.clone())?);
    // Listening comes before anything runs: a port in use is found out while there is nothing to take apart.
    let listener = listener::listen(options.listen)
        .with_context(|| format!("{} cannot be listened on; choose another with --port or listen", options.listen))?;

    let (collecting, collector) = collect::start(chain.clone(), store.clone())?;
    let evidence = EvidenceBook::open(&options.data_dir.join(EVIDENCE_FOLDER), chain.clone())?;
    let mut producer = Producer::new(chain.clone(), pool.clone(), store, options.key.clone(), options.lie)?;
    if options.raise_term {
        producer.raise_term();
    }
    let promises = Arc::new(Promises::new(&chain, pool.clone(), options.key, producer.term()));
    let production = Production::start(move |stopped| producer.run(stopped))?;
    let stop_producing = production.stopper();
    // A restart does not make a faulty chain whole.
    if let Some(fault) = chain.faults().first() {
        tracing::error!(height = fault.height, fault = %fault.description, "a fault was proved before; no blocks are made");
        stop_producing.stop();
        pool.stop_for_fault(fault.height);
    }
    let refusing = pool.clone();
    metrics::gauge!("ocelli_height").set(chain.head().header.height as f64);
    metrics::gauge!("ocelli_attested_height").set(chain.attested_height() as f64);
    let (making, taking) = (production.readiness(), pool.clone());
    let (stop_reading, stopping) = watch::channel(false);
    let api = api::router(ApiOptions {
        chain: chain.clone(),
        promises: promises.clone(),
        collecting,
        evidence,
        on_fault: Arc::new(move |fault| {
            tracing::error!(height = fault.height, fault = %fault.description, "a fault was proved; no more blocks are made");
            stop_producing.stop();
            refusing.stop_for_fault(fault.height);
        }),
        ready: Arc::new(move || {
            making()?;
            taking.ready()?;
            if collector.is_finished() { Err(NOT_COLLECTING.to_owned()) } else { Ok(()) }
        }),
        metrics: Some(metrics),
        stopping,
    });
    let app = rpc::router(chain.clone(), promises, page::router()).merge(api);
    tracing::info!(
        genesis = %chain.config().genesis_hash(),
        chain_id = chain.config().params.chain_id,
        height = chain.head().header.height,
        attested = chain.attested_height(),
        "listening on http://{}",
        listener.local_addr()?
    );

    let failed = production.failed.clone();
    let stopped = async move {
        tokio::select! {
            () = told_to_stop() => tracing::info!("stopping"),
            () = failed.notified() => {}
        }
        // Nobody listening is no error.
        if stop_reading.send(true).is_ok() {
            tokio::time::sleep(limits::GOODBYE).await;
        }
    };
    tokio::select! {
        served = listener::serve(listener, app) => served.context("the server failed")?,
        () = stopped => {}
    }
    production.finish()
}

const NOT_COLLECTING: &str = "attestations are no longer collected; the log says why. Restart";

/// Keeps metrics from now on. Samples are put into their histograms now and then, and not only when somebody looks at them:
/// otherwise they would pile up.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&limits::METRICS_SECONDS).context("metrics")?;
    let handle = builder.install_recorder().context("metrics")?;
    let kept = handle.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(limits::METRICS_UPKEEP);
        loop {
            tick.tick().await;
            kept.run_upkeep();
        }
    });
    metrics::gauge!("ocelli_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Resolves when the process gets SIGINT or SIGTERM.
async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            // No handler could be installed; the other signal remains.
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}

/// The producer's thread, and what others may know of it.
struct Production {
    stopped: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    failed: Arc<Notify>,
    thread: JoinHandle<Result<(), ProducerError>>,
}

/// Stops a producer; a block that is being made durable is finished.
struct Stopper(Arc<AtomicBool>);

impl Stopper {
    fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Says when the producer has ended, however it ends.
struct Ending {
    failure: Arc<Mutex<Option<String>>>,
    failed: Arc<Notify>,
    outcome: Option<Result<(), String>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let panicked = || Err("the producer panicked; the log says where".to_owned());
        if let Err(why) = self.outcome.take().unwrap_or_else(panicked) {
            *self.failure.lock() = Some(why);
            self.failed.notify_one();
        }
    }
}

impl Production {
    /// Runs `produce`, which is given what tells it to stop, on a thread of its own.
    fn start(
        produce: impl FnOnce(&dyn Fn() -> bool) -> Result<(), ProducerError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let failure: Arc<Mutex<Option<String>>> = Arc::default();
        let failed = Arc::new(Notify::new());
        let stop = stopped.clone();
        let ending = Ending { failure: failure.clone(), failed: failed.clone(), outcome: None };
        let thread = std::thread::Builder::new().name("producer".to_owned()).spawn(move || {
            // All of it is moved here, to be dropped when this thread ends.
            let mut ending = ending;
            let outcome = produce(&|| stop.load(Ordering::Acquire));
            ending.outcome = Some(outcome.as_ref().map_or_else(|error| Err(error.to_string()), |()| Ok(())));
            outcome
        })?;
        Ok(Self { stopped, failure, failed, thread })
    }

    fn stopper(&self) -> Stopper {
        Stopper(self.stopped.clone())
    }

    fn readiness(&self) -> api::Ready {
        let (stopped, failure) = (self.stopped.clone(), self.failure.clone());
        Arc::new(move || match (&*failure.lock(), stopped.load(Ordering::Acquire)) {
            (Some(why), _) => Err(why.clone()),
            (None, true) => Err("no blocks are made any more".to_owned()),
            (None, false) => Ok(()),
        })
    }

    /// Stops the producer and waits for it.
    fn finish(self) -> anyhow::Result<()> {
        self.stopper().stop();
        match self.thread.join() {
            Ok(outcome) => Ok(outcome?),
            Err(_) => anyhow::bail!("the producer panicked; the log above says where. What was sealed is durable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_producer_that_panics_ends_the_node() {
        let production = Production::start(|_| panic!("a bug")).expect("starts");
        production.failed.notified().await;
        assert!(production.readiness()().unwrap_err().contains("panicked"));
        assert!(production.finish().is_err());
    }

    #[tokio::test]
    async fn a_producer_that_fails_ends_the_node_and_says_why() {
        let production = Production::start(|_| Err(ProducerError::Key)).expect("starts");
        production.failed.notified().await;
        assert_eq!(production.readiness()(), Err(ProducerError::Key.to_string()));
        assert!(production.finish().is_err());
    }

    #[test]
    fn a_producer_that_is_told_to_stop_has_not_failed() {
        let wait = |stopped: &dyn Fn() -> bool| {
            while !stopped() {
                std::thread::yield_now();
            }
            Ok(())
        };
        let production = Production::start(wait).expect("starts");
        assert_eq!(production.readiness()(), Ok(()));
        production.stopper().stop();
        assert!(production.readiness()().is_err());
        production.finish().expect("ends");
    }
}
