//! State tests as they are written in JSON, as far as a runner needs it.

use alloy_primitives::{Address, B256, Bytes, U256};
use ocelli_core::params::Fork;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One state test: an environment, a state, and for each fork the outcomes of transactions on it.
#[derive(Clone, Debug, Deserialize)]
pub struct StateTest {
    /// The block that the transaction is in.
    pub env: Environment,
    /// The state before.
    pub pre: BTreeMap<Address, PreAccount>,
    /// What all transactions of the test have in common.
    pub transaction: Signer,
    /// By fork.
    pub post: BTreeMap<String, Vec<Post>>,
}

/// The block that a transaction is in.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// COINBASE.
    pub current_coinbase: Address,
    /// GASLIMIT.
    pub current_gas_limit: U256,
    /// NUMBER.
    pub current_number: U256,
    /// TIMESTAMP, in seconds.
    pub current_timestamp: U256,
    /// PREVRANDAO; tests of forks before the merge have none.
    #[serde(default)]
    pub current_random: B256,
    /// BASEFEE; tests of forks before London have none.
    #[serde(default)]
    pub current_base_fee: U256,
}

/// An account before the transaction.
#[derive(Clone, Debug, Deserialize)]
pub struct PreAccount {
    /// Nonce.
    pub nonce: U256,
    /// Balance in wei.
    pub balance: U256,
    /// Code; empty for none.
    pub code: Bytes,
    /// Storage, by slot.
    pub storage: BTreeMap<U256, U256>,
}

/// Who signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// The sender.
    pub sender: Address,
    /// The sender's key.
    pub secret_key: B256,
}

/// One transaction and what has to come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// The root of the state afterwards, Ethereum's.
    pub hash: B256,
    /// Keccak-256 of the RLP of the logs.
    pub logs: B256,
    /// The EIP-2718 bytes of the transaction.
    pub txbytes: Bytes,
    /// Which of the test's transactions it is.
    pub indexes: Indexes,
    /// Names of the reasons for which it may be refused, with `|` between them; none if it is valid.
    pub expect_exception: Option<String>,
}

/// Which of a test's calldata, gas limits and values a transaction has.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Indexes {
    data: usize,
    gas: usize,
    value: usize,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The test that it belongs to.
    pub test: &'a StateTest,
    /// The rules.
    pub fork: Fork,
    /// Transaction and outcome.
    pub post: &'a Post,
}

impl Case<'_> {
    /// The case's name within its test.
    pub fn name(&self) -> String {
        let Indexes { data, gas, value } = self.post.indexes;
        format!("{:?}/d{data}g{gas}v{value}", self.fork)
    }
}

impl StateTest {
    /// The tests in a file, by name.
    ///
    /// # Errors
    /// If `text` is not such a file.
    pub fn parse(text: &str) -> serde_json::Result<BTreeMap<String, Self>> {
        serde_json::from_str(text)
    }

    /// The cases of forks that rows can run under.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let of =
            |name, fork| self.post.get(name).into_iter().flatten().map(move |post| Case { test: self, fork, post });
        of("Cancun", Fork::Cancun).chain(of("Prague", Fork::Prague)).chain(of("Osaka", Fork::Osaka))
    }

    /// How many cases are of other forks, which came before.
    pub fn older_cases(&self) -> usize {
        self.post.values().map(Vec::len).sum::<usize>() - self.cases().count()
    }
}
