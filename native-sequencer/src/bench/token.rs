//! The measured token: OpenZeppelin's ERC-20, compiled by solc, every holder rich from the first state on.
//!
//! The contract is `tests/e2e/contracts/Token.sol`; a test beside it compiles it anew and compares.

use crate::genesis_file::AccountEntry;
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use std::collections::BTreeMap;

/// The token's runtime code, in hex.
const CODE: &str = include_str!("contracts/token.hex");
/// Storage slots of the contract (solc's storage layout): balances, allowances.
const BALANCES: u64 = 0;
const ALLOWANCES: u64 = 1;
/// What a holder has.
const BALANCE: u128 = 1 << 100;

/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// A token's first storage.
#[derive(Clone, Debug, Default)]
pub struct Token(BTreeMap<U256, U256>);

/// The place of `key` in the mapping at `slot`.
fn place(key: Address, slot: U256) -> U256 {
    U256::from_be_bytes(keccak256([key.into_word().0, slot.to_be_bytes()].concat()).0)
}

impl Token {
    /// Gives `holder` tokens.
    pub fn hold(&mut self, holder: Address) {
        self.0.insert(place(holder, U256::from(BALANCES)), U256::from(BALANCE));
    }

    /// Lets `spender` spend all that `owner` has, for ever.
    pub fn allow(&mut self, owner: Address, spender: Address) {
        self.0.insert(place(spender, place(owner, U256::from(ALLOWANCES))), U256::MAX);
    }

    /// The contract's account in the first state.
    ///
    /// # Errors
    /// Not hex; cannot happen.
    pub fn account(self) -> Result<AccountEntry, hex::FromHexError> {
        let code = Bytes::from(hex::decode(CODE.trim())?);
        Ok(AccountEntry { nonce: 1, code, storage: self.0, ..AccountEntry::default() })
    }
}

/// Calldata of a transfer of `amount` to `to`.
pub fn transfer(to: Address, amount: u64) -> Bytes {
    [&TRANSFER[..], to.into_word().as_slice(), B256::from(U256::from(amount)).as_slice()].concat().into()
}
