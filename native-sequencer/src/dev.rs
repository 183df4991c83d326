//! Development chains: the accounts of the well-known test mnemonic, and everything else that such a chain needs.
//!
//! All keys here are public knowledge. They are derived, not random, so that a page or a script can derive them too.

use crate::{
    clock::now_ms,
    genesis_file::{AccountEntry, BaseFee, GenesisFile, Verifier},
};
use alloy_primitives::{Address, B256, U256};
use alloy_signer_local::{LocalSignerError, MnemonicBuilder, coins_bip39::English};
use ocelli_core::signature::{SecretKey, SignatureError};
use std::{collections::BTreeMap, fmt::Write};

/// The mnemonic that every Ethereum development node uses.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// The chain id of development chains.
pub const CHAIN_ID: u64 = 31_337;
/// Funded accounts.
pub const ACCOUNTS: u32 = 10;
/// Ether in each of them.
pub const ETHER: u64 = 10_000;

/// A key of the mnemonic cannot be derived. Cannot happen: the mnemonic and the paths are fixed.
#[derive(Debug, thiserror::Error)]
pub enum DevKeyError {
    /// The derivation failed.
    #[error(transparent)]
    Derivation(#[from] LocalSignerError),
    /// What came out is no key.
    #[error("not a key: {0}")]
    Key(SignatureError),
}

/// What keys of the mnemonic are for: the account in the derivation path m/44'/60'/account'/0/index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Funded accounts.
    Account,
    /// Registered verifiers.
    Verifier,
    /// The sequencer (index 0), the tip account (1) and the verifiers' pool (2).
    Sequencer,
}

/// The key for `purpose` with this index.
///
/// # Errors
/// [`DevKeyError`]; cannot happen with the mnemonic above.
pub fn key(purpose: Purpose, index: u32) -> Result<SecretKey, DevKeyError> {
    SecretKey::from_bytes(&secret(purpose, index)?.0).map_err(DevKeyError::Key)
}

fn secret(purpose: Purpose, index: u32) -> Result<B256, DevKeyError> {
    let account = match purpose {
        Purpose::Account => 0,
        Purpose::Verifier => 1,
        Purpose::Sequencer => 2,
    };
    let signer = MnemonicBuilder::<English>::default()
        .phrase(MNEMONIC)
        .derivation_path(format!("m/44'/60'/{account}'/0/{index}"))?
        .build()?;
    Ok(signer.to_bytes())
}

/// The genesis of a development chain that begins now and has this many verifiers of equal weight.
///
/// # Errors
/// [`DevKeyError`]; cannot happen with the mnemonic above.
pub fn genesis(verifiers: u32) -> Result<GenesisFile, DevKeyError> {
    let address = |purpose, index| key(purpose, index).map(|key| key.address());
    let mut accounts = BTreeMap::new();
    for index in 0..ACCOUNTS {
        let balance = U256::from(ETHER) * U256::from(10).pow(U256::from(18));
        accounts.insert(address(Purpose::Account, index)?, AccountEntry { balance, ..AccountEntry::default() });
    }
    let owners: Vec<Address> =
        (0..verifiers).map(|index| address(Purpose::Verifier, index)).collect::<Result<_, _>>()?;
    Ok(GenesisFile {
        chain_id: CHAIN_ID,
        time_ms: now_ms(),
        gas_limit: 500_000_000,
        base_fee: BaseFee { initial: 1_000_000_000, minimum: 1_000_000, target_gas_per_second: 2_500_000_000 },
        sequencer: address(Purpose::Sequencer, 0)?,
        tips: address(Purpose::Sequencer, 1)?,
        pool: address(Purpose::Sequencer, 2)?,
        epoch_blocks: 6_000,
        redundancy: 1,
        verifiers: owners.into_iter().map(|owner| Verifier { owner, weight: 1 }).collect(),
        accounts,
    })
}

/// What a development node prints when it starts: accounts and keys, as other development nodes print them.
///
/// # Errors
/// [`DevKeyError`]; cannot happen with the mnemonic above.
pub fn banner() -> Result<String, DevKeyError> {
    let mut text = String::from("\nAvailable Accounts\n==================\n\n");
    let mut keys = String::from("\nPrivate Keys\n==================\n\n");
    for index in 0..ACCOUNTS {
        let secret = secret(Purpose::Account, index)?;
        let address = key(Purpose::Account, index)?.address();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "({index}) {address} ({ETHER}.000000000000000000 ETH)");
        let _ = writeln!(keys, "({index}) {secret}");
    }
    let _ = write!(
        keys,
        "\nWallet\n==================\nMnemonic:          {MNEMONIC}\nDerivation path:   m/44'/60'/0'/0/\n\n\
         These keys are public. Never send real funds to them.\n"
    );
    Ok(text + &keys)
}
