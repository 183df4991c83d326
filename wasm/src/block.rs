//! A block that was opened, and the checks of its tasks.

use crate::{
    chain::decode,
    error::Failure,
    shapes::{Binary, BlockInfo, TaskInfo, Verdict, to_js},
};
use alloy_primitives::{Address, B256, Bytes};
use js_sys::Uint8Array;
use ocelli_core::{
    block::verify_block,
    column::verify_column,
    evidence::{Claim, Evidence, Fault},
    evm::Env,
    genesis::ChainConfig,
    hash::{Preimage, keccak256},
    header::{Header, SignedHeader},
    limits,
    manifest::Manifest,
    message::BlockDocument,
    refusal::{NotCommitted, Refusal},
    row::{RowBody, RowTask, verify_row},
    wire,
};
use std::{collections::BTreeMap, rc::Rc};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// Most bytes of an encoded row task: a body, and for each column a leaf and a path of at most as many hashes as a block's
/// rows need.
const ROW_TASK_BYTES: usize = limits::ROW_BODY_BYTES_ANY + limits::BLOCK_COLUMNS * (15 * 33 + 34);

/// A block whose header and manifest were checked. Unless `verdict` is valid, its tasks mean nothing.
#[wasm_bindgen]
pub struct Block {
    config: Rc<ChainConfig>,
    signed: SignedHeader,
    manifest: Manifest,
    hash: B256,
    verdict: Verdict,
}

impl Block {
    pub(crate) fn open(config: Rc<ChainConfig>, parent: &Header, document: BlockDocument) -> Result<Self, Failure> {
        let BlockDocument { signed, parent_ancestors, manifest } = document;
        let mut log = parent_ancestors.clone();
        let checked = verify_block(&config, parent, &mut log, &signed, &manifest);
        let hash = signed.header.hash();
        let mut block = Self { config, signed, manifest, hash, verdict: Verdict::Valid };
        block.verdict = match checked {
            Ok(()) => Verdict::Valid,
            Err(Refusal::NotCommitted(reason)) => reason.into(),
            Err(Refusal::Fault(fault)) => {
                let claim = Claim::Block { parent: parent.clone(), ancestors: parent_ancestors };
                block.fault(&Fault::Block(fault), claim)
            }
        };
        Ok(block)
    }

    pub(crate) fn unlinked(config: Rc<ChainConfig>, document: BlockDocument) -> Self {
        let BlockDocument { signed, manifest, .. } = document;
        let hash = signed.header.hash();
        Self { config, signed, manifest, hash, verdict: NotCommitted::Parent.into() }
    }

    fn fault(&self, fault: &Fault, claim: Claim) -> Verdict {
        let evidence = Evidence { signed: self.signed.clone(), manifest: self.manifest.clone(), claim };
        Verdict::Fault { description: fault.to_string(), evidence: Binary(evidence.encode()) }
    }

    fn row(&self, index: u32, task: RowTask, codes: BTreeMap<B256, Bytes>) -> Verdict {
        let env = Env::of(&self.config, &self.signed.header);
        match verify_row(&env, &self.manifest, index as usize, &task, |hash| codes.get(hash).cloned()) {
            Ok(_) => Verdict::Valid,
            Err(Refusal::NotCommitted(reason)) => reason.into(),
            Err(Refusal::Fault(fault)) => {
                let codes = listed_codes(&task.body, &codes);
                self.fault(&Fault::Row { index, fault }, Claim::Row { index, task, codes })
            }
        }
    }
}

#[wasm_bindgen]
impl Block {
    /// How the check of header and manifest ended.
    ///
    /// # Errors
    /// None in practice.
    #[wasm_bindgen(getter, unchecked_return_type = "Verdict")]
    pub fn verdict(&self) -> Result<JsValue, Failure> {
        to_js(&self.verdict)
    }

    /// What the header says.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if a number is above 2^53.
    #[wasm_bindgen(getter, unchecked_return_type = "BlockInfo")]
    pub fn info(&self) -> Result<JsValue, Failure> {
        let header = &self.signed.header;
        to_js(&BlockInfo {
            height: header.height,
            term: header.term,
            hash: self.hash,
            parent: header.parent,
            time_ms: header.time_ms,
            state_root: header.state_root,
            gas_used: header.gas_used,
            base_fee: header.base_fee,
            rows: self.manifest.rows.len() as u32,
            columns: self.manifest.columns.len() as u32,
            transactions: self.manifest.rows.iter().fold(0, |sum: u32, row| sum.saturating_add(row.tx_count)),
        })
    }

    /// The encoded header, to open the next block with.
    #[wasm_bindgen(getter)]
    pub fn header(&self) -> Vec<u8> {
        wire::encode(&self.signed.header)
    }

    /// The encoded header with the sequencer's signature.
    #[wasm_bindgen(getter, js_name = signedHeader)]
    pub fn signed_header(&self) -> Vec<u8> {
        wire::encode(&self.signed)
    }

    /// The tasks: rows, then columns.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if a number is above 2^53.
    #[wasm_bindgen(unchecked_return_type = "TaskInfo[]")]
    pub fn tasks(&self) -> Result<JsValue, Failure> {
        let rows = self.manifest.rows.len() as u32;
        let of_rows = (0..).zip(&self.manifest.rows).map(|(index, row)| TaskInfo::of_row(index, row));
        let of_columns =
            (0..).zip(&self.manifest.columns).map(|(index, column)| TaskInfo::of_column(rows, index, column));
        to_js(&of_rows.chain(of_columns).collect::<Vec<_>>())
    }

    /// The tasks' numbers in the order in which the verifier with this address takes them: ascending by
    /// `keccak256(address ‖ height ‖ task)`, 8 and 4 bytes big-endian, so that verifiers begin in different places.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `verifier` is not an address.
    #[wasm_bindgen(js_name = taskOrder)]
    pub fn task_order(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] verifier: &str,
    ) -> Result<Vec<u32>, Failure> {
        let verifier: Address = verifier.parse().map_err(|_| Failure::NotHex("the verifier's address"))?;
        let start = Preimage::new().address(&verifier).u64(self.signed.header.height);
        let mut order: Vec<u32> = (0..self.manifest.task_count()).collect();
        order.sort_by_cached_key(|task| start.clone().u32(*task).hash());
        Ok(order)
    }

    /// The hashes of the code that a row asks for; none if `task` is not what the block commits to, which
    /// [`Self::check_row`] then says.
    ///
    /// # Errors
    /// `MALFORMED`.
    #[wasm_bindgen(js_name = rowCodes, unchecked_return_type = "Hex[]")]
    pub fn row_codes(&self, index: u32, task: &[u8]) -> Result<Vec<String>, Failure> {
        let task = decode_task(task)?;
        let committed =
            self.manifest.rows.get(index as usize).is_some_and(|row| row.body_hash == wire::body_hash(&task.body));
        if !committed {
            return Ok(Vec::new());
        }
        Ok(code_hashes(&task.body).map(|hash| hash.to_string()).collect())
    }

    /// Checks a row, given its encoded task and the code that it asks for, in any order.
    ///
    /// # Errors
    /// `MALFORMED` if `task` is not an encoded task, which says nothing about the block.
    #[wasm_bindgen(js_name = checkRow, unchecked_return_type = "Verdict")]
    pub fn check_row(&self, index: u32, task: &[u8], codes: Vec<Uint8Array>) -> Result<JsValue, Failure> {
        let task = decode_task(task)?;
        let codes = codes.iter().map(|code| Bytes::from(code.to_vec()));
        to_js(&self.row(index, task, codes.map(|code| (keccak256(&code), code)).collect()))
    }

    /// Checks a column, given its encoded body.
    ///
    /// # Errors
    /// None in practice.
    #[wasm_bindgen(js_name = checkColumn, unchecked_return_type = "Verdict")]
    pub fn check_column(&self, index: u32, body: &[u8]) -> Result<JsValue, Failure> {
        let env = Env::of(&self.config, &self.signed.header);
        to_js(&match verify_column(&env, &self.manifest, index as usize, body) {
            Ok(_) => Verdict::Valid,
            Err(Refusal::NotCommitted(reason)) => reason.into(),
            Err(Refusal::Fault(fault)) => {
                let claim = Claim::Column { index, body: Bytes::copy_from_slice(body) };
                self.fault(&Fault::Column { index, fault }, claim)
            }
        })
    }
}

fn decode_task(bytes: &[u8]) -> Result<RowTask, Failure> {
    decode("row task", bytes, ROW_TASK_BYTES)
}

/// The hashes of the code that a body lists; none if it is no body, which its check will say.
fn code_hashes(body: &[u8]) -> impl Iterator<Item = B256> {
    let body: RowBody = wire::decode(body, limits::ROW_BODY_BYTES_ANY).unwrap_or_default();
    body.codes.into_iter().take(limits::ROW_CODES).map(|code| code.hash)
}

/// Those of `codes` that the body lists: evidence carries no more than its check asks for.
fn listed_codes(body: &[u8], codes: &BTreeMap<B256, Bytes>) -> Vec<Bytes> {
    code_hashes(body).filter_map(|hash| codes.get(&hash).cloned()).collect()
}
