//! Every difference between Ethereum's rules and Ocelli's, in one place.
//!
//! - Fees are not paid out by the transaction that pays them but by the block's closing row, so that paying fees does not
//!   put every transaction into one lane; COINBASE's balance does not show this block's fees.
//! - PREVRANDAO is the parent's hash. It is not random: the sequencer knows it and can choose among parents.
//! - TIMESTAMP is the header's milliseconds in whole seconds, so several blocks share one.
//! - BLOBBASEFEE is 1 and blob transactions do not exist.
//! - BLOCKHASH reads the EIP-2935 history contract's slots, which makes it a use of a key like any other. The opcode
//!   reaches back 256 blocks and the contract 8,191.
//! - There is no beacon root (EIP-4788).

use super::{
    Env, RowState, Source,
    hashes::{self, Remembered},
    work::MeteredPrecompiles,
};
use crate::{
    key::Key,
    value::{Account, Value},
};
use alloc::vec::Vec;
use alloy_eips::eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE};
use alloy_primitives::{Address, Bytes, U256};
use revm::{
    Journal,
    bytecode::opcode::KECCAK256,
    context::{BlockEnv, CfgEnv, Context, Evm, FrameStack, TxEnv},
    context_interface::{
        JournalTr,
        block::BlobExcessGasAndPrice,
        result::{EVMError, ExecutionResult, HaltReason},
    },
    handler::{EthFrame, FrameResult, Handler, instructions::EthInstructions},
    interpreter::{Instruction, interpreter::EthInterpreter},
};

/// What the instructions of a row see.
pub type RowContext<S> = Context<BlockEnv, TxEnv, CfgEnv, RowState<S>, Journal<RowState<S>>, Remembered>;

/// The EVM that runs a row.
pub type RowEvm<S> = Evm<
    RowContext<S>,
    (),
    EthInstructions<EthInterpreter, RowContext<S>>,
    MeteredPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// An EVM for the block that `env` tells of.
pub fn evm<S: Source>(env: &Env<'_>, state: RowState<S>) -> RowEvm<S> {
    let spec = env.params.fork.spec();
    let mut ctx: RowContext<S> = Context::new(state, spec);
    ctx.cfg.chain_id = env.params.chain_id;
    ctx.block = BlockEnv {
        number: U256::from(env.height),
        beneficiary: env.params.tips,
        timestamp: U256::from(env.time_ms / 1_000),
        gas_limit: env.params.gas_limit,
        basefee: env.base_fee,
        difficulty: U256::ZERO,
        prevrandao: Some(env.parent),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
        ..BlockEnv::default()
    };
    let mut instruction = EthInstructions::new_mainnet_with_spec(spec);
    let gas = instruction.gas_table()[usize::from(KECCAK256)];
    instruction.insert_instruction(KECCAK256, Instruction::new(hashes::keccak256), gas);
    Evm {
        ctx,
        inspector: (),
        instruction,
        precompiles: MeteredPrecompiles::new(spec, &env.params.work),
        frame_stack: FrameStack::new_prealloc(8),
    }
}

/// revm's mainnet handler, except that it pays no one.
pub(super) struct RowHandler<S>(core::marker::PhantomData<S>);

impl<S> Default for RowHandler<S> {
    fn default() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<S: Source> Handler for RowHandler<S> {
    type Evm = RowEvm<S>;
    type Error = EVMError<super::StateError>;
    type HaltReason = HaltReason;

    fn reward_beneficiary(&self, _: &mut Self::Evm, _: &mut FrameResult) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What a transaction or call would do, without doing it: its result, and the keys that it asks for, in the order asked for.
///
/// The state stays as it was. `evm` can have been set up to check less than a block does, and can be used again.
pub fn dry_run<S: Source>(
    evm: &mut RowEvm<S>,
    call: TxEnv,
) -> (Result<ExecutionResult, EVMError<super::StateError>>, Vec<Key>) {
    evm.ctx.journaled_state.db_mut().begin_transaction();
    evm.ctx.tx = call;
    let result = RowHandler::default().run(evm);
    evm.ctx.journaled_state.finalize();
    evm.precompiles.reset();
    (result, evm.ctx.journaled_state.db_mut().asked().collect())
}

/// Where the hash of block `number` stands.
pub fn history_slot(number: u64) -> (Address, U256) {
    (HISTORY_STORAGE_ADDRESS, U256::from(number % HISTORY_SERVE_WINDOW as u64))
}

/// The opening row: the parent's hash into the history contract.
///
/// # Errors
/// [`super::StateError`] if the source does not list the slot.
pub fn open_block<S: Source>(env: &Env<'_>, state: &mut RowState<S>) -> Result<(), super::StateError> {
    let (address, slot) = history_slot(env.height.saturating_sub(1));
    state.store(Key::Slot(address, slot), Value::Slot(U256::from_be_bytes(env.parent.0)))
}

/// The closing row: `base_fees` to the pool and `tips` to the tip account; nothing is credited that is zero.
///
/// # Errors
/// [`super::StateError`] if the source does not list an account.
pub fn close_block<S: Source>(
    env: &Env<'_>,
    state: &mut RowState<S>,
    base_fees: U256,
    tips: U256,
) -> Result<(), super::StateError> {
    for (address, amount) in [(env.params.pool, base_fees), (env.params.tips, tips)] {
        if amount.is_zero() {
            continue;
        }
        let key = Key::Account(address);
        if let Value::Account(account) = state.load(key)? {
            let balance = account.balance.saturating_add(amount);
            state.store(key, Value::Account(Account { balance, ..account }))?;
        }
    }
    Ok(())
}

/// The accounts that genesis must have for the rules to work, with nonce and code: the history contract (EIP-2935).
pub fn predeployed() -> [(Address, u64, Bytes); 1] {
    [(HISTORY_STORAGE_ADDRESS, 1, HISTORY_STORAGE_CODE.clone())]
}
