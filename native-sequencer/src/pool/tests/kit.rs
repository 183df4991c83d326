//! A chain, its store and its pool in a folder, and transactions with chosen numbers.

use super::super::*;
use crate::{
    chain::Head,
    producer::Producer,
    store::{self, POOL_FILE, Store, tests::chain::seal},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{TxKind, U256};
use ocelli_core::{
    genesis::GenesisAccount,
    params::Params,
    tree::{Leaf, Tree},
};
use ocelli_tests::{
    chain::{TestChain, params},
    wallet::{CHAIN_ID, MAX_FEE, TIP, Wallet},
};
use std::{collections::BTreeMap, fs};
use tempfile::TempDir;

/// A node without servers and producer.
pub(crate) struct Node {
    // Closed in this order.
    pub(crate) pool: Arc<Pool>,
    store: Arc<Store>,
    pub(crate) chain: TestChain,
    genesis: (Tree, Vec<(B256, Bytes)>),
    dir: TempDir,
}

impl Node {
    /// A chain whose genesis gives ten thousand ether to each of the first `wallets`.
    pub(crate) fn new(wallets: u64) -> Self {
        Self::with_codes(wallets, &[])
    }

    pub(crate) fn with_params(wallets: u64, change: impl FnOnce(&mut Params)) -> Self {
        Self::make(wallets, &[], change)
    }

    pub(crate) fn with_codes(wallets: u64, codes: &[(Address, Vec<u8>)]) -> Self {
        Self::make(wallets, codes, |_| ())
    }

    fn make(wallets: u64, codes: &[(Address, Vec<u8>)], change: impl FnOnce(&mut Params)) -> Self {
        let balance = U256::from(10_000) * U256::from(10).pow(U256::from(18));
        let mut accounts: BTreeMap<Address, GenesisAccount> = (0..wallets)
            .map(|seed| (Wallet::new(seed).address(), GenesisAccount { balance, ..GenesisAccount::default() }))
            .collect();
        for (address, code) in codes {
            let account = accounts.entry(*address).or_default();
            (account.nonce, account.code) = (1, code.clone().into());
        }
        let chain = TestChain::with_accounts(&accounts, |sequencer| {
            let mut params = params(sequencer);
            change(&mut params);
            params
        });
        let genesis = (chain.state.tree.clone(), chain.state.codes.clone().into_iter().collect());
        let dir = tempfile::tempdir().expect("a folder");
        let (store, pool) = open(&dir, &chain, &genesis).expect("opens");
        Self { pool, store, chain, genesis, dir }
    }

    pub(crate) async fn submit(&self, transaction: &Recovered) -> Result<B256, Rejected> {
        self.pool.submit(transaction.encoded().clone()).await
    }

    /// Makes and publishes a block without a word to the pool.
    pub(crate) fn publish(&mut self, transactions: &[Recovered]) -> (Arc<SealedBlock>, Vec<Leaf>) {
        let (block, writes) = self.assemble(transactions);
        self.publish_made(&block, &writes);
        (block, writes)
    }

    /// Makes a block that nobody hears of.
    pub(crate) fn assemble(&mut self, transactions: &[Recovered]) -> (Arc<SealedBlock>, Vec<Leaf>) {
        let (block, writes) = seal(&mut self.chain, &[transactions.to_vec()]);
        (Arc::new(block), writes)
    }

    /// Publishes the block that was made last without a word to the pool.
    pub(crate) fn publish_made(&self, block: &Arc<SealedBlock>, writes: &[Leaf]) {
        self.append(block, writes);
        let (header, ancestors) = (self.chain.head.clone(), self.chain.ancestors.clone());
        let head = Head { hash: header.hash(), header, state: self.chain.state.tree.clone(), ancestors };
        self.pool.shared.chain.publish(block.clone(), head);
    }

    /// Appends a block to the store, and that is all.
    pub(crate) fn append(&self, block: &SealedBlock, writes: &[Leaf]) {
        self.store.append(block, writes).expect("appends");
    }

    pub(crate) fn published(&self) -> Arc<Head> {
        self.pool.shared.chain.head()
    }

    /// Makes, publishes and reports a block.
    pub(crate) fn seal(&mut self, transactions: &[Recovered]) {
        let (block, writes) = self.publish(transactions);
        self.pool.sealed(&block, &writes);
    }

    /// Makes blocks as long as something is ready; sender and nonce of what is in them, in order.
    pub(crate) fn produce(&mut self) -> Vec<(Address, u64)> {
        let mut producer = self.producer();
        let mut included = Vec::new();
        while let Some(block) = producer.make_block().expect("makes blocks") {
            included.extend(block.transactions.iter().map(|sealed| (sealed.sender, sealed.transaction.nonce())));
        }
        included
    }

    pub(crate) fn producer(&self) -> Producer {
        let (chain, store) = (self.pool.shared.chain.clone(), self.store.clone());
        Producer::new(chain, self.pool.clone(), store, self.chain.key.clone(), None).expect("the chain's key")
    }

    pub(crate) fn journal(&self) -> Vec<u8> {
        fs::read(self.dir.path().join(POOL_FILE)).expect("reads")
    }

    /// Ends everything and starts again from what is on disk.
    pub(crate) fn reopen(&mut self) {
        let journal = self.journal();
        self.reopen_with_journal(&journal);
    }

    pub(crate) fn reopen_with_journal(&mut self, journal: &[u8]) {
        self.try_reopen_with_journal(journal).expect("opens");
    }

    pub(crate) fn try_reopen_with_journal(&mut self, journal: &[u8]) -> Result<(), PoolError> {
        // What runs gives way to a stand-in, so that the folder is free.
        let aside = tempfile::tempdir().expect("a folder");
        let (store, pool) = open(&aside, &self.chain, &self.genesis)?;
        (self.pool, self.store) = (pool, store);
        fs::write(self.dir.path().join(POOL_FILE), journal).expect("writes");
        (self.store, self.pool) = open(&self.dir, &self.chain, &self.genesis)?;
        Ok(())
    }
}

fn open(
    dir: &TempDir,
    chain: &TestChain,
    genesis: &(Tree, Vec<(B256, Bytes)>),
) -> Result<(Arc<Store>, Arc<Pool>), PoolError> {
    let config = chain.config.clone();
    let (store, recovered) = Store::open(dir.path(), &config, &genesis.0, &genesis.1).expect("opens");
    let store = Arc::new(store);
    let store::Recovered { states, head, codes, certificate } = recovered;
    let chain = Arc::new(Chain::new(config, store.clone(), codes, head, states, certificate));
    Ok((store, Arc::new(Pool::open(dir.path(), chain)?)))
}

/// The numbers of a transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) nonce: u64,
    pub(crate) fee: u128,
    pub(crate) tip: u128,
    pub(crate) value: u64,
    pub(crate) gas: u64,
    pub(crate) chain: u64,
}

impl Default for Offer {
    fn default() -> Self {
        Self { nonce: 0, fee: MAX_FEE, tip: TIP, value: 1, gas: 21_000, chain: CHAIN_ID }
    }
}

fn transfer(offer: Offer) -> TxEip1559 {
    TxEip1559 {
        chain_id: offer.chain,
        nonce: offer.nonce,
        gas_limit: offer.gas,
        max_fee_per_gas: offer.fee,
        max_priority_fee_per_gas: offer.tip,
        to: TxKind::Call(Address::repeat_byte(0xaa)),
        value: U256::from(offer.value),
        ..TxEip1559::default()
    }
}

/// A transfer that decodes.
pub(crate) fn offer(wallet: &Wallet, offer: Offer) -> Recovered {
    wallet.sign(transfer(offer))
}

/// A transfer of any value.
pub(crate) fn send(wallet: &Wallet, nonce: u64, value: U256) -> Recovered {
    wallet.sign(TxEip1559 { value, ..transfer(Offer { nonce, ..Offer::default() }) })
}

/// A transfer that may not decode.
pub(crate) fn raw(wallet: &Wallet, offer: Offer) -> Bytes {
    sign_raw(wallet, transfer(offer))
}

/// A transaction from before EIP-155.
pub(crate) fn raw_legacy_without_chain(wallet: &Wallet) -> Bytes {
    let to = TxKind::Call(Address::ZERO);
    sign_raw(
        wallet,
        TxLegacy { chain_id: None, nonce: 2, gas_price: MAX_FEE, gas_limit: 21_000, to, ..Default::default() },
    )
}

fn sign_raw<T: SignableTransaction<alloy_primitives::Signature>>(wallet: &Wallet, transaction: T) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = wallet.key.sign(&transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed((&signature).into())).encoded_2718().into()
}
