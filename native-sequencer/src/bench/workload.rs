//! What the measured transactions do, and the first state that they need.

use super::{
    BenchError,
    signers::{Signer, signers},
    token::{self, Token},
};
use crate::{
    dev,
    genesis_file::{AccountEntry, GenesisFile},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use rayon::prelude::*;

/// Most accounts that sign; the others only receive.
const SIGNERS: u32 = 1 << 16;
/// Where the token of [`Workload::Erc20`] is.
const TOKEN: Address = Address::repeat_byte(0x20);

/// What the measured transactions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Ether from a signer to any account.
    Transfers,
    /// OpenZeppelin's ERC-20, a token transfer from a signer to any account.
    Erc20,
}

impl Workload {
    /// Every one.
    pub const ALL: &[Self] = &[Self::Transfers, Self::Erc20];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Erc20 => "erc20",
        }
    }

    /// Gas that one of its transactions may use.
    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfers => 21_000,
            Self::Erc20 => 60_000,
        }
    }
}

/// A chain's accounts and the transactions that they send, always the same ones.
#[derive(Debug)]
pub struct World {
    workload: Workload,
    accounts: u32,
    signers: Vec<Signer>,
    sent: u64,
}

impl World {
    /// A world of `accounts` accounts, at least one.
    ///
    /// # Errors
    /// [`BenchError`]; cannot happen.
    pub fn new(workload: Workload, accounts: u32) -> Result<Self, BenchError> {
        let accounts = accounts.max(1);
        let signers = signers(accounts.min(SIGNERS) as usize)?;
        Ok(Self { workload, accounts, signers, sent: 0 })
    }

    /// The genesis of the world's chain, whose blocks hold `transactions` transactions.
    ///
    /// # Errors
    /// [`BenchError`]; cannot happen.
    pub fn genesis(&self, transactions: u32) -> Result<GenesisFile, BenchError> {
        let mut file = dev::genesis(1).map_err(|_| BenchError::Invalid("a fixed key is none"))?;
        file.gas_limit = file.gas_limit.max(u64::from(transactions) * self.workload.gas_limit() * 2);
        let rich = AccountEntry { balance: U256::from(u128::MAX), ..AccountEntry::default() };
        file.accounts.extend(self.addresses().map(|address| (address, rich.clone())));
        if self.workload == Workload::Erc20 {
            let mut token = Token::default();
            self.addresses().for_each(|holder| token.hold(holder));
            file.accounts.insert(TOKEN, token.account().map_err(|_| BenchError::Invalid("the token's code"))?);
        }
        Ok(file)
    }

    fn addresses(&self) -> impl Iterator<Item = Address> {
        (0..self.accounts).map(|index| self.address(index))
    }

    /// The address of account `index`: a signer's if there is one with this index.
    fn address(&self, index: u32) -> Address {
        let receiver =
            || Address::from_slice(&keccak256([b"receiver".as_slice(), &index.to_be_bytes()].concat())[12..]);
        self.signers.get(index as usize).map_or_else(receiver, |signer| signer.address)
    }

    /// The next `count` transactions, signed and encoded, each signer's nonces in order.
    pub fn transactions(&mut self, count: u32) -> Vec<Bytes> {
        let first = self.sent;
        self.sent += u64::from(count);
        (first..self.sent).into_par_iter().map(|number| self.transaction(number)).collect()
    }

    fn transaction(&self, number: u64) -> Bytes {
        let signers = self.signers.len() as u64;
        let (signer, nonce) = (&self.signers[(number % signers) as usize], number / signers);
        // An odd multiplier takes the counter through all 64-bit numbers; their high bits pick the account.
        let pick = (u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * u128::from(self.accounts)) >> 64;
        let receiver = self.address(pick as u32);
        let (to, value, input) = match self.workload {
            Workload::Transfers => (receiver, U256::from(number + 1), Bytes::new()),
            Workload::Erc20 => (TOKEN, U256::ZERO, token::transfer(receiver, number + 1)),
        };
        sign(signer, nonce, self.workload.gas_limit(), (to, value, input))
    }
}

/// A call as a wallet would send it, whatever the base fee.
fn sign(signer: &Signer, nonce: u64, gas_limit: u64, (to, value, input): (Address, U256, Bytes)) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: dev::CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: u128::from(u64::MAX),
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value,
        access_list: Default::default(),
        input,
    };
    let signature = signer.sign(&transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}
