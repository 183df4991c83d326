//! Blocks: the rules that tie header, manifest and parent together, for whoever makes a block and whoever checks one.
//!
//! [`verify_block`] is cheap enough for everyone and part of every attestation. Together with the checks of every row and
//! every column it says that the block is valid (design section 5 has the induction).

pub mod assemble;
pub mod rebuild;

pub use assemble::{AssembledBlock, assemble, assemble_by};
pub use rebuild::{Rebuilt, rebuild_cells, rebuild_columns};

use crate::{
    column::split::{combine_columns, most_columns},
    evm::Env,
    genesis::ChainConfig,
    hash::{Domain, Preimage},
    header::{Epoch, Header, L1, PROTOCOL_VERSION, SignedHeader},
    limits,
    manifest::{Manifest, RowHeader, RowKind},
    merkle::{self, Frontier},
    refusal::{NotCommitted, Refusal},
    tree::NodeHash,
};
use alloy_primitives::{B256, U256};

impl<'a> Env<'a> {
    /// The environment of the block with this header.
    pub const fn of(config: &'a ChainConfig, header: &Header) -> Self {
        Self {
            params: config.params_at(header.height),
            height: header.height,
            time_ms: header.time_ms,
            parent: header.parent,
            base_fee: header.base_fee,
        }
    }

    /// The environment of the block that comes after `parent` at `time_ms`.
    pub fn after(config: &'a ChainConfig, parent: &Header, time_ms: u64) -> Self {
        let height = parent.height.saturating_add(1);
        let params = config.params_at(height);
        let elapsed_ms = time_ms.saturating_sub(parent.time_ms);
        Self {
            params,
            height,
            time_ms,
            parent: parent.hash(),
            base_fee: params.base_fee.next(parent.base_fee, parent.gas_used, elapsed_ms),
        }
    }
}

/// The field of a header that differs from what the rules give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderField {
    /// `version`.
    Version,
    /// `params_hash`.
    ParamsHash,
    /// `height`.
    Height,
    /// `term`, below the parent's.
    Term,
    /// `time_ms`, not above the parent's.
    Time,
    /// `state_root`, not what the columns combine to.
    StateRoot,
    /// `ancestors`.
    Ancestors,
    /// `epoch`.
    Epoch,
    /// `l1`.
    L1,
    /// `gas_used`, not the sum over rows.
    GasUsed,
    /// `base_fee`.
    BaseFee,
    /// `sequencer`.
    Sequencer,
}

/// Why a signed block is wrong, as far as its header, manifest and parent tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockFault {
    /// A field of the header breaks its rule.
    Header(HeaderField),
    /// More gas than a block may use.
    GasLimit,
    /// The row is of a kind that does not belong in its place, or the block lacks its opening or closing row.
    RowKind(u32),
    /// A system row claims transactions, gas or fees, or a user row has no transaction.
    RowContent(u32),
    /// A row exceeds a limit that its header alone shows.
    RowLimit(u32),
    /// A column exceeds a limit that its header alone shows, or there are too many columns.
    ColumnLimit,
    /// The columns do not cover the space of paths once.
    ColumnPrefixes,
    /// Rows and columns count different numbers of accesses.
    AccessCounts,
    /// The columns' roots before the block do not combine to the parent's state root.
    RootBefore,
}

/// What the rules make of a block, apart from what its transactions do: the same for making and for checking.
///
/// `ancestors` is the parent's log and becomes this block's.
pub(crate) fn next_header(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    manifest: &Manifest,
    (time_ms, term): (u64, u64),
    state_root: NodeHash,
) -> Header {
    let env = Env::after(config, parent, time_ms);
    ancestors.append(merkle::leaf_hash(env.parent.as_slice()));
    Header {
        version: PROTOCOL_VERSION,
        genesis: parent.genesis,
        params_hash: env.params.hash(),
        height: env.height,
        term,
        parent: env.parent,
        time_ms,
        state_root: state_root.0,
        manifest_root: manifest.root(),
        ancestors: ancestors.root(),
        epoch: next_epoch(config, parent, env.parent),
        l1: L1::default(),
        gas_used: manifest.rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.gas_used)),
        base_fee: env.base_fee,
        sequencer: env.params.sequencer,
    }
}

/// The epoch of the block after `parent`: a new one every `epoch_blocks`. The seed is drawn from the last block of the epoch
/// before; with sortition it will come from the verifiers.
fn next_epoch(config: &ChainConfig, parent: &Header, parent_hash: B256) -> Epoch {
    let height = parent.height.saturating_add(1);
    let params = config.params_at(height);
    let number = height / params.epoch_blocks.max(1);
    if number == parent.epoch.number {
        return parent.epoch;
    }
    let seed =
        Preimage::of(Domain::Seed, &parent.genesis).b256(&parent.epoch.seed).u64(number).b256(&parent_hash).hash();
    Epoch { number, seed, set_hash: parent.epoch.next_set_hash, next_set_hash: params.verifiers.hash() }
}

/// Checks a header and its manifest against the parent. `ancestors` is the parent's log of ancestors and becomes this
/// block's if the block holds.
///
/// # Errors
/// [`Refusal::Fault`] with a [`BlockFault`] if the block is wrong, [`Refusal::NotCommitted`] if what was given does not belong
/// together, which says nothing about the block.
pub fn verify_block(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    signed: &SignedHeader,
    manifest: &Manifest,
) -> Result<(), Refusal<BlockFault>> {
    let header = &signed.header;
    check_belongs(config, parent, ancestors, signed, manifest)?;
    let roots = |after: bool| {
        combine_columns(manifest.columns.iter().map(|c| (&c.prefix, if after { c.root_after } else { c.root_before })))
    };
    let fault = |fault| Refusal::Fault(fault);
    let root_before = roots(false).ok_or(fault(BlockFault::ColumnPrefixes))?;
    let root_after = roots(true).ok_or(fault(BlockFault::ColumnPrefixes))?;
    if root_before.0 != parent.state_root {
        return Err(fault(BlockFault::RootBefore));
    }
    let mut log = ancestors.clone();
    let expected = next_header(config, parent, &mut log, manifest, (header.time_ms, header.term), root_after);
    check_header(parent, header, &expected).map_err(fault)?;
    check_rows(config, header, manifest).map_err(fault)?;
    check_columns(manifest).map_err(fault)?;
    *ancestors = log;
    Ok(())
}

/// Whether the pieces belong together and to this chain, and who signed.
fn check_belongs(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &Frontier,
    signed: &SignedHeader,
    manifest: &Manifest,
) -> Result<(), NotCommitted> {
    let header = &signed.header;
    if header.genesis != config.genesis_hash() || parent.genesis != header.genesis {
        return Err(NotCommitted::OtherChain);
    }
    if signed.signer() != Ok(config.params_at(header.height).sequencer) {
        return Err(NotCommitted::NotSigned);
    }
    if header.parent != parent.hash() {
        return Err(NotCommitted::Parent);
    }
    if ancestors.size() != parent.height || ancestors.root() != parent.ancestors {
        return Err(NotCommitted::Ancestors);
    }
    if manifest.root() != header.manifest_root {
        return Err(NotCommitted::Manifest);
    }
    Ok(())
}

fn check_header(parent: &Header, header: &Header, expected: &Header) -> Result<(), BlockFault> {
    let fields = [
        (header.version == expected.version, HeaderField::Version),
        (header.params_hash == expected.params_hash, HeaderField::ParamsHash),
        (header.height == expected.height, HeaderField::Height),
        (header.term >= parent.term, HeaderField::Term),
        (header.time_ms > parent.time_ms, HeaderField::Time),
        (header.state_root == expected.state_root, HeaderField::StateRoot),
        (header.ancestors == expected.ancestors, HeaderField::Ancestors),
        (header.epoch == expected.epoch, HeaderField::Epoch),
        (header.l1 == expected.l1, HeaderField::L1),
        (header.gas_used == expected.gas_used, HeaderField::GasUsed),
        (header.base_fee == expected.base_fee, HeaderField::BaseFee),
        (header.sequencer == expected.sequencer, HeaderField::Sequencer),
    ];
    fields.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, field)| Err(BlockFault::Header(*field)))
}

fn check_rows(config: &ChainConfig, header: &Header, manifest: &Manifest) -> Result<(), BlockFault> {
    let params = config.params_at(header.height);
    if header.gas_used > params.gas_limit {
        return Err(BlockFault::GasLimit);
    }
    let count = manifest.rows.len();
    if !(2..=limits::BLOCK_ROWS).contains(&count) {
        return Err(BlockFault::RowKind(0));
    }
    for (at, row) in manifest.rows.iter().enumerate() {
        let kind = match at {
            0 => RowKind::Opening,
            _ if at == count - 1 => RowKind::Closing,
            _ => RowKind::User,
        };
        let at = at as u32;
        if row.kind != kind {
            return Err(BlockFault::RowKind(at));
        }
        if !has_content_of_kind(row) {
            return Err(BlockFault::RowContent(at));
        }
        let limits = &params.limits;
        if row.tx_count > limits.row_transactions || row.gas_used > limits.row_gas || row.work > limits.row_work {
            return Err(BlockFault::RowLimit(at));
        }
    }
    Ok(())
}

fn has_content_of_kind(row: &RowHeader) -> bool {
    if row.kind == RowKind::User {
        return row.tx_count > 0;
    }
    let empty = merkle::root(&[]);
    row.tx_count == 0
        && row.log_count == 0
        && row.gas_used == 0
        && row.work == 0
        && row.base_fees == U256::ZERO
        && row.tips == U256::ZERO
        && row.txs_root == empty
        && row.receipts_root == empty
}

fn check_columns(manifest: &Manifest) -> Result<(), BlockFault> {
    let by_rows = manifest.rows.iter().fold(0_u64, |sum, row| sum + u64::from(row.access_count));
    let by_columns = manifest.columns.iter().fold(0_u64, |sum, column| sum + u64::from(column.access_count));
    if by_rows != by_columns {
        return Err(BlockFault::AccessCounts);
    }
    if manifest.columns.len() > most_columns(usize::try_from(by_rows).unwrap_or(usize::MAX)) {
        return Err(BlockFault::ColumnLimit);
    }
    Ok(())
}
