//! `ocelli inspect`: what a block is made of.

use alloy_primitives::B256;
use anyhow::{Context, bail};
use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use ocelli_core::{
    column::ColumnBody,
    evm::{Code, Env, RowExecutor},
    genesis::ChainConfig,
    lanes::{self, Footprint},
    limits,
    manifest::{Manifest, RowKind},
    message::BlockDocument,
    row::{Listed, RowBody, RowTask},
    transaction::{Recovered, Transaction},
    wire,
};
use std::collections::BTreeMap;

/// Arguments of `ocelli inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The block: a height, a hash, or `latest`.
    #[arg(default_value = "latest")]
    block: String,
    /// The sequencer's address.
    #[arg(long, default_value = "http://127.0.0.1:8545", env = "OCELLI_URL")]
    url: String,
}

/// Prints the block's rows, columns and lanes.
///
/// # Errors
/// The endpoint cannot be reached, has no such block, or serves something that does not decode.
pub fn run(args: Args) -> anyhow::Result<()> {
    let endpoint = Endpoint { url: args.url.trim_end_matches('/').to_owned() };
    let config: ChainConfig = wire::decode(&endpoint.get("chain")?, limits::MANIFEST_BYTES)?;
    let block = if args.block == "latest" { endpoint.head()? } else { args.block };
    let document: BlockDocument = wire::decode(&endpoint.get(&format!("blocks/{block}"))?, limits::MANIFEST_BYTES)
        .with_context(|| format!("block {block}"))?;
    let hash = document.signed.header.hash();
    let bodies = Bodies::fetch(&endpoint, &hash, &document.manifest)?;
    print_header(&document, &hash);
    print_rows(&document.manifest, &bodies);
    print_columns(&document.manifest, &bodies)?;
    print_lanes(&config, &document, &bodies, &endpoint)
}

struct Endpoint {
    url: String,
}

impl Endpoint {
    fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.get_if_kept(path)?.with_context(|| format!("{}/v1/{path} is not kept any more", self.url))
    }

    /// `None` if it is not kept any more.
    fn get_if_kept(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let url = format!("{}/v1/{path}", self.url);
        let mut answer = match ureq::get(&url).call() {
            Ok(answer) => answer,
            Err(ureq::Error::StatusCode(410)) => return Ok(None),
            Err(ureq::Error::StatusCode(404)) => bail!("{url} does not exist: the chain has no such block"),
            Err(error) => return Err(error).with_context(|| format!("{url}: is a sequencer running there?")),
        };
        let limit = (limits::MANIFEST_BYTES + limits::EVIDENCE_BYTES) as u64;
        answer.body_mut().with_config().limit(limit).read_to_vec().map(Some).with_context(|| url)
    }

    fn head(&self) -> anyhow::Result<String> {
        let summary: serde_json::Value = serde_json::from_slice(&self.get("chain.json")?)?;
        let height = summary["head"]["height"].as_u64().context("the endpoint does not say what its head is")?;
        if height == 0 {
            bail!("the chain has no block yet; genesis has no rows or columns");
        }
        Ok(height.to_string())
    }
}

struct Bodies {
    rows: Vec<RowBody>,
    row_bytes: Vec<usize>,
    /// Those of old blocks are not kept.
    columns: Option<Vec<Vec<u8>>>,
}

impl Bodies {
    fn fetch(endpoint: &Endpoint, hash: &B256, manifest: &Manifest) -> anyhow::Result<Self> {
        let (mut rows, mut row_bytes) = (Vec::new(), Vec::new());
        for index in 0..manifest.rows.len() {
            let bytes = endpoint.get(&format!("blocks/{hash}/rows/{index}"))?;
            let task: RowTask = wire::decode(&bytes, limits::EVIDENCE_BYTES)?;
            row_bytes.push(task.body.len());
            rows.push(wire::decode(&task.body, limits::ROW_BODY_BYTES_ANY)?);
        }
        let column = |index| endpoint.get_if_kept(&format!("blocks/{hash}/columns/{index}")).transpose();
        let columns = (0..manifest.columns.len()).map_while(column).collect::<anyhow::Result<Vec<Vec<u8>>>>()?;
        let columns = (columns.len() == manifest.columns.len()).then_some(columns);
        Ok(Self { rows, row_bytes, columns })
    }
}

fn print_header(document: &BlockDocument, hash: &B256) {
    let header = &document.signed.header;
    println!("block {} of term {}  {hash}", header.height, header.term);
    println!("parent      {}", header.parent);
    println!("state root  {}", header.state_root);
    println!(
        "time        {} ms since 1970    gas {}    base fee {} wei\n",
        header.time_ms, header.gas_used, header.base_fee
    );
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(columns);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn print_rows(manifest: &Manifest, bodies: &Bodies) {
    let mut rows = table(&["row", "transactions", "logs", "gas", "work", "keys", "codes", "bytes"]);
    for (at, (header, body)) in manifest.rows.iter().zip(&bodies.rows).enumerate() {
        let kind = match header.kind {
            RowKind::Opening => " opening",
            RowKind::User => "",
            RowKind::Closing => " closing",
        };
        rows.add_row([
            format!("{at}{kind}"),
            header.tx_count.to_string(),
            header.log_count.to_string(),
            header.gas_used.to_string(),
            header.work.to_string(),
            header.access_count.to_string(),
            body.codes.len().to_string(),
            bodies.row_bytes.get(at).copied().unwrap_or_default().to_string(),
        ]);
    }
    println!("{rows}");
}

fn print_columns(manifest: &Manifest, bodies: &Bodies) -> anyhow::Result<()> {
    let mut columns = table(&["column", "keys", "accesses", "rows", "bytes"]);
    let Some(bodies) = &bodies.columns else {
        println!("{} columns, whose bodies are not kept any more", manifest.columns.len());
        return Ok(());
    };
    for (at, (header, bytes)) in manifest.columns.iter().zip(bodies).enumerate() {
        let body: ColumnBody = wire::decode(bytes, limits::COLUMN_BODY_BYTES_ANY)?;
        let bits: String = (0..header.prefix.length())
            .map(|depth| if ocelli_core::prefix::path_bit(&header.prefix.bits(), depth) { '1' } else { '0' })
            .collect();
        columns.add_row([
            format!("{at} {}", if bits.is_empty() { "all paths".to_owned() } else { format!("{bits}…") }),
            body.keys.len().to_string(),
            header.access_count.to_string(),
            body.cells.len().to_string(),
            bytes.len().to_string(),
        ]);
    }
    println!("{columns}");
    Ok(())
}

/// Runs the rows again to learn what each transaction used, and prints the lanes that follow.
fn print_lanes(
    config: &ChainConfig,
    document: &BlockDocument,
    bodies: &Bodies,
    endpoint: &Endpoint,
) -> anyhow::Result<()> {
    let env = Env::of(config, &document.signed.header);
    let mut used = Vec::new();
    for (at, body) in bodies.rows.iter().enumerate() {
        let mut codes = BTreeMap::new();
        for code in &body.codes {
            codes.insert(code.hash, Code::new_raw(endpoint.get(&format!("codes/{}", code.hash))?.into()));
        }
        let mut executor = RowExecutor::new(&env, Listed::new(body, &codes));
        for bytes in &body.transactions {
            let transaction = Recovered::new(Transaction::decode(bytes, env.params.chain_id, env.params.fork)?)?;
            let executed = executor.execute(&transaction, |_| true);
            let executed = executed.map_err(|refused| anyhow::anyhow!("row {at} does not execute: {refused:?}"))?;
            let keys = executed.accesses.iter().map(|access| (access.key, access.after.is_some()));
            used.push(keys.collect::<Vec<_>>());
        }
    }
    let footprints: Vec<_> = used.iter().enumerate().map(|(index, keys)| Footprint { index, keys }).collect();
    let mut lengths: Vec<usize> = lanes::lanes(&footprints).iter().map(<[usize]>::len).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let longest: Vec<String> = lengths.iter().take(12).map(usize::to_string).collect();
    println!("{} transactions in {} lanes; the longest: {}", used.len(), lengths.len(), longest.join(", "));
    Ok(())
}
