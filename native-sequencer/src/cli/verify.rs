//! `ocelli verify`.

use super::{Status, sequencer::read_key};
use crate::verify::{self, Event, FoundFault, Share, Summary, VerifyError, VerifyOptions};
use alloy_primitives::{B256, hex};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The exit status when a fault was found.
const FAULT: u8 = 3;

/// Arguments of `ocelli verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the chain is served. Given several times, bodies that the first does not have are asked of the others.
    #[arg(long, default_value = "http://127.0.0.1:8545", env = "OCELLI_URL")]
    url: Vec<String>,
    /// The genesis hash that the chain must have. Without it, the chain is whichever the server names.
    #[arg(long, value_name = "HASH")]
    genesis: Option<B256>,
    /// A file with the key that signs attestations (32 bytes in hexadecimal). Without it nothing is attested.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Attest with this registered verifier of a development chain, whose key is public.
    #[arg(long, value_name = "INDEX", conflicts_with = "key")]
    dev_verifier: Option<u32>,
    /// Begin after this block, which is then trusted; 0 is genesis, which trusts nobody.
    #[arg(long, default_value_t = 0, value_name = "HEIGHT")]
    from: u64,
    /// End after this block.
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
    /// End at the head that the chain has now.
    #[arg(long)]
    once: bool,
    /// Tasks checked at a time; 0 for one a core.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    workers: usize,
    /// Check only a share of the tasks, INDEX/COUNT: of three verifiers, one checks 0/3, one 1/3 and one 2/3.
    #[arg(long, value_name = "INDEX/COUNT", value_parser = parse_share, default_value = "0/1")]
    share: Share,
    /// Check this evidence of a fault instead of the chain.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "once", "share", "key", "dev_verifier"])]
    evidence: Option<PathBuf>,
    /// Where to write the evidence of a fault that is found; it is sent to the servers in any case.
    #[arg(long, value_name = "FILE", default_value = "evidence.bin")]
    write_evidence: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_share(text: &str) -> Result<Share, String> {
    let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((index, of)) if index < of => Ok(Share { index, of }),
        _ => Err("a share is INDEX/COUNT with INDEX below COUNT, such as 0/3".to_owned()),
    }
}

/// Verifies until told otherwise.
///
/// # Errors
/// [`Status`] 3 if a fault was found; otherwise what kept it from going on.
pub fn run(args: Args) -> anyhow::Result<()> {
    if let Some(path) = &args.evidence {
        return check_evidence(&args, path);
    }
    let key = match (&args.key, args.dev_verifier) {
        (Some(path), _) => Some(Arc::new(read_key(path)?)),
        (None, Some(index)) => Some(Arc::new(crate::dev::key(crate::dev::Purpose::Verifier, index)?)),
        (None, None) => None,
    };
    let options = VerifyOptions {
        urls: args.url.clone(),
        genesis: args.genesis,
        from: args.from,
        to: args.to,
        once: args.once,
        workers: args.workers,
        share: args.share,
        key,
        attest_every: Duration::from_secs(1),
        ..VerifyOptions::new("")
    };
    let bar = progress()?;
    let mut head = 0;
    let outcome = verify::run(options, &mut |event| show(&bar, &mut head, event));
    bar.finish_and_clear();
    match outcome {
        Ok(summary) => print(&summary, args.json),
        Err(VerifyError::Fault(fault)) => accuse(&fault, &args.write_evidence),
        Err(error) => Err(error.into()),
    }
}

fn progress() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{spinner} verified {pos} of {len} blocks, {per_sec}  {msg}")?;
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

fn show(bar: &ProgressBar, head: &mut u64, event: Event) {
    let mut reach = |height: u64| {
        *head = height.max(*head);
        bar.set_length(*head);
    };
    match event {
        Event::Started { chain_id, genesis, pinned, head } => {
            let trust = if pinned { "" } else { ", as the server says; pin it with --genesis" };
            bar.println(format!("chain {chain_id}, genesis {genesis}{trust}"));
            reach(head);
        }
        Event::Sealed { height } => reach(height),
        Event::Verified(block) => bar.set_position(block.height),
        Event::Certified { height } => bar.set_message(format!("attested up to {height}")),
        Event::Disconnected { reason, retry } => {
            bar.println(format!("disconnected: {reason}; next try in {:.1} s", retry.as_secs_f64()));
        }
        Event::AttestationRefused { height, reason } => {
            bar.println(format!("attestation of block {height} refused: {reason}"));
        }
        Event::Withheld { height, what, reason } => {
            bar.println(format!("block {height}: {what} cannot be had: {reason}; asking again"));
        }
        Event::Connected | Event::Attested { .. } => {}
    }
}

fn print(summary: &Summary, json: bool) -> anyhow::Result<()> {
    let seconds = summary.elapsed.as_secs_f64();
    if json {
        let text = serde_json::json!({
            "height": summary.height, "hash": summary.hash, "blocks": summary.blocks, "tasks": summary.tasks,
            "transactions": summary.transactions, "gas": summary.gas, "bytes": summary.bytes,
            "attestations": summary.attestations, "certified": summary.certified, "seconds": seconds,
        });
        println!("{text}");
        return Ok(());
    }
    println!(
        "{} blocks hold, up to {} ({}): {} tasks, {} transactions, {} bytes of bodies, {seconds:.1} s",
        summary.blocks, summary.height, summary.hash, summary.tasks, summary.transactions, summary.bytes
    );
    if summary.attestations > 0 || summary.certified > 0 {
        println!("{} attestations accepted; attested up to {}", summary.attestations, summary.certified);
    }
    Ok(())
}

fn accuse(fault: &FoundFault, path: &std::path::Path) -> anyhow::Result<()> {
    println!("FAULT: {fault}");
    for (url, answer) in &fault.submitted {
        match answer {
            Ok(()) => println!("{url} confirmed it"),
            Err(reason) => println!("{url} did not take the evidence: {reason}"),
        }
    }
    std::fs::write(path, &fault.evidence).with_context(|| format!("writing the evidence to {}", path.display()))?;
    println!("evidence: {}; anyone can check it with `ocelli verify --evidence FILE`", path.display());
    Err(Status(FAULT).into())
}

fn check_evidence(args: &Args, path: &std::path::Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let url = args.url.first().context("name a server whose chain the evidence is about")?;
    let config = verify::config_of(url, args.genesis)?;
    let (evidence, fault) = verify::check_evidence(&config, &bytes).with_context(|| {
        format!("{} (0x{}…) proves nothing", path.display(), hex::encode(&bytes[..bytes.len().min(8)]))
    })?;
    let header = &evidence.signed.header;
    println!("FAULT: block {} ({}) is faulty: {fault}", header.height, header.hash());
    println!("The chain's sequencer {} signed it.", header.sequencer);
    Err(Status(FAULT).into())
}
