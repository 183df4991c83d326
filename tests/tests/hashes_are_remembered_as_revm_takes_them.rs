//! KECCAK256 does what revm's does, whatever is remembered: the same output, the same gas, the same failures.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use ocelli_core::{
    evm::{
        Code, Env, RowState, Source, StateError,
        hashes::Hashed,
        rules::{self, RowEvm},
    },
    key::Key,
    value::{Account, Value, Version},
};
use ocelli_tests::{
    bytecode::{self, op},
    chain::params,
};
use proptest::{collection::vec, prelude::*};
use revm::{context::TxEnv, handler::instructions::EthInstructions};

const MSIZE: u8 = 0x59;
const CONTRACT: Address = Address::repeat_byte(0xcc);
/// What a program returns.
const RETURNED: u64 = 512;

/// One step of a program.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A word of memory, at a multiple of 16 bytes.
    Store { at: u64, word: u64 },
    /// The hash of so many bytes, into memory.
    Hash { from: u64, length: u64, to: u64 },
    /// The same in a call of the contract itself, which begins with memory of its own.
    Call { gas: u64 },
    /// How much memory there is, into memory.
    Size { to: u64 },
    /// A hash with what is on the stack, which may be too little.
    Bare { arguments: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || (0..20_u64).prop_map(|at| at * 16);
    let length =
        prop_oneof![4 => Just(64_u64), 2 => Just(85_u64), 2 => 0..200_u64, 1 => 94..98_u64, 1 => Just(u64::MAX)];
    let from = prop_oneof![8 => at(), 1 => 0..2_000_u64, 1 => Just(u64::MAX - 63)];
    let step = prop_oneof![
        3 => (at(), 0..3_u64).prop_map(|(at, word)| Step::Store { at, word }),
        6 => (from, length, at()).prop_map(|(from, length, to)| Step::Hash { from, length, to }),
        1 => (0..3_000_u64).prop_map(|gas| Step::Call { gas }),
        1 => at().prop_map(|to| Step::Size { to }),
        1 => (0..9_u64).prop_map(|arguments| Step::Bare { arguments }),
    ];
    vec(step, 1..40)
}

fn code(steps: &[Step]) -> Vec<u8> {
    let code = steps.iter().fold(bytecode::Code::new(), |code, step| match *step {
        Step::Store { at, word } => code.number(word).number(at).op(op::MSTORE),
        Step::Hash { from, length, to } => code.number(length).number(from).op(op::KECCAK256).number(to).op(op::MSTORE),
        Step::Size { to } => code.op(MSIZE).number(to).op(op::MSTORE),
        // Seldom too little: a program ends there.
        Step::Bare { arguments } => {
            let code = (0..arguments.min(2)).fold(code, |code, argument| code.number(64 * (1 - argument)));
            code.op(op::KECCAK256).op(op::POP)
        }
        Step::Call { gas } => code.call(op::CALL, CONTRACT, 0, 64, gas).op(op::POP),
    });
    code.number(RETURNED).number(0).op(op::RETURN).bytes()
}

/// A state with one contract.
#[derive(Debug)]
struct World(Code);

impl Source for World {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let code_hash = B256::repeat_byte(1);
        let account = match key {
            Key::Account(address) if *address == CONTRACT => Account { nonce: 1, code_hash, ..Account::default() },
            Key::Account(_) => Account { balance: U256::MAX >> 1, ..Account::default() },
            Key::Slot(..) => return Ok((0, Value::absent(key))),
        };
        Ok((1, Value::Account(account)))
    }

    fn code(&self, _: &B256) -> Result<Code, StateError> {
        Ok(self.0.clone())
    }
}

/// Everything that a run of the program shows, of which several follow on one another in one EVM.
fn run(evm: &mut RowEvm<World>, gas_limits: &[u64]) -> Vec<String> {
    let call = |gas_limit: &u64| TxEnv {
        gas_limit: 21_000 + gas_limit,
        gas_price: 1_000_000_000,
        kind: TxKind::Call(CONTRACT),
        chain_id: Some(evm.ctx.cfg.chain_id),
        ..TxEnv::default()
    };
    let calls: Vec<TxEnv> = gas_limits.iter().map(call).collect();
    calls.into_iter().map(|call| format!("{:?}", rules::dry_run(evm, call))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn of_random_programs(
        steps in steps(), gas_limits in vec(prop_oneof![Just(100_000_u64), 0..3_000_u64], 1..4), expected in vec(0..3_u8, 0..12)
    ) {
        let params = params(Address::ZERO);
        let parent = B256::ZERO;
        let env = Env { params: &params, height: 1, time_ms: 1, parent, base_fee: 1_000_000_000 };
        let code = Code::new_raw(Bytes::from(code(&steps)));
        let evm = || rules::evm(&env, RowState::new(World(code.clone())));
        let mut of_revm = evm();
        of_revm.instruction = EthInstructions::new_mainnet_with_spec(params.fork.spec());
        let mut ours = evm();
        let preimage = |word: &u8| {
            let mut preimage = [0; 64];
            preimage[31] = *word;
            preimage
        };
        Hashed::each(expected.iter().map(preimage)).into_iter().for_each(|hashed| ours.ctx.chain.add(hashed));
        prop_assert_eq!(run(&mut ours, &gas_limits), run(&mut of_revm, &gas_limits));
    }
}

#[test]
fn a_program_runs_to_its_end_and_returns_hashes() {
    let params = params(Address::ZERO);
    let env = Env { params: &params, height: 1, time_ms: 1, parent: B256::ZERO, base_fee: 1_000_000_000 };
    let steps = [Step::Store { at: 16, word: 7 }, Step::Hash { from: 0, length: 64, to: 64 }];
    let mut evm = rules::evm(&env, RowState::new(World(Code::new_raw(code(&steps).into()))));
    let mut preimage = [0; 64];
    preimage[47] = 7;
    let hash = alloy_primitives::hex::encode(alloy_primitives::keccak256(preimage));
    for found in run(&mut evm, &[100_000, 100_000]) {
        assert!(found.contains("Success") && found.contains(&hash), "{found}");
    }
}
