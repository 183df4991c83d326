//! Work: gas, with each precompile at what it costs a tab.
//!
//! Gas prices precompiles by what they cost a native client with assembly. In wasm some cost several times more, and a row
//! full of those would stall the tabs that check it, so a row is bounded by work besides gas. Work changes nothing that a
//! transaction sees or pays.

use super::ecrecover;
use crate::hash::Preimage;
use alloy_primitives::{Address, map::AddressSet};
use revm::{
    context::Cfg,
    context_interface::ContextTr,
    handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::PrecompileOutput,
    primitives::hardfork::SpecId,
};
use serde::{Deserialize, Serialize};

/// Precompiles of the Osaka fork, by address: 0x01 to 0x11, and 0x100.
pub const PRECOMPILES: usize = 18;

/// How many times as long as a transfer each precompile may take a tab for the same gas.
const TIMES: [u16; PRECOMPILES] = [
    8,  // ecrecover
    2,  // SHA-256
    1,  // RIPEMD-160
    1,  // identity
    6,  // modular exponentiation
    9,  // BN254: addition
    12, // multiplication
    9,  // pairing
    2,  // BLAKE2 F
    33, // point evaluation
    9,  // BLS12-381: addition in G1
    18, // multi-scalar multiplication in G1
    9,  // addition in G2
    24, // multi-scalar multiplication in G2
    13, // pairing
    16, // map to G1
    11, // map to G2
    24, // verification over P-256
];

/// For each precompile, the sixteenths of work that one gas of it counts as; never below 16, which is gas itself.
///
/// Indices 0 to 16 are addresses 0x01 to 0x11; index 17 is 0x100 (P256VERIFY, EIP-7951).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkTable(pub [u16; PRECOMPILES]);

impl Default for WorkTable {
    /// What the slowest inputs took in the plain module, for their gas, where a transfer's gas is the unit: `npm run
    /// bench:precompiles`, rounded up. `docs/decisions.md` has the figures.
    fn default() -> Self {
        Self(TIMES.map(|times| 16 * times))
    }
}

impl WorkTable {
    pub(crate) fn append_to(&self, preimage: Preimage) -> Preimage {
        self.0.iter().fold(preimage, |preimage, entry| preimage.u16(*entry))
    }

    /// The work above `gas` that a call of the precompile at `address` costs.
    fn extra(&self, address: &Address, gas: u64) -> u64 {
        let index = match address.as_slice() {
            [head @ .., 1, 0] if head.iter().all(|byte| *byte == 0) => PRECOMPILES - 1,
            [head @ .., low] if head.iter().all(|byte| *byte == 0) => usize::from(*low).wrapping_sub(1),
            _ => return 0,
        };
        let sixteenths = self.0.get(index).copied().unwrap_or(16);
        gas.saturating_mul(u64::from(sixteenths.saturating_sub(16))) / 16
    }
}

/// The precompiles of a fork, with [`ecrecover`] in the place of revm's, adding up the work of the running transaction.
#[derive(Clone, Debug)]
pub struct MeteredPrecompiles {
    precompiles: EthPrecompiles,
    table: WorkTable,
    extra: u64,
}

impl MeteredPrecompiles {
    /// The precompiles of `spec`, priced by `table`.
    pub fn new(spec: SpecId, table: &WorkTable) -> Self {
        Self { precompiles: EthPrecompiles::new(spec), table: *table, extra: 0 }
    }

    /// The addresses of the precompiles.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        self.precompiles.warm_addresses().iter().copied()
    }

    /// Work above gas since the last reset.
    pub const fn extra_work(&self) -> u64 {
        self.extra
    }

    /// Starts the count of the next transaction.
    pub const fn reset(&mut self) {
        self.extra = 0;
    }
}

impl<C: ContextTr<Cfg: Cfg<Spec = SpecId>>> PrecompileProvider<C> for MeteredPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: SpecId) -> bool {
        <EthPrecompiles as PrecompileProvider<C>>::set_spec(&mut self.precompiles, spec)
    }

    fn run(
        &mut self,
        context: &mut C,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, alloc::string::String> {
        let result = if inputs.bytecode_address == ecrecover::ADDRESS {
            Some(run_ecrecover(context, inputs))
        } else {
            self.precompiles.run(context, inputs)?
        };
        if let Some(result) = &result {
            let spent = result.gas.total_gas_spent();
            // One that fails takes all the gas it was given, and has done no more than its input's price is for.
            let gas = if result.is_ok() { spent } else { spent.min(most_gas(inputs.input.len())) };
            let extra = self.table.extra(&inputs.bytecode_address, gas);
            self.extra = self.extra.saturating_add(extra);
        }
        Ok(result)
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.precompiles.warm_addresses()
    }
}

/// No less than any precompile charges for an input of so many bytes that it may fail on after working on it. The dearest to begin
/// with is point evaluation (50,000, EIP-4844), the dearest by the byte a pairing over BN254 (34,000 for 192 bytes, EIP-1108; the
/// BLS12-381 ones of EIP-2537 are below 100 a byte). Modular exponentiation fails before it works (EIP-7823).
const fn most_gas(input: usize) -> u64 {
    50_000 + 180 * input as u64
}

/// What [`EthPrecompiles`] does around a precompile.
fn run_ecrecover<C: ContextTr>(context: &C, inputs: &CallInputs) -> InterpreterResult {
    let result = ecrecover::run(&inputs.input.as_bytes(context), inputs.gas_limit);
    let output = PrecompileOutput::from_eth_result(result, inputs.reservoir);
    precompile_output_to_interpreter_result(output, inputs.gas_limit)
}
