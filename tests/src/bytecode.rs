//! Bytecode for test contracts: straight lines of instructions.

use alloy_primitives::{Address, U256};

/// The instructions that test contracts use, by their names in the yellow paper and its successors.
#[allow(missing_docs, reason = "the names are the documentation")]
pub mod op {
    pub const ADD: u8 = 0x01;
    pub const KECCAK256: u8 = 0x20;
    pub const BALANCE: u8 = 0x31;
    pub const ORIGIN: u8 = 0x32;
    pub const CALLER: u8 = 0x33;
    pub const CALLDATALOAD: u8 = 0x35;
    pub const EXTCODESIZE: u8 = 0x3b;
    pub const EXTCODECOPY: u8 = 0x3c;
    pub const EXTCODEHASH: u8 = 0x3f;
    pub const BLOCKHASH: u8 = 0x40;
    pub const COINBASE: u8 = 0x41;
    pub const TIMESTAMP: u8 = 0x42;
    pub const NUMBER: u8 = 0x43;
    pub const PREVRANDAO: u8 = 0x44;
    pub const SELFBALANCE: u8 = 0x47;
    pub const BASEFEE: u8 = 0x48;
    pub const POP: u8 = 0x50;
    pub const MSTORE: u8 = 0x52;
    pub const SLOAD: u8 = 0x54;
    pub const SSTORE: u8 = 0x55;
    pub const TLOAD: u8 = 0x5c;
    pub const TSTORE: u8 = 0x5d;
    pub const PUSH0: u8 = 0x5f;
    pub const DUP1: u8 = 0x80;
    pub const SWAP1: u8 = 0x90;
    pub const LOG0: u8 = 0xa0;
    pub const LOG2: u8 = 0xa2;
    pub const CREATE: u8 = 0xf0;
    pub const CALL: u8 = 0xf1;
    pub const RETURN: u8 = 0xf3;
    pub const DELEGATECALL: u8 = 0xf4;
    pub const CREATE2: u8 = 0xf5;
    pub const STATICCALL: u8 = 0xfa;
    pub const REVERT: u8 = 0xfd;
    pub const INVALID: u8 = 0xfe;
    pub const SELFDESTRUCT: u8 = 0xff;
}

/// Bytecode under construction.
#[derive(Clone, Debug, Default)]
pub struct Code(Vec<u8>);

impl Code {
    /// No instruction yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one instruction.
    pub fn op(mut self, op: u8) -> Self {
        self.0.push(op);
        self
    }

    /// Pushes `word`, by the shortest instruction.
    pub fn push(mut self, word: U256) -> Self {
        let bytes = word.to_be_bytes_trimmed_vec();
        self.0.push(op::PUSH0 + bytes.len() as u8);
        self.0.extend_from_slice(&bytes);
        self
    }

    /// Pushes a number.
    pub fn number(self, number: u64) -> Self {
        self.push(U256::from(number))
    }

    /// Pushes an address.
    pub fn address(self, address: Address) -> Self {
        self.push(U256::from_be_slice(address.as_slice()))
    }

    /// Pushes the word at `offset` of calldata.
    pub fn calldata(self, offset: u64) -> Self {
        self.number(offset).op(op::CALLDATALOAD)
    }

    /// Stores the word on top of the stack in `slot`.
    pub fn store(self, slot: u64) -> Self {
        self.number(slot).op(op::SSTORE)
    }

    /// Pushes what `slot` holds.
    pub fn load(self, slot: u64) -> Self {
        self.number(slot).op(op::SLOAD)
    }

    /// Calls `to` by `call` (one of CALL, DELEGATECALL and STATICCALL) with `value` (which only CALL sends), memory's first
    /// `input` bytes and at most `gas`; pushes whether it succeeded.
    pub fn call(self, call: u8, to: Address, value: u64, input: u64, gas: u64) -> Self {
        let code = self.number(0).number(0).number(input).number(0);
        let code = if call == op::CALL { code.number(value) } else { code };
        code.address(to).number(gas).op(call)
    }

    /// Calls the address that the word at `offset` of calldata is, with at most `gas`; pushes whether it succeeded.
    pub fn call_given(self, offset: u64, gas: u64) -> Self {
        self.number(0).number(0).number(0).number(0).number(0).calldata(offset).number(gas).op(op::CALL)
    }

    /// Creates a contract by an `initcode` of at most 32 bytes, with `value`, at the address that `salt` gives if there is one;
    /// pushes the address.
    pub fn create(self, initcode: &[u8], value: u64, salt: Option<u64>) -> Self {
        let word = U256::from_be_slice(initcode);
        let code = self.push(word).number(0).op(op::MSTORE);
        let code = if let Some(salt) = salt { code.number(salt) } else { code };
        let code = code.number(initcode.len() as u64).number(32 - initcode.len() as u64).number(value);
        code.op(if salt.is_some() { op::CREATE2 } else { op::CREATE })
    }

    /// The code.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}
