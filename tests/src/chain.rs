//! A chain in a test, made by the core alone: rows executed one after the other, blocks assembled and signed.

use crate::wallet::{CHAIN_ID, Wallet};
use alloy_primitives::{Address, B256, Bytes, U256};
use ocelli_core::{
    access::Access,
    block::{AssembledBlock, assemble, verify_block},
    column::verify_column,
    evidence::{Claim, Evidence, Fault},
    evm::{Code, Env, Source, StateError, work::WorkTable},
    fees::BaseFeeRule,
    genesis::{ChainConfig, GenesisAccount, genesis_state},
    header::{Header, SignedHeader},
    key::Key,
    merkle::Frontier,
    params::{Fork, Params, REVM, TaskLimits},
    refusal::{NotCommitted, Refusal},
    row::{ExecutedRow, RowBuilder, RowTask, execute_closing, execute_opening, verify_row},
    signature::SecretKey,
    transaction::Recovered,
    tree::{Leaf, Tree},
    value::{Value, Version},
    verifiers::VerifierSet,
};
use std::{collections::BTreeMap, sync::Arc};

/// The state tree as a source, with the code that it refers to.
#[derive(Clone, Debug)]
pub struct State {
    /// The tree.
    pub tree: Tree,
    /// The code, by hash.
    pub codes: BTreeMap<B256, Bytes>,
}

impl State {
    /// Takes over what a row wrote and deployed.
    pub fn apply(&mut self, row: &ExecutedRow) {
        let mut writes: Vec<Leaf> = row.effects.accesses.iter().filter_map(written).collect();
        writes.sort_unstable_by_key(|leaf| leaf.path);
        self.tree.update(writes);
        self.codes.extend(row.effects.codes_made.iter().cloned());
    }
}

fn written(access: &Access) -> Option<Leaf> {
    access.after.map(|after| Leaf::new(access.key, access.version_after(), after))
}

impl Source for State {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let leaf = self.tree.get(&key.path());
        Ok(leaf.map_or((0, Value::absent(key)), |leaf| (leaf.version, leaf.value)))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).map(|bytes| Code::new_raw(bytes.clone())).ok_or(StateError::CodeNotListed(*hash))
    }
}

/// Parameters of a test chain whose headers `sequencer` signs.
pub fn params(sequencer: Address) -> Params {
    Params {
        chain_id: CHAIN_ID,
        fork: Fork::Osaka,
        revm: REVM,
        gas_limit: 500_000_000,
        base_fee: BaseFeeRule { initial: 1_000_000_000, minimum: 7, target_gas_per_second: 2_500_000_000 },
        limits: TaskLimits::default(),
        work: WorkTable::default(),
        sequencer,
        tips: Address::repeat_byte(0x71),
        pool: Address::repeat_byte(0x70),
        epoch_blocks: 4,
        redundancy: 1,
        verifiers: VerifierSet::default(),
    }
}

/// A chain and the state at its head.
#[derive(Clone, Debug)]
pub struct TestChain {
    /// What names the chain.
    pub config: ChainConfig,
    /// The key that signs headers.
    pub key: Arc<SecretKey>,
    /// The term of the blocks that it makes.
    pub term: u64,
    /// The last header.
    pub head: Header,
    /// The last header's log of ancestors.
    pub ancestors: Frontier,
    /// The state after it.
    pub state: State,
}

/// A block as a verifier gets it, with what it takes to make a lying twin of it.
#[derive(Clone, Debug)]
pub struct TestBlock {
    /// The configuration of its chain.
    pub config: ChainConfig,
    /// The key that signs headers.
    pub key: Arc<SecretKey>,
    /// The parent.
    pub parent: Header,
    /// The parent's log of ancestors.
    pub parent_ancestors: Frontier,
    /// The state before the block.
    pub before: State,
    /// The rows as they were executed.
    pub rows: Vec<ExecutedRow>,
    /// Header, manifest, bodies.
    pub assembled: AssembledBlock,
    /// The signed header.
    pub signed: SignedHeader,
    /// All code that the block's rows may ask for.
    pub codes: BTreeMap<B256, Bytes>,
}

impl TestChain {
    /// A chain whose genesis gives ten thousand ether to each of `wallets`.
    pub fn new<'a>(wallets: impl IntoIterator<Item = &'a Wallet>) -> Self {
        let rich =
            GenesisAccount { balance: U256::from(10_000) * U256::from(10).pow(U256::from(18)), ..Default::default() };
        let accounts = wallets.into_iter().map(|wallet| (wallet.address(), rich.clone())).collect();
        Self::with_accounts(&accounts, params)
    }

    /// A chain with these genesis accounts and parameters.
    pub fn with_accounts(accounts: &BTreeMap<Address, GenesisAccount>, params: impl FnOnce(Address) -> Params) -> Self {
        let key = Wallet::new(u64::MAX).key;
        let (tree, codes) = genesis_state(accounts).expect("valid genesis");
        let config = ChainConfig { params: params(key.address()), state_root: tree.root(), time_ms: 1_700_000_000_000 };
        let head = config.genesis_header();
        let state = State { tree, codes: codes.into_iter().collect() };
        Self { config, key, term: 0, head, ancestors: Frontier::default(), state }
    }

    /// Executes `rows` of transactions and makes the next block of them, a tenth of a second after the last.
    pub fn block(&mut self, rows: &[&[Recovered]]) -> TestBlock {
        let time_ms = self.head.time_ms + 100;
        let config = self.config.clone();
        let env = Env::after(&config, &self.head, time_ms);
        let before = self.state.clone();
        let rows = execute(&env, &mut self.state, rows);
        self.seal(before, rows, time_ms)
    }

    fn seal(&mut self, before: State, rows: Vec<ExecutedRow>, time_ms: u64) -> TestBlock {
        let (parent, parent_ancestors) = (self.head.clone(), self.ancestors.clone());
        let assembled = assemble(&self.config, &parent, &mut self.ancestors, (time_ms, self.term), &before.tree, &rows)
            .expect("splits into columns");
        assert_eq!(assembled.state.root(), self.state.tree.root());
        self.head = assembled.header.clone();
        let signed =
            SignedHeader { header: assembled.header.clone(), signature: self.key.sign(&assembled.header.hash()) };
        let codes = self.state.codes.clone();
        let (config, key) = (self.config.clone(), self.key.clone());
        TestBlock { config, key, parent, parent_ancestors, before, rows, assembled, signed, codes }
    }
}

/// Executes opening row, `rows` and closing row, one after the other, on `state`.
pub fn execute(env: &Env<'_>, state: &mut State, rows: &[&[Recovered]]) -> Vec<ExecutedRow> {
    let opening = execute_opening(env, &*state).expect("opens");
    state.apply(&opening);
    let mut executed = vec![opening];
    for transactions in rows {
        let mut builder = RowBuilder::new(env, &*state);
        for transaction in *transactions {
            builder.push(transaction).expect("valid");
        }
        let row = builder.finish();
        state.apply(&row);
        executed.push(row);
    }
    let sum = |of: fn(&ExecutedRow) -> U256| executed.iter().map(of).fold(U256::ZERO, |sum, of| sum + of);
    let (base_fees, tips) = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    let closing = execute_closing(env, &*state, base_fees, tips).expect("closes");
    state.apply(&closing);
    executed.push(closing);
    executed
}

impl TestBlock {
    /// The environment of the block.
    pub fn env(&self) -> Env<'_> {
        Env::of(&self.config, &self.signed.header)
    }

    /// Signs the header again, after it or what it commits to was changed.
    pub fn commit(&mut self) {
        let header = &mut self.assembled.header;
        header.manifest_root = self.assembled.manifest.root();
        self.sign();
    }

    /// Signs the header as it stands.
    pub fn sign(&mut self) {
        let header = self.assembled.header.clone();
        self.signed = SignedHeader { signature: self.key.sign(&header.hash()), header };
    }

    /// What travels to whoever checks row `index`.
    pub fn row_task(&self, index: usize) -> RowTask {
        self.assembled.row_task(index).expect("a row")
    }

    /// Checks the whole block as a verifier does; the first fault found, if any.
    ///
    /// # Errors
    /// [`NotCommitted`] if something given is not what the block commits to.
    pub fn check(&self) -> Result<Option<Fault>, NotCommitted> {
        let mut ancestors = self.parent_ancestors.clone();
        let manifest = &self.assembled.manifest;
        let block = verify_block(&self.config, &self.parent, &mut ancestors, &self.signed, manifest);
        if let Some(fault) = outcome(block, Fault::Block)? {
            return Ok(Some(fault));
        }
        for index in 0..manifest.rows.len() {
            let checked =
                verify_row(&self.env(), manifest, index, &self.row_task(index), |hash| self.codes.get(hash).cloned());
            if let Some(fault) = outcome(checked, |fault| Fault::Row { index: index as u32, fault })? {
                return Ok(Some(fault));
            }
        }
        for (index, body) in self.assembled.column_bodies.iter().enumerate() {
            let checked = verify_column(&self.env(), manifest, index, body);
            if let Some(fault) = outcome(checked, |fault| Fault::Column { index: index as u32, fault })? {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    /// Evidence with this claim.
    pub fn evidence(&self, claim: Claim) -> Evidence {
        Evidence { signed: self.signed.clone(), manifest: self.assembled.manifest.clone(), claim }
    }
}

fn outcome<T, F>(result: Result<T, Refusal<F>>, fault: impl FnOnce(F) -> Fault) -> Result<Option<Fault>, NotCommitted> {
    match result {
        Ok(_) => Ok(None),
        Err(Refusal::Fault(found)) => Ok(Some(fault(found))),
        Err(Refusal::NotCommitted(reason)) => Err(reason),
    }
}
