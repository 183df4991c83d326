//! `ocelli bench`.

use crate::{
    bench::{self, Figure, Size},
    dev,
    genesis_file::AccountEntry,
    store::Store,
};
use alloy_primitives::U256;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use indicatif::ProgressBar;
use std::path::PathBuf;

/// Arguments of `ocelli bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Accounts in the state.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// Transfers in a block.
    #[arg(long, default_value_t = 10_000)]
    transfers: u32,
    /// Blocks measured; figures are their medians.
    #[arg(long, default_value_t = 7)]
    blocks: u32,
    /// Folder for the measured chain, on the disk that is to be measured. It must not hold one; it is deleted at the end.
    #[arg(long, default_value = "target/bench-chain")]
    data_dir: PathBuf,
    /// Print a JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

/// Measures the pipeline and prints the figures.
///
/// # Errors
/// The folder is in use or a block turned out wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    let size = Size { accounts: args.accounts, transfers: args.transfers, blocks: args.blocks };
    let accounts = bench::accounts(size)?;
    let mut file = dev::genesis(1)?;
    file.gas_limit = file.gas_limit.max(u64::from(args.transfers) * 21_000 * 2);
    let rich = AccountEntry { balance: U256::from(u128::MAX), ..AccountEntry::default() };
    file.accounts.extend(accounts.iter().map(|address| (*address, rich.clone())));
    let genesis = file.open()?;
    let (store, _) = Store::open(&args.data_dir, &genesis.config, &genesis.state, &genesis.codes)?;
    let key = dev::key(dev::Purpose::Sequencer, 0)?;
    let bar = ProgressBar::new(u64::from(args.blocks));
    let figures = bench::run(size, &genesis, &accounts, &store, &key, |block| bar.set_position(u64::from(block)))?;
    bar.finish_and_clear();
    drop(store);
    Store::reset(&args.data_dir)?;
    print(&figures, args.json)
}

fn print(figures: &[Figure], json: bool) -> anyhow::Result<()> {
    if json {
        for figure in figures {
            println!("{}", serde_json::to_string(figure)?);
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["what", "median", "unit"]);
    for figure in figures {
        let digits = if figure.ours < 100.0 { 1 } else { 0 };
        table.add_row([figure.name.to_owned(), format!("{:.digits$}", figure.ours), figure.unit.to_owned()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    Ok(())
}
