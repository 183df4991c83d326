//! Random programs: a few contracts of random bytecode, and transactions that call, create, pay and delegate at random.
//!
//! Everything is small, so that transactions meet: few wallets, few contracts, few slots. Contracts call each other, read keys
//! that others decide (a slot whose number stands in a slot), fail in every way, create and destroy.

use crate::{
    bytecode::{Code, op},
    chain::{TestChain, params},
    wallet::{CHAIN_ID, MAX_FEE, TIP, Wallet},
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use ocelli_core::{
    evm::Env,
    genesis::GenesisAccount,
    key::Key,
    params::{Params, TaskLimits},
    row::{RowBuilder, execute_opening},
    transaction::Recovered,
    tree::Tree,
    value::Value,
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::BTreeMap;

/// Wallets that send.
pub const WALLETS: u64 = 5;
/// Contracts that genesis has.
pub const CONTRACTS: u8 = 5;
/// Slots of each contract that programs know of.
const SLOTS: u64 = 4;
/// What calldata begins with, before whom it names.
const SELECTOR: [u8; 4] = *b"name";
/// What a contract passes on to whom it calls: enough for a few steps, and not for long loops of calls.
const PASSED_ON: u64 = 40_000;

/// Somebody that a program knows of.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// A wallet.
    Wallet(u64),
    /// A contract of genesis.
    Contract(u8),
    /// An address at which nothing ever was.
    Nobody(u8),
    /// A precompile.
    Precompile(u8),
}

impl Target {
    /// Its address.
    pub fn address(self) -> Address {
        match self {
            Self::Wallet(seed) => Wallet::new(seed).address(),
            Self::Contract(number) => contract(number),
            Self::Nobody(number) => Address::repeat_byte(0xe0 + number),
            Self::Precompile(number) => Address::with_last_byte(number),
        }
    }
}

/// The address of a contract of genesis.
pub fn contract(number: u8) -> Address {
    Address::repeat_byte(0xc0 + number)
}

/// One step of a contract.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads a slot.
    Load(u64),
    /// Writes a slot.
    Store(u64, u64),
    /// Adds to a slot: what everyone does to a counter.
    Add(u64, u64),
    /// Adds to the slot whose number stands in a slot.
    AddAt(u64),
    /// Adds to the slot that is the caller's.
    AddForCaller,
    /// Adds to an entry of a mapping, by Solidity's layout.
    AddToEntry(Entry),
    /// Writes and reads transient storage.
    Transient(u64),
    /// Calls somebody, by this instruction, with this value.
    Call(u8, Target, u64),
    /// Calls whom calldata names.
    CallGiven,
    /// Creates a contract that writes, or one that destroys itself, with this value, at the address of this salt.
    Create(Child, u64, Option<u64>),
    /// Reads somebody's balance, size, hash or code.
    Look(u8, Target),
    /// Reads what the block offers: an instruction that pushes.
    Block(u8),
    /// Reads the hash of a block so far back.
    BlockHash(u64),
    /// Logs.
    Log,
    /// Destroys itself in somebody's favour, which since EIP-6780 is a payment.
    Destroy(Target),
    /// Reverts.
    Revert,
    /// Stops at an invalid instruction.
    Break,
}

/// An entry of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Where the mapping is.
    pub place: u64,
    /// Its key.
    pub key: EntryKey,
    /// The key in the mapping that stands there, if one does.
    pub inner_key: Option<EntryKey>,
}

/// The key of an entry.
#[derive(Clone, Copy, Debug)]
pub enum EntryKey {
    /// The caller.
    Caller,
    /// Whom calldata names.
    Given,
}

impl EntryKey {
    fn push_to(self, code: Code) -> Code {
        match self {
            Self::Caller => code.op(op::CALLER),
            Self::Given => code.calldata(SELECTOR.len() as u64),
        }
    }
}

impl Entry {
    /// Pushes the number of its slot.
    fn push_to(self, code: Code) -> Code {
        let hash = |code: Code| code.number(64).number(0).op(op::KECCAK256);
        let of = |code, key: EntryKey| hash(key.push_to(code).number(0).op(op::MSTORE));
        let outer = of(code.number(self.place).number(32).op(op::MSTORE), self.key);
        match self.inner_key {
            Some(key) => of(outer.number(32).op(op::MSTORE), key),
            None => outer,
        }
    }
}

/// A contract that a program creates.
#[derive(Clone, Copy, Debug)]
pub enum Child {
    /// Writes two slots without reading them and leaves code.
    Lasting,
    /// Is gone when the transaction ends; what it was paid goes to its maker.
    ShortLived,
    /// Is gone, and what it was paid with it.
    Burning,
    /// Fails.
    Failing,
}

impl Child {
    fn initcode(self) -> Vec<u8> {
        match self {
            Self::Lasting => {
                Code::new().number(7).store(0).number(9).store(1).number(1).number(0).op(op::RETURN).bytes()
            }
            Self::ShortLived => Code::new().number(3).store(2).op(op::CALLER).op(op::SELFDESTRUCT).bytes(),
            Self::Burning => vec![0x30, op::SELFDESTRUCT],
            Self::Failing => Code::new().number(3).store(2).op(op::INVALID).bytes(),
        }
    }
}

impl Step {
    fn append_to(&self, code: Code) -> Code {
        match self {
            Self::Load(slot) => code.load(*slot).op(op::POP),
            Self::Store(slot, word) => code.number(*word).store(*slot),
            Self::Add(slot, number) => code.load(*slot).number(*number).op(op::ADD).store(*slot),
            Self::AddAt(slot) => {
                let code = code.load(*slot).op(op::SLOAD).number(1).op(op::ADD);
                code.load(*slot).op(op::SSTORE)
            }
            Self::AddForCaller => code.op(op::CALLER).op(op::SLOAD).number(1).op(op::ADD).op(op::CALLER).op(op::SSTORE),
            Self::AddToEntry(entry) => {
                let code = entry.push_to(code).op(op::DUP1).op(op::SLOAD).number(1).op(op::ADD);
                code.op(op::SWAP1).op(op::SSTORE)
            }
            Self::Transient(slot) => {
                let code = code.number(5).number(*slot).op(op::TSTORE).number(*slot).op(op::TLOAD);
                code.store(*slot)
            }
            Self::Call(call, to, value) => code.call(*call, to.address(), *value, 32, PASSED_ON).op(op::POP),
            Self::CallGiven => code.call_given(SELECTOR.len() as u64, PASSED_ON).op(op::POP),
            Self::Create(child, value, salt) => code.create(&child.initcode(), *value, *salt).op(op::POP),
            Self::Look(look, at) if *look == op::EXTCODECOPY => {
                code.number(8).number(0).number(0).address(at.address()).op(*look)
            }
            Self::Look(look, at) => code.address(at.address()).op(*look).op(op::POP),
            Self::Block(read) => code.op(*read).store(3),
            Self::BlockHash(back) => {
                // SUB takes what is on top from what is below: NUMBER - back.
                code.number(*back).op(op::NUMBER).op(0x03).op(op::BLOCKHASH).store(2)
            }
            Self::Log => code.number(32).number(0).op(op::LOG0),
            Self::Destroy(to) => code.address(to.address()).op(op::SELFDESTRUCT),
            Self::Revert => code.number(0).number(0).op(op::REVERT),
            Self::Break => code.op(op::INVALID),
        }
    }
}

/// One transaction of a program.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Pays somebody.
    Pay(u64, Target, u64),
    /// Calls a contract with a value, naming somebody in calldata, with so much gas; `true` with an access list.
    Call(u64, u8, u64, Target, u64, bool),
    /// Creates a contract.
    Create(u64, Child, u64),
    /// The first pays for the second's delegation to a contract (EIP-7702).
    Delegate(u64, u64, u8),
}

/// Contracts and transactions.
#[derive(Clone, Debug)]
pub struct Program {
    /// The steps of each contract.
    pub contracts: Vec<Vec<Step>>,
    /// What the contracts' first slots hold at genesis.
    pub slots: Vec<u64>,
    /// The transactions.
    pub deeds: Vec<Deed>,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        4 => (0..WALLETS).prop_map(Target::Wallet),
        4 => (0..CONTRACTS).prop_map(Target::Contract),
        2 => (0_u8..3).prop_map(Target::Nobody),
        1 => select(vec![1_u8, 2, 4, 6, 9]).prop_map(Target::Precompile),
    ]
}

fn child() -> impl Strategy<Value = Child> {
    select(vec![Child::Lasting, Child::Lasting, Child::ShortLived, Child::Burning, Child::Failing])
}

fn step() -> impl Strategy<Value = Step> {
    let looks = vec![op::BALANCE, op::EXTCODESIZE, op::EXTCODEHASH, op::EXTCODECOPY];
    let reads = vec![op::COINBASE, op::TIMESTAMP, op::NUMBER, op::PREVRANDAO, op::SELFBALANCE, op::BASEFEE, op::ORIGIN];
    let calls = vec![op::CALL, op::CALL, op::DELEGATECALL, op::STATICCALL];
    let key = || select(vec![EntryKey::Caller, EntryKey::Given]);
    prop_oneof![
        2 => (0..SLOTS).prop_map(Step::Load),
        3 => (0..SLOTS, 0_u64..4).prop_map(|(slot, word)| Step::Store(slot, word)),
        3 => (0..SLOTS, 1_u64..4).prop_map(|(slot, number)| Step::Add(slot, number)),
        3 => (0..SLOTS).prop_map(Step::AddAt),
        3 => Just(Step::AddForCaller),
        3 => (0..SLOTS, key(), prop::option::of(key())).prop_map(|(place, key, inner_key)| {
            Step::AddToEntry(Entry { place, key, inner_key })
        }),
        1 => (0..SLOTS).prop_map(Step::Transient),
        3 => (select(calls), target(), 0_u64..3).prop_map(|(call, to, value)| Step::Call(call, to, value)),
        2 => Just(Step::CallGiven),
        2 => (child(), 0_u64..3, prop::option::of(0_u64..2)).prop_map(|(child, value, salt)| Step::Create(child, value, salt)),
        2 => (select(looks), target()).prop_map(|(look, at)| Step::Look(look, at)),
        1 => select(reads).prop_map(Step::Block),
        1 => (0_u64..4).prop_map(Step::BlockHash),
        2 => Just(Step::Log),
        1 => target().prop_map(Step::Destroy),
        1 => Just(Step::Revert),
        1 => Just(Step::Break),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let gas = select(vec![30_000_u64, 60_000, 300_000, 300_000, 300_000]);
    let call = (0..WALLETS, 0..CONTRACTS, 0_u64..3, target(), gas, any::<bool>());
    prop_oneof![
        3 => (0..WALLETS, target(), 0_u64..1_000).prop_map(|(from, to, wei)| Deed::Pay(from, to, wei)),
        8 => call.prop_map(|(from, to, value, named, gas, list)| Deed::Call(from, to, value, named, gas, list)),
        1 => (0..WALLETS, child(), 0_u64..3).prop_map(|(from, child, value)| Deed::Create(from, child, value)),
        1 => (0..WALLETS, 0..WALLETS, 0..CONTRACTS).prop_map(|(from, whose, to)| Deed::Delegate(from, whose, to)),
    ]
}

/// Programs of at most `deeds` transactions.
pub fn programs(deeds: usize) -> impl Strategy<Value = Program> {
    let contracts = vec(vec(step(), 1..6), usize::from(CONTRACTS));
    let slots = vec(0_u64..4, 2 * usize::from(CONTRACTS));
    (contracts, slots, vec(deed(), 1..=deeds)).prop_map(|(contracts, slots, deeds)| Program { contracts, slots, deeds })
}

impl Program {
    /// The accounts that it begins with: rich wallets, and contracts with some ether.
    pub fn accounts(&self) -> BTreeMap<Address, GenesisAccount> {
        let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(20)), ..GenesisAccount::default() };
        let wallets = (0..WALLETS).map(|seed| (Wallet::new(seed).address(), rich.clone()));
        let contracts = self.contracts.iter().zip(self.slots.chunks(2)).enumerate().map(|(at, (steps, slots))| {
            let code = steps.iter().fold(Code::new(), |code, step| step.append_to(code));
            let slots = (0_u64..).zip(slots).map(|(slot, word)| (U256::from(slot), U256::from(*word)));
            let account = GenesisAccount {
                nonce: 1,
                balance: U256::from(100),
                code: code.bytes().into(),
                slots: slots.collect(),
            };
            (contract(at as u8), account)
        });
        wallets.chain(contracts).collect()
    }

    /// A chain of those accounts whose columns hold at most `column_accesses` accesses.
    pub fn chain(&self, column_accesses: u32) -> TestChain {
        TestChain::with_accounts(&self.accounts(), |sequencer| Params {
            limits: TaskLimits { column_accesses, ..TaskLimits::default() },
            ..params(sequencer)
        })
    }

    /// Its transactions, signed in order. Nonces count on all before being included, which delegations may belie.
    pub fn transactions(&self) -> Vec<Recovered> {
        let mut wallets: Vec<Wallet> = (0..WALLETS).map(Wallet::new).collect();
        self.deeds.iter().map(|deed| deed.sign(&mut wallets)).collect()
    }

    /// Whether some of its ether may be burnt.
    pub fn may_burn(&self) -> bool {
        let steps = || self.contracts.iter().flatten();
        let burning = |child: &Child| matches!(child, Child::Burning);
        steps().any(|step| matches!(step, Step::Create(child, ..) if burning(child)))
            || self.deeds.iter().any(|deed| matches!(deed, Deed::Create(_, child, _) if burning(child)))
    }
}

impl Deed {
    fn sign(&self, wallets: &mut [Wallet]) -> Recovered {
        match self {
            Self::Pay(from, to, wei) => {
                let wallet = &mut wallets[*from as usize];
                wallet.send(TxKind::Call(to.address()), U256::from(*wei), Bytes::new(), 100_000)
            }
            Self::Call(from, to, value, named, gas, list) => {
                let to = contract(*to);
                let keys = (0..SLOTS).map(|slot| B256::from(U256::from(slot))).collect();
                let listed = AccessList(vec![AccessListItem { address: to, storage_keys: keys }]);
                let wallet = &mut wallets[*from as usize];
                wallet.nonce += 1;
                wallet.sign(TxEip1559 {
                    chain_id: CHAIN_ID,
                    nonce: wallet.nonce - 1,
                    // An access list is paid for before anything runs.
                    gas_limit: *gas + if *list { 20_000 } else { 0 },
                    max_fee_per_gas: MAX_FEE,
                    max_priority_fee_per_gas: TIP,
                    to: TxKind::Call(to),
                    value: U256::from(*value),
                    access_list: if *list { listed } else { AccessList::default() },
                    input: [&SELECTOR[..], named.address().into_word().as_slice()].concat().into(),
                })
            }
            Self::Create(from, child, value) => {
                wallets[*from as usize].send(TxKind::Create, U256::from(*value), child.initcode().into(), 300_000)
            }
            Self::Delegate(from, whose, to) => {
                let mut authority = wallets[*whose as usize].clone();
                if from == whose {
                    // The sender's own nonce is counted up before its authorization is looked at.
                    authority.nonce += 1;
                }
                let transaction = wallets[*from as usize].delegate(&mut authority, contract(*to));
                wallets[*whose as usize].nonce = authority.nonce;
                transaction
            }
        }
    }
}

/// Those of `transactions` that are valid in the next block, executed in this order.
pub fn valid(chain: &TestChain, transactions: &[Recovered]) -> Vec<Recovered> {
    let env = Env::after(&chain.config, &chain.head, chain.head.time_ms + 100);
    let mut state = chain.state.clone();
    state.apply(&execute_opening(&env, &state).expect("a whole state"));
    let mut row = RowBuilder::new(&env, &state);
    transactions.iter().filter(|transaction| row.push(transaction).is_ok()).cloned().collect()
}

/// Cuts a list into rows: after each transaction at whose place `ends` says so, and at the end.
pub fn cut<'a>(transactions: &'a [Recovered], ends: &[bool]) -> Vec<&'a [Recovered]> {
    let mut rows = Vec::new();
    let mut from = 0;
    for at in 1..=transactions.len() {
        if at == transactions.len() || ends.get(at - 1).copied().unwrap_or_default() {
            rows.push(&transactions[from..at]);
            from = at;
        }
    }
    rows
}

/// What every key holds that holds anything, however often it was written. One row may empty what the row before filled, where
/// a row that does both writes nothing.
pub fn values(tree: &Tree) -> BTreeMap<Key, Value> {
    tree.iter().filter(|leaf| !leaf.value.is_absent()).map(|leaf| (leaf.key, leaf.value)).collect()
}

/// All ether there is, in wei.
pub fn ether(tree: &Tree) -> U256 {
    tree.iter().fold(U256::ZERO, |sum, leaf| match leaf.value {
        Value::Account(account) => sum + account.balance,
        Value::Slot(_) => sum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocelli_core::{manifest::RowKind, row::ExecutedRow};
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    #[test]
    fn they_do_everything_and_most_of_it_is_valid() {
        let mut runner = TestRunner::deterministic();
        let mut rows: Vec<ExecutedRow> = Vec::new();
        let (mut signed, mut valid_ones, mut delegated) = (0, 0, 0);
        for _ in 0..64 {
            let program = programs(12).new_tree(&mut runner).expect("a program").current();
            let mut chain = program.chain(8);
            let transactions = program.transactions();
            let valid = valid(&chain, &transactions);
            (signed, valid_ones) = (signed + transactions.len(), valid_ones + valid.len());
            delegated += valid.iter().filter(|transaction| transaction.kind() == 4).count();
            let block = chain.block(&[&valid]);
            rows.extend(block.rows.into_iter().filter(|row| row.kind == RowKind::User));
        }
        assert!(valid_ones * 10 > signed * 9, "{valid_ones} of {signed} are valid");
        assert!(delegated > 10, "{delegated} delegations");
        let receipts = || rows.iter().flat_map(|row| &row.receipts);
        let (succeeded, all) = (receipts().filter(|receipt| receipt.success).count(), receipts().count());
        assert!(succeeded * 3 > all && all * 10 > succeeded * 11, "{succeeded} of {all} succeed");
        assert!(receipts().map(|receipt| receipt.logs.len()).sum::<usize>() > 20);
        let made = |row: &ExecutedRow| row.effects.codes_made.iter().any(|(_, code)| code.len() == 1);
        assert!(rows.iter().filter(|row| made(row)).count() > 10, "contracts are created");
        let slots = rows
            .iter()
            .flat_map(|row| &row.effects.accesses)
            .filter(|access| matches!(access.key, Key::Slot(..)) && access.after.is_some());
        assert!(slots.count() > 200);
    }
}
