//! One task: fetched, checked, and judged. This is where a fault and a body that is not the committed one part ways.

use super::{
    client::{Client, ClientError},
    pool::Permits,
};
use crate::limits;
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    column::verify_column,
    evidence::{Claim, Evidence},
    evm::Env,
    genesis::ChainConfig,
    header::SignedHeader,
    limits::ROW_BODY_BYTES_ANY,
    manifest::Manifest,
    refusal::{NotCommitted, Refusal},
    row::{RowBody, RowTask, verify_row},
    wire,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// A block whose header and manifest hold, and whose tasks are being checked.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) signed: SignedHeader,
    pub(super) hash: B256,
    pub(super) manifest: Manifest,
}

impl Block {
    pub(super) const fn height(&self) -> u64 {
        self.signed.header.height
    }

    pub(super) fn evidence(&self, claim: Claim) -> Evidence {
        Evidence { signed: self.signed.clone(), manifest: self.manifest.clone(), claim }
    }

    /// What a task is called.
    pub(super) fn name(&self, task: u32) -> String {
        match task.checked_sub(self.manifest.rows.len() as u32) {
            None => format!("row {task}"),
            Some(column) => format!("column {column}"),
        }
    }
}

/// How a check ended.
#[derive(Debug)]
pub(super) enum Checked {
    /// Valid.
    Valid {
        /// Bytes of the body.
        bytes: u64,
    },
    /// The block is wrong.
    Faulty(Box<Evidence>),
}

/// Why a task could not be checked. It says nothing about the block.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unchecked {
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("{0}")]
    NotCommitted(NotCommitted),
}

impl Unchecked {
    /// Whether the server had what was asked for, and will not have it again.
    pub(super) fn is_not_kept(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_not_kept())
    }
}

impl From<NotCommitted> for Unchecked {
    fn from(reason: NotCommitted) -> Self {
        Self::NotCommitted(reason)
    }
}

/// Code that was fetched, by hash. When there is too much of it, all is forgotten and fetched again as it is needed.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<(HashMap<B256, Bytes>, usize)>);

impl Codes {
    fn get(&self, hash: &B256) -> Option<Bytes> {
        self.0.lock().0.get(hash).cloned()
    }

    fn keep(&self, hash: B256, code: Bytes) {
        let mut kept = self.0.lock();
        if kept.1 + code.len() > limits::VERIFY_CODE_BYTES {
            *kept = Default::default();
        }
        kept.1 += code.len();
        kept.0.insert(hash, code);
    }
}

/// What checking a task takes besides the block.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) client: Arc<Client>,
    pub(super) config: ChainConfig,
    pub(super) codes: Codes,
    /// Checks at a time.
    pub(super) cores: Permits,
}

impl Checker {
    /// Fetches task `task` of `block` from a server and checks it.
    pub(super) fn check(&self, block: &Block, task: u32, server: usize) -> Result<Checked, Unchecked> {
        match task.checked_sub(block.manifest.rows.len() as u32) {
            None => self.check_row(block, task, server),
            Some(index) => self.check_column(block, index, server),
        }
    }

    fn check_row(&self, block: &Block, index: u32, server: usize) -> Result<Checked, Unchecked> {
        let task = self.client.row(server, &block.hash, index)?;
        let codes = self.codes_of(&task, server)?;
        let env = Env::of(&self.config, &block.signed.header);
        let verdict = self
            .cores
            .with(|| verify_row(&env, &block.manifest, index as usize, &task, |hash| codes.get(hash).cloned()));
        match verdict {
            Ok(_) => Ok(Checked::Valid { bytes: task.body.len() as u64 }),
            Err(Refusal::NotCommitted(reason)) => Err(reason.into()),
            Err(Refusal::Fault(_)) => {
                let mut codes: Vec<(B256, Bytes)> = codes.into_iter().collect();
                codes.sort_unstable_by_key(|(hash, _)| *hash);
                let codes = codes.into_iter().map(|(_, code)| code).collect();
                Ok(Checked::Faulty(Box::new(block.evidence(Claim::Row { index, task, codes }))))
            }
        }
    }

    /// The code that a row lists, up to the length that a row may list: what exceeds it is a fault before it is asked for.
    fn codes_of(&self, task: &RowTask, server: usize) -> Result<HashMap<B256, Bytes>, Unchecked> {
        let listed = wire::decode::<RowBody>(&task.body, ROW_BODY_BYTES_ANY).map(|body| body.codes).unwrap_or_default();
        let mut room = u64::from(self.config.params.limits.row_code_bytes);
        let mut codes = HashMap::new();
        for listed in listed {
            let Some(rest) = room.checked_sub(u64::from(listed.length)) else { break };
            room = rest;
            let code = match self.codes.get(&listed.hash) {
                Some(code) => code,
                None => self.client.code(server, &listed.hash)?,
            };
            if ocelli_core::hash::keccak256(&code) != listed.hash {
                return Err(NotCommitted::NoCode(listed.hash).into());
            }
            self.codes.keep(listed.hash, code.clone());
            codes.insert(listed.hash, code);
        }
        Ok(codes)
    }

    fn check_column(&self, block: &Block, index: u32, server: usize) -> Result<Checked, Unchecked> {
        let body = self.client.column(server, &block.hash, index)?;
        let env = Env::of(&self.config, &block.signed.header);
        match self.cores.with(|| verify_column(&env, &block.manifest, index as usize, &body)) {
            Ok(_) => Ok(Checked::Valid { bytes: body.len() as u64 }),
            Err(Refusal::NotCommitted(reason)) => Err(reason.into()),
            Err(Refusal::Fault(_)) => {
                Ok(Checked::Faulty(Box::new(block.evidence(Claim::Column { index, body: body.into() }))))
            }
        }
    }
}
