//! Chains of real blocks to store: transfers, a contract that stores and logs, deployments.

use crate::{
    block::{SealedBlock, StoredBlock},
    executor::ExecutedBlock,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use ocelli_core::{
    genesis::ChainConfig,
    header::Header,
    key::Key,
    merkle::{self, Frontier},
    transaction::Recovered,
    tree::{Leaf, Tree},
};
use ocelli_tests::{
    chain::{TestBlock, TestChain, params},
    wallet::Wallet,
};
use std::sync::OnceLock;

/// Blocks of the chain that tests share: enough that the snapshot has moved.
pub(super) const BLOCKS: usize = crate::limits::HISTORY_BLOCKS as usize + 40;

/// A chain that was made, with everything that a store of it has to give back.
pub(super) struct Made {
    pub(super) config: ChainConfig,
    pub(super) genesis: Tree,
    pub(super) codes: Vec<(B256, Bytes)>,
    /// Block 1 first.
    pub(super) blocks: Vec<SealedBlock>,
    /// What each block wrote.
    pub(super) writes: Vec<Vec<Leaf>>,
    /// The state after each block, genesis first.
    pub(super) states: Vec<Tree>,
}

impl Made {
    /// Each block with what it wrote, from the one at `from`, counted from zero.
    pub(super) fn from(&self, from: usize) -> impl Iterator<Item = (&SealedBlock, &[Leaf])> {
        self.blocks.iter().zip(self.writes.iter().map(Vec::as_slice)).skip(from)
    }

    /// Header and log of ancestors after `count` blocks.
    pub(super) fn head(&self, count: usize) -> (Header, Frontier) {
        let Some(last) = count.checked_sub(1).map(|at| &self.blocks[at]) else {
            return (self.config.genesis_header(), Frontier::default());
        };
        let mut ancestors = last.stored.parent_ancestors.clone();
        ancestors.append(merkle::leaf_hash(last.header().parent.as_slice()));
        (last.header().clone(), ancestors)
    }
}

/// The chain that tests share.
pub(super) fn blocks() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| make(BLOCKS, 0))
}

/// Makes `count` blocks; `salt` decides what is in them. Salts below 50 have genesis states of their own.
pub(super) fn make(count: usize, salt: u64) -> Made {
    let genesis_salt = if salt < 50 { salt } else { 0 };
    let mut wallets: Vec<Wallet> = (0..4).map(|at| Wallet::new(at + 100 * genesis_salt)).collect();
    let mut chain = TestChain::new(&wallets);
    let mut made = Made {
        config: chain.config.clone(),
        genesis: chain.state.tree.clone(),
        codes: chain.state.codes.clone().into_iter().collect(),
        blocks: Vec::new(),
        writes: Vec::new(),
        states: vec![chain.state.tree.clone()],
    };
    let mut contract = Address::ZERO;
    for height in 1..=count as u64 {
        let rows = rows(&mut wallets, height, salt, &mut contract);
        let (block, writes) = seal(&mut chain, &rows);
        made.blocks.push(block);
        made.writes.push(writes);
        made.states.push(chain.state.tree.clone());
    }
    made
}

/// Adds the first word of calldata to slot 0 and to the slot that it names, and logs it.
const RUNTIME: [u8; 21] = hex!("5f35 80 5f54 01 5f55 80 80 55 5f52 60aa 60205f a1 00 00");

fn rows(wallets: &mut [Wallet], height: u64, salt: u64, contract: &mut Address) -> Vec<Vec<Recovered>> {
    let to = Address::from_word(U256::from(height * 1_000 + salt).into());
    let mut first = vec![wallets[0].transfer(to, height + salt)];
    if height % 50 == 3 {
        let mut runtime = RUNTIME.to_vec();
        // Other code each time.
        runtime[20] = height as u8;
        let (deploy, address) = wallets[1].deploy(&runtime);
        first.push(deploy);
        *contract = address;
    }
    if height <= 3 || height.is_multiple_of(3) {
        return vec![first];
    }
    let input = U256::from(height % 17 + 1).to_be_bytes_vec();
    let call = wallets[2].send(TxKind::Call(*contract), U256::ZERO, input.into(), 200_000);
    vec![first, vec![call, wallets[3].transfer_legacy(to, 5)]]
}

/// Each of `count` blocks, as it is when it was just made and as it opens.
pub(super) fn made_and_opened(count: u64) -> Vec<(SealedBlock, SealedBlock)> {
    let mut wallets: Vec<Wallet> = (0..4).map(Wallet::new).collect();
    let mut chain = TestChain::new(&wallets);
    let mut contract = Address::ZERO;
    let mut seal = |height| {
        let rows = rows(&mut wallets, height, 0, &mut contract);
        let slices: Vec<&[Recovered]> = rows.iter().map(Vec::as_slice).collect();
        let TestBlock { signed, parent_ancestors, assembled, rows: executed, .. } = chain.block(&slices);
        let lengths = executed.iter().map(|row| row.transactions.len());
        let ends = lengths.scan(0, |end, length| {
            *end += length;
            Some(*end - length..*end)
        });
        let members = ends.map(Iterator::collect).collect();
        let executed = ExecutedBlock { rows: executed, members, ..ExecutedBlock::default() };
        let made = SealedBlock::made(signed, parent_ancestors, &assembled, executed, rows.concat());
        let made = made.expect("fits together");
        let opened = open(made.stored.clone(), &assembled.writes);
        (made, opened)
    };
    (1..=count).map(&mut seal).collect()
}

/// The next block of `chain`, as it is published, and what it wrote.
pub(crate) fn seal(chain: &mut TestChain, rows: &[Vec<Recovered>]) -> (SealedBlock, Vec<Leaf>) {
    let slices: Vec<&[Recovered]> = rows.iter().map(Vec::as_slice).collect();
    let block = chain.block(&slices);
    let mut senders: Vec<Vec<Address>> = rows.iter().map(|row| row.iter().map(Recovered::sender).collect()).collect();
    senders.insert(0, Vec::new());
    senders.push(Vec::new());
    let stored = StoredBlock::new(block.signed, block.parent_ancestors, &block.assembled, block.rows, &senders);
    let sealed = open(stored.expect("fits together"), &block.assembled.writes);
    assert!(sealed.set_column_bodies(block.assembled.column_bodies));
    (sealed, block.assembled.writes)
}

/// The block as it opens, which wrote these keys.
pub(super) fn open(stored: StoredBlock, writes: &[Leaf]) -> SealedBlock {
    let written: Vec<Key> = writes.iter().map(|leaf| leaf.key).collect();
    SealedBlock::open(stored, &written, &params(Address::ZERO)).expect("fits together")
}
