//! Rows that do nothing but call one precompile, for `npm run bench:precompiles` to time in wasm.
//!
//! Beside them rows of what blocks are mostly made of, which tell what a tab takes for a unit of gas.

#![cfg(target_arch = "wasm32")]

use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use ocelli_core::{evm::ecrecover, genesis::GenesisAccount, params::Params, row::verify_row, transaction::Recovered};
use ocelli_tests::{
    chain::{TestBlock, TestChain, params},
    wallet::Wallet,
};
use revm::precompile::{PrecompileSpecId, Precompiles};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::wasm_bindgen;

#[path = "precompile_costs/inputs.rs"]
mod inputs;

/// About how much gas the calls of a row spend: enough to time, and so little that now and then nothing interrupts a check.
const GAS: u64 = 400_000;
const CONTRACT: Address = Address::repeat_byte(0xc0);

/// A row, and what there is to know about it.
#[wasm_bindgen]
pub struct Row {
    block: TestBlock,
    name: String,
    precompile: Option<u8>,
    calls: u32,
    call_gas: u64,
}

#[wasm_bindgen]
impl Row {
    /// What the row does.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The place in the work table of the precompile that it calls.
    #[wasm_bindgen(getter)]
    pub fn precompile(&self) -> Option<u8> {
        self.precompile
    }

    /// How often it calls it.
    #[wasm_bindgen(getter)]
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// What one call costs, without the instruction that makes it.
    #[wasm_bindgen(getter, js_name = callGas)]
    pub fn call_gas(&self) -> f64 {
        self.call_gas as f64
    }

    /// What the whole row costs.
    #[wasm_bindgen(getter)]
    pub fn gas(&self) -> f64 {
        self.block.assembled.manifest.rows.get(1).map_or(0, |row| row.gas_used) as f64
    }

    /// Checks the row once, as a tab does; whether it holds.
    pub fn check(&self) -> bool {
        let codes = |hash: &_| self.block.codes.get(hash).cloned();
        verify_row(&self.block.env(), &self.block.assembled.manifest, 1, &self.block.row_task(1), codes).is_ok()
    }
}

/// How many rows there are.
#[wasm_bindgen]
pub fn count() -> usize {
    3 + inputs::all().len()
}

/// The row numbered `at`.
#[wasm_bindgen]
pub fn row(at: usize) -> Row {
    match at {
        0 => transfers(),
        1 => looped("opcodes: ADD, MUL", &hex!("60010180800250")),
        2 => looped("opcodes: KECCAK256 of 128 bytes", &hex!("60805f2050")),
        _ => calls(inputs::all().swap_remove(at - 3)),
    }
}

fn transfers() -> Row {
    let mut wallets: Vec<_> = (0..256).map(Wallet::new).collect();
    let mut chain = TestChain::new(&wallets);
    let transfers: Vec<_> = wallets.iter_mut().map(|wallet| wallet.transfer(Address::repeat_byte(3), 1)).collect();
    Row { block: chain.block(&[&transfers]), name: "transfers".into(), precompile: None, calls: 0, call_gas: 0 }
}

/// A row that repeats `body`, which leaves the stack as it was, until little gas is left.
fn looped(name: &str, body: &[u8]) -> Row {
    // PUSH0, JUMPDEST, the body, and as long as GAS is above 10,000: JUMPI to the JUMPDEST.
    let code = [&hex!("5f5b")[..], body, &hex!("5a61271010600157")].concat();
    Row { block: one_call(code, Bytes::new(), GAS), name: name.into(), precompile: None, calls: 0, call_gas: 0 }
}

fn calls(input: inputs::Input) -> Row {
    let address = input.address();
    let call_gas = gas_of(address, &input.bytes);
    let calls = (GAS / (call_gas + 150)).clamp(1, 20_000);
    let [high, low] = (calls as u16).to_be_bytes();
    let [address_high, address_low] = address.to_be_bytes();
    // CALLDATACOPY of everything to 0; [calldata's size, calls].
    let mut code = hex!("36805f5f3761").to_vec();
    code.extend([high, low]);
    // JUMPDEST; STATICCALL with all of memory; if it failed, INVALID; one call less; JUMPI to the JUMPDEST.
    let loop_at = code.len() as u8;
    code.extend(hex!("5b5f5f835f61"));
    code.extend([address_high, address_low]);
    code.extend(hex!("5afa"));
    let over_invalid = code.len() as u8 + 4;
    code.extend([0x60, over_invalid, 0x57, 0xfe, 0x5b]);
    code.extend([0x60, 0x01, 0x90, 0x03, 0x80, 0x60, loop_at, 0x57, 0x00]);
    let block = one_call(code, input.bytes.into(), 1 << 24);
    Row { block, name: input.name, precompile: Some(input.place as u8), calls: calls as u32, call_gas }
}

/// A block whose one row calls a contract of this `code` once.
fn one_call(code: Vec<u8>, input: Bytes, gas_limit: u64) -> TestBlock {
    let mut wallet = Wallet::new(0);
    let rich = GenesisAccount { balance: U256::MAX >> 8, ..Default::default() };
    let contract = GenesisAccount { nonce: 1, code: code.into(), ..Default::default() };
    let accounts = BTreeMap::from([(wallet.address(), rich), (CONTRACT, contract)]);
    let mut chain = TestChain::with_accounts(&accounts, unlimited);
    let transaction: Recovered = wallet.send(TxKind::Call(CONTRACT), U256::ZERO, input, gas_limit);
    let block = chain.block(&[&[transaction]]);
    assert!(block.rows[1].receipts[0].success, "every call succeeds");
    block
}

/// Parameters that bound no row's work, since that is what is to be found.
fn unlimited(sequencer: Address) -> Params {
    let mut params = params(sequencer);
    params.limits.row_work = u64::MAX;
    params
}

fn gas_of(address: u16, input: &[u8]) -> u64 {
    if address == 1 {
        return ecrecover::GAS;
    }
    let precompiles = Precompiles::new(PrecompileSpecId::OSAKA);
    let precompile = precompiles.get(&Address::from_word(U256::from(address).into())).expect("a precompile");
    let output = precompile.execute(input, 1 << 24, 0).expect("no fatal error");
    assert!(output.is_success(), "{address:#x} takes its input");
    output.gas_used
}
