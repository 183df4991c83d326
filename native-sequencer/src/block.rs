//! Blocks as they are kept and served.

pub(crate) mod columns;

use crate::executor::ExecutedBlock;
use alloy_primitives::{Address, B256, Bytes, U256, map::AddressMap};
use columns::Columns;
use ocelli_core::{
    block::AssembledBlock,
    header::SignedHeader,
    key::Key,
    manifest::Manifest,
    merkle::Frontier,
    params::Params,
    receipt::Receipt,
    row::ExecutedRow,
    transaction::{Recovered, Transaction},
    tree::Leaf,
    value::{Account, Value, Version},
    wire::{self, WireError},
};
use serde::{Deserialize, Serialize};

/// What the log keeps of a block: all that its columns and whatever else is served of it follow from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlock {
    /// The signed header.
    pub signed: SignedHeader,
    /// The log of ancestors before this block's parent was appended to it.
    pub parent_ancestors: Frontier,
    /// Row headers and column headers.
    pub manifest: Manifest,
    /// The encoded body of each row.
    pub row_bodies: Vec<Bytes>,
    /// For each row, sender and receipt of each transaction. A sender's nonce rises, so it is one of the keys that the block
    /// wrote; it is named by its place among these, which is shorter than its address.
    pub results: Vec<Vec<(u32, Receipt)>>,
    /// The code that the block deployed.
    pub codes: Vec<(B256, Bytes)>,
}

/// About what an encoded block takes besides its bodies, results and code: manifest, header, ancestors.
const BYTES_WITHOUT_LISTS: usize = 1 << 14;

/// A leaf without its path, which follows from the key; what kind of value it has, the key's kind says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoredLeaf {
    /// Of an account.
    Account(#[serde(with = "wire::raw")] Address, Version, Account),
    /// Of a slot of an address: version and word.
    Slot(
        #[serde(with = "wire::raw")] Address,
        #[serde(with = "wire::compact")] U256,
        Version,
        #[serde(with = "wire::compact")] U256,
    ),
}

/// A leaf has a value of another kind than its key.
#[derive(Debug, thiserror::Error)]
#[error("a leaf has a value of another kind than its key: {0:?}")]
pub struct Unfit(Key);

impl TryFrom<&Leaf> for StoredLeaf {
    type Error = Unfit;

    fn try_from(leaf: &Leaf) -> Result<Self, Unfit> {
        match (leaf.key, leaf.value) {
            (Key::Account(address), Value::Account(account)) => Ok(Self::Account(address, leaf.version, account)),
            (Key::Slot(address, slot), Value::Slot(word)) => Ok(Self::Slot(address, slot, leaf.version, word)),
            (key, _) => Err(Unfit(key)),
        }
    }
}

impl StoredLeaf {
    /// The key.
    pub const fn key(&self) -> Key {
        match self {
            Self::Account(address, ..) => Key::Account(*address),
            Self::Slot(address, slot, ..) => Key::Slot(*address, *slot),
        }
    }

    /// Its version and what it holds.
    pub const fn held(&self) -> (Version, Value) {
        match *self {
            Self::Account(_, version, account) => (version, Value::Account(account)),
            Self::Slot(_, _, version, word) => (version, Value::Slot(word)),
        }
    }

    /// What is stored of each leaf, in order.
    ///
    /// # Errors
    /// [`Unfit`] if one of them has a value of another kind than its key.
    pub fn of_each(leaves: &[Leaf]) -> Result<Vec<Self>, Unfit> {
        let mut stored = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            stored.push(Self::try_from(leaf)?);
        }
        Ok(stored)
    }

    /// The leaves at their paths, in order.
    pub fn with_paths(stored: &[Self]) -> Vec<Leaf> {
        let keys: Vec<Key> = stored.iter().map(Self::key).collect();
        let leaf = |((path, key), stored): ((B256, Key), &Self)| {
            let (version, value) = stored.held();
            Leaf { path, key, version, value }
        };
        Key::paths(&keys).into_iter().zip(keys).zip(stored).map(leaf).collect()
    }
}

impl StoredBlock {
    /// The record of a block that was just made. `rows` are those that `assembled` was made of, `senders` those of their
    /// transactions.
    ///
    /// # Errors
    /// [`Damaged`] if a sender was not written.
    pub fn new(
        signed: SignedHeader,
        parent_ancestors: Frontier,
        assembled: &AssembledBlock,
        rows: Vec<ExecutedRow>,
        senders: &[Vec<Address>],
    ) -> Result<Self, Damaged> {
        let codes = rows.iter().flat_map(|row| row.effects.codes_made.iter().cloned()).collect();
        let receipts = rows.into_iter().map(|row| row.receipts);
        let results = results(&assembled.writes, senders, receipts).ok_or(Damaged(signed.header.height))?;
        Ok(Self {
            signed,
            parent_ancestors,
            manifest: assembled.manifest.clone(),
            row_bodies: assembled.row_bodies.clone(),
            results,
            codes,
        })
    }

    /// The bytes that the store keeps.
    pub fn encode(&self) -> Vec<u8> {
        let bodies = self.row_bodies.iter().map(|body| body.len() + 5).sum::<usize>();
        let logs = self.results.iter().flatten().flat_map(|(_, receipt)| &receipt.logs);
        let logs: usize = logs.map(|log| 40 + 32 * log.topics.len() + log.data.len()).sum();
        let results = logs + self.results.iter().map(|row| 40 * row.len()).sum::<usize>();
        let codes: usize = self.codes.iter().map(|(_, code)| 40 + code.len()).sum();
        wire::encode_about(self, BYTES_WITHOUT_LISTS + bodies + results + codes)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] if the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, crate::limits::STORED_BLOCK_BYTES)
    }
}

/// For each row, of each transaction the place of its sender among the keys that were written, and its receipt; `None` if a sender
/// is not among them.
pub(crate) fn results(
    written: &[Leaf],
    senders: &[Vec<Address>],
    receipts: impl IntoIterator<Item = Vec<Receipt>>,
) -> Option<Vec<Vec<(u32, Receipt)>>> {
    let accounts = written.iter().zip(0..).filter_map(|(leaf, place)| match leaf.key {
        Key::Account(address) => Some((address, place)),
        Key::Slot(..) => None,
    });
    let mut places = AddressMap::<u32>::with_capacity_and_hasher(written.len(), Default::default());
    places.extend(accounts);
    let of_row = |(senders, receipts): (&Vec<Address>, Vec<Receipt>)| {
        senders.iter().zip(receipts).map(|(sender, receipt)| Some((*places.get(sender)?, receipt))).collect()
    };
    senders.iter().zip(receipts).map(of_row).collect()
}

/// A transaction of a sealed block, with what its place in the row order gives it.
#[derive(Clone, Debug)]
pub struct SealedTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Its hash.
    pub hash: B256,
    /// Its sender.
    pub sender: Address,
    /// Its row, and its index in the row.
    pub place: (u32, u32),
    /// Gas used by the block up to and including it.
    pub cumulative_gas_used: u64,
    /// The index of its first log in the block.
    pub first_log: u64,
}

/// A block that is durable and published.
#[derive(Debug)]
pub struct SealedBlock {
    /// What is stored of it.
    pub stored: StoredBlock,
    /// The header's hash.
    pub hash: B256,
    /// The encoded manifest, as verifiers fetch it.
    pub manifest_bytes: Bytes,
    /// Its transactions, in row order.
    pub transactions: Vec<SealedTransaction>,
    /// What it takes in memory without its columns, about.
    bytes: usize,
    columns: Columns,
}

/// A stored block does not fit together; the store is damaged.
#[derive(Debug, thiserror::Error)]
#[error("block {0} in the store is damaged")]
pub struct Damaged(pub u64);

impl SealedBlock {
    /// The block, with everything derived from what is stored of it, the keys that it wrote, ascending by path, and the parameters
    /// at its height; but for its columns.
    ///
    /// # Errors
    /// [`Damaged`] if the record does not fit together.
    pub fn open(stored: StoredBlock, written: &[Key], params: &Params) -> Result<Self, Damaged> {
        let height = stored.signed.header.height;
        let transactions = decode_transactions(&stored, written, params).ok_or(Damaged(height))?;
        Self::new(stored, transactions, Columns::default())
    }

    /// The block that was just assembled of what was executed, `transactions` being the list that was: what [`Self::open`] gives
    /// for what is stored of it, without decoding and hashing it all again, and with its columns.
    ///
    /// # Errors
    /// [`Damaged`] if these are not parts of one block.
    pub fn made(
        signed: SignedHeader,
        parent_ancestors: Frontier,
        assembled: &AssembledBlock,
        executed: ExecutedBlock,
        transactions: Vec<Recovered>,
    ) -> Result<Self, Damaged> {
        let damaged = || Damaged(signed.header.height);
        let sender = |at: &usize| transactions.get(*at).map(Recovered::sender);
        let senders = executed.members.iter().map(|row| row.iter().map(sender).collect::<Option<Vec<Address>>>());
        let senders = senders.collect::<Option<Vec<_>>>().ok_or_else(damaged)?;
        let mut transactions: Vec<Option<Recovered>> = transactions.into_iter().map(Some).collect();
        // None is in two places.
        let sent = executed.members.iter().flatten().map_while(|at| transactions.get_mut(*at)?.take());
        let sent = sent.map(|one| {
            let sender = one.sender();
            (one.into_transaction(), sender)
        });
        let stored = StoredBlock::new(signed, parent_ancestors, assembled, executed.rows, &senders)?;
        Self::new(stored, sent, Columns::of(assembled))
    }

    /// `transactions` in row order, each with its sender.
    fn new(
        stored: StoredBlock,
        transactions: impl IntoIterator<Item = (Transaction, Address)>,
        columns: Columns,
    ) -> Result<Self, Damaged> {
        let hash = stored.signed.header.hash();
        let transactions = place(&stored, transactions).ok_or(Damaged(stored.signed.header.height))?;
        let (bytes, manifest_bytes) = (bytes(&stored), wire::encode(&stored.manifest).into());
        Ok(Self { hash, manifest_bytes, transactions, bytes, columns, stored })
    }

    /// The receipt of one of its transactions.
    pub fn receipt(&self, transaction: &SealedTransaction) -> Option<&Receipt> {
        let (row, index) = transaction.place;
        self.stored.results.get(row as usize)?.get(index as usize).map(|(_, receipt)| receipt)
    }

    /// The receipts of its transactions, in row order.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.stored.results.iter().flatten().map(|(_, receipt)| receipt)
    }

    /// The header.
    pub fn header(&self) -> &ocelli_core::header::Header {
        &self.stored.signed.header
    }
}

/// What a block takes in memory, about: row bodies, the transactions in them again, and receipts.
fn bytes(stored: &StoredBlock) -> usize {
    let rows: usize = stored.row_bodies.iter().map(|body| body.len()).sum();
    let logs = |(_, receipt): &(u32, Receipt)| -> usize {
        receipt.logs.iter().map(|log| 128 + 32 * log.topics.len() + log.data.len()).sum()
    };
    let receipts: usize = stored.results.iter().flatten().map(|result| 256 + logs(result)).sum();
    2 * rows + receipts
}

/// The transactions of all rows, in row order, each with its sender.
fn decode_transactions(stored: &StoredBlock, written: &[Key], params: &Params) -> Option<Vec<(Transaction, Address)>> {
    let mut transactions = Vec::new();
    for (body, results) in stored.row_bodies.iter().zip(&stored.results) {
        let body: ocelli_core::row::RowBody = wire::decode(body, ocelli_core::limits::ROW_BODY_BYTES_ANY).ok()?;
        if body.transactions.len() != results.len() {
            return None;
        }
        let decoded =
            Transaction::decode_many(body.transactions.iter().map(AsRef::as_ref), params.chain_id, params.fork);
        for (decoded, (sender, _)) in decoded.into_iter().zip(results) {
            let Key::Account(sender) = written.get(*sender as usize)? else { return None };
            transactions.push((decoded.ok()?, *sender));
        }
    }
    Some(transactions)
}

/// Each transaction with what its place gives it; `None` if there are not as many as results.
fn place(
    stored: &StoredBlock,
    transactions: impl IntoIterator<Item = (Transaction, Address)>,
) -> Option<Vec<SealedTransaction>> {
    let mut transactions = transactions.into_iter();
    let mut sealed = Vec::with_capacity(stored.results.iter().map(Vec::len).sum());
    let (mut cumulative_gas_used, mut first_log) = (0, 0);
    for (row, results) in stored.results.iter().enumerate() {
        for (index, (_, receipt)) in results.iter().enumerate() {
            let (transaction, sender) = transactions.next()?;
            cumulative_gas_used += receipt.gas_used;
            sealed.push(SealedTransaction {
                hash: transaction.hash(),
                transaction,
                sender,
                place: (row as u32, index as u32),
                cumulative_gas_used,
                first_log,
            });
            first_log += receipt.logs.len() as u64;
        }
    }
    transactions.next().is_none().then_some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;
    use ocelli_core::hash::keccak256;

    #[test]
    fn a_leaf_without_its_path_is_that_leaf_or_refused() {
        let (account, slot) =
            (Key::Account(Address::repeat_byte(1)), Key::Slot(Address::repeat_byte(2), U256::from(300)));
        let held = Account { nonce: 3, balance: U256::from(1) << 80, code_hash: B256::repeat_byte(9) };
        let fit = [(account, Value::Account(held)), (slot, Value::Slot(U256::MAX))]
            .map(|(key, value)| Leaf::new(key, 7, value));
        let stored = StoredLeaf::of_each(&fit).unwrap();
        let decoded: Vec<StoredLeaf> = wire::decode(&wire::encode(&stored), 1_000).unwrap();
        assert_eq!(StoredLeaf::with_paths(&decoded), fit);
        let pinned = b256!("0x1e24fbff226fea5f85b57dfe9ebd429a62a2524c1333f8df64307e834a7ecf83");
        assert_eq!(keccak256(wire::encode(&stored)), pinned, "another format of files");
        for unfit in [Leaf::new(account, 7, Value::Slot(U256::MAX)), Leaf::new(slot, 7, Value::Account(held))] {
            assert!(StoredLeaf::of_each(&[unfit]).is_err());
        }
    }
}
