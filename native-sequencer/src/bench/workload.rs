//! What the measured transactions do, and the first state that they need.

use super::{
    BenchError,
    exchange::{Exchange, SETUP_GAS},
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
use std::{ops::Range, path::PathBuf};

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
    /// Uniswap V2, a swap of a signer at one of 100 pairs.
    Swaps,
}

impl Workload {
    /// Every one.
    pub const ALL: &[Self] = &[Self::Transfers, Self::Erc20, Self::Swaps];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Erc20 => "erc20",
            Self::Swaps => "swaps",
        }
    }

    /// Gas that one of its transactions may use.
    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfers => 21_000,
            Self::Erc20 => 60_000,
            Self::Swaps => 250_000,
        }
    }
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What transactions do.
    pub workload: Workload,
    /// Accounts in the state, at least one.
    pub accounts: u32,
    /// The folder `@uniswap` of npm's packages, for [`Workload::Swaps`].
    pub uniswap: PathBuf,
}

impl Setting {
    /// A world in which nothing is needed of npm's packages.
    pub fn of(workload: Workload, accounts: u32) -> Self {
        Self { workload, accounts, uniswap: PathBuf::new() }
    }
}

/// A chain's accounts and the transactions that they send, always the same ones.
#[derive(Debug)]
pub struct World {
    workload: Workload,
    accounts: u32,
    signers: Vec<Signer>,
    /// Sets up the exchange, and is none of the signers.
    deployer: Signer,
    exchange: Option<Exchange>,
    sent: u64,
}

impl World {
    /// A world that nobody has sent a transaction in.
    ///
    /// # Errors
    /// [`BenchError::Contracts`] if the exchange's bytecode is not where it should be.
    pub fn new(setting: &Setting) -> Result<Self, BenchError> {
        let accounts = setting.accounts.max(1);
        let mut signers = signers(accounts.min(SIGNERS) as usize + 1)?;
        let deployer = signers.pop().ok_or(BenchError::Invalid("nobody sets it up"))?;
        let exchange = match setting.workload {
            Workload::Swaps => Some(Exchange::new(&setting.uniswap, deployer.address)?),
            Workload::Transfers | Workload::Erc20 => None,
        };
        Ok(Self { workload: setting.workload, accounts, signers, deployer, exchange, sent: 0 })
    }

    /// The genesis of the world's chain, whose blocks hold `transactions` transactions.
    ///
    /// # Errors
    /// [`BenchError`]; cannot happen.
    pub fn genesis(&self, transactions: u32) -> Result<GenesisFile, BenchError> {
        let mut file = dev::genesis(1).map_err(|_| BenchError::Invalid("a fixed key is none"))?;
        let setup = self.exchange.as_ref().map_or(0, |exchange| exchange.setup().len() as u64 * SETUP_GAS);
        file.gas_limit = file.gas_limit.max(u64::from(transactions) * self.workload.gas_limit() * 2).max(setup);
        let rich = AccountEntry { balance: U256::from(u128::MAX), ..AccountEntry::default() };
        file.accounts.extend(self.addresses().map(|address| (address, rich.clone())));
        file.accounts.insert(self.deployer.address, rich);
        for (address, token) in self.tokens() {
            file.accounts.insert(address, token.account().map_err(|_| BenchError::Invalid("the token's code"))?);
        }
        Ok(file)
    }

    fn tokens(&self) -> Vec<(Address, Token)> {
        match (self.workload, &self.exchange) {
            (Workload::Erc20, _) => {
                let mut token = Token::default();
                self.addresses().for_each(|holder| token.hold(holder));
                vec![(TOKEN, token)]
            }
            (_, Some(exchange)) => exchange.tokens(self.signers.iter().map(|signer| signer.address)),
            (_, None) => Vec::new(),
        }
    }

    /// The addresses of all accounts.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        (0..self.accounts).map(|index| self.address(index))
    }

    /// The address of account `index`: a signer's if there is one with this index.
    fn address(&self, index: u32) -> Address {
        let receiver =
            || Address::from_slice(&keccak256([b"receiver".as_slice(), &index.to_be_bytes()].concat())[12..]);
        self.signers.get(index as usize).map_or_else(receiver, |signer| signer.address)
    }

    /// What has to be done before the first transaction, in a block of its own; often nothing.
    pub fn setup(&self) -> Vec<Bytes> {
        let calls = self.exchange.iter().flat_map(Exchange::setup);
        calls
            .zip(0..)
            .map(|((to, input), nonce)| {
                let to = to.map_or(TxKind::Create, TxKind::Call);
                sign(&self.deployer, nonce, SETUP_GAS, (to, U256::ZERO, input))
            })
            .collect()
    }

    /// The next `count` transactions, signed and encoded, each signer's nonces in order.
    pub fn transactions(&mut self, count: u32) -> Vec<Bytes> {
        let first = self.sent;
        self.sent += u64::from(count);
        (first..self.sent).into_par_iter().map(|number| self.transaction(number)).collect()
    }

    /// Transfers by an account that none of the others comes from, with these nonces.
    pub fn lane(&self, nonces: Range<u64>) -> Vec<Bytes> {
        let transfer = |nonce| {
            let to = TxKind::Call(self.address(0));
            sign(&self.deployer, nonce, Workload::Transfers.gas_limit(), (to, U256::ONE, Bytes::new()))
        };
        nonces.into_par_iter().map(transfer).collect()
    }

    /// Has the last `count` transactions made again.
    pub fn take_back(&mut self, count: u32) {
        self.sent = self.sent.saturating_sub(u64::from(count));
    }

    fn transaction(&self, number: u64) -> Bytes {
        let signers = self.signers.len() as u64;
        let (index, nonce) = ((number % signers) as usize, number / signers);
        let signer = &self.signers[index];
        // An odd multiplier takes the counter through all 64-bit numbers; their high bits pick the account.
        let pick = (u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * u128::from(self.accounts)) >> 64;
        let (to, value, input) = match (self.workload, &self.exchange) {
            (Workload::Erc20, _) => (TOKEN, U256::ZERO, token::transfer(self.address(pick as u32), number + 1)),
            (_, Some(exchange)) => {
                let input = exchange.swap(index, signer.address, 1_000_000 + number, nonce % 2 == 1);
                (exchange.router, U256::ZERO, input)
            }
            (_, None) => (self.address(pick as u32), U256::from(number + 1), Bytes::new()),
        };
        sign(signer, nonce, self.workload.gas_limit(), (TxKind::Call(to), value, input))
    }
}

/// A transaction as a wallet would send it, whatever the base fee.
fn sign(signer: &Signer, nonce: u64, gas_limit: u64, (to, value, input): (TxKind, U256, Bytes)) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: dev::CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to,
        value,
        access_list: Default::default(),
        input,
    };
    let signature = signer.sign(&transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}
