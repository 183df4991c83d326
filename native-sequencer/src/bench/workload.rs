//! What the measured transactions do, and the first state that they need.

use super::{
    BenchError,
    exchange::{Exchange, PAIRS, SETUP_GAS},
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
/// What an account has: ten thousand ether, as in development chains.
const BALANCE: u128 = 10_000 * 1_000_000_000_000_000_000;
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
    /// The same token as in `erc20`, to few accounts often and to many seldom (Zipf's law).
    Zipf,
    /// Swaps like those of `swaps`, all at one pair.
    HotPair,
    /// Of twenty, twelve of `transfers`, five of `zipf` and three of `swaps`.
    Mix,
}

impl Workload {
    /// Those that the whole pipeline is measured with.
    pub const PIPELINE: &[Self] = &[Self::Transfers, Self::Erc20, Self::Swaps];
    /// Those that the executor's use of cores is measured with: from independent to one lane.
    pub const EXECUTOR: &[Self] = &[Self::Transfers, Self::Zipf, Self::HotPair, Self::Mix];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Erc20 => "erc20",
            Self::Swaps => "swaps",
            Self::Zipf => "zipf",
            Self::HotPair => "hot_pair",
            Self::Mix => "mix",
        }
    }

    /// What transaction `number` does.
    const fn kind(self, number: u64) -> Kind {
        match (self, number % 20) {
            (Self::Transfers, _) | (Self::Mix, 0..12) => Kind::Transfer,
            (Self::Erc20, _) => Kind::Token { zipf: false },
            (Self::Zipf, _) | (Self::Mix, 12..17) => Kind::Token { zipf: true },
            (Self::Swaps | Self::HotPair | Self::Mix, _) => Kind::Swap,
        }
    }

    /// Pairs of the exchange that is needed.
    const fn pairs(self) -> Option<usize> {
        match self {
            Self::Swaps | Self::Mix => Some(PAIRS),
            Self::HotPair => Some(1),
            Self::Transfers | Self::Erc20 | Self::Zipf => None,
        }
    }

    /// The most gas that one of its transactions may use.
    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfers => Kind::Transfer.gas_limit(),
            Self::Erc20 | Self::Zipf => Kind::Token { zipf: false }.gas_limit(),
            Self::Swaps | Self::HotPair | Self::Mix => Kind::Swap.gas_limit(),
        }
    }
}

/// What one transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transfer,
    Token { zipf: bool },
    Swap,
}

impl Kind {
    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfer => 21_000,
            Self::Token { .. } => 60_000,
            Self::Swap => 250_000,
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
        let exchange = |pairs| Exchange::new(&setting.uniswap, pairs, deployer.address);
        let exchange = setting.workload.pairs().map(exchange).transpose()?;
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
        let rich = AccountEntry { balance: U256::from(BALANCE), ..AccountEntry::default() };
        file.accounts.extend(self.addresses().map(|address| (address, rich.clone())));
        file.accounts.insert(self.deployer.address, rich);
        for (address, token) in self.tokens() {
            file.accounts.insert(address, token.account().map_err(|_| BenchError::Invalid("the token's code"))?);
        }
        Ok(file)
    }

    fn tokens(&self) -> Vec<(Address, Token)> {
        let exchange = self.exchange.iter();
        let mut tokens: Vec<(Address, Token)> =
            exchange.flat_map(|exchange| exchange.tokens(self.signers.iter().map(|signer| signer.address))).collect();
        if matches!(self.workload, Workload::Erc20 | Workload::Zipf | Workload::Mix) {
            let mut token = Token::default();
            self.addresses().for_each(|holder| token.hold(holder));
            tokens.push((TOKEN, token));
        }
        tokens
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
        // An odd multiplier takes the counter through all 64-bit numbers.
        let picked = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let kind = self.workload.kind(number);
        let (to, value, input) = match (kind, &self.exchange) {
            (Kind::Token { zipf }, _) => {
                let receiver = if zipf { zipf_below(self.accounts, picked) } else { even_below(self.accounts, picked) };
                (TOKEN, U256::ZERO, token::transfer(self.address(receiver), number + 1))
            }
            (Kind::Swap, Some(exchange)) => {
                let input = exchange.swap(index, signer.address, 1_000_000 + number, nonce % 2 == 1);
                (exchange.router, U256::ZERO, input)
            }
            (Kind::Transfer | Kind::Swap, _) => {
                (self.address(even_below(self.accounts, picked)), U256::from(number + 1), Bytes::new())
            }
        };
        sign(signer, nonce, kind.gas_limit(), (TxKind::Call(to), value, input))
    }
}

/// A number below `end` that `picked` stands for, each as often as every other.
fn even_below(end: u32, picked: u64) -> u32 {
    ((u128::from(picked) * u128::from(end)) >> 64) as u32
}

/// A number below `end` that `picked` stands for, the n-th about 1/n as often as the first (Zipf's law with an exponent of 1).
fn zipf_below(end: u32, picked: u64) -> u32 {
    let part = picked as f64 / (u64::MAX as f64);
    let number = (part * f64::from(end).ln_1p()).exp() - 1.0;
    (number as u32).min(end.saturating_sub(1))
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
