//! Rows, columns and blocks above what the parameters allow. Each makes a block of its own, on a chain that allows little.

use super::{
    Lie, among,
    forge::{assemble_over, cut, execute_over},
    only,
};
use crate::{
    bytecode::{Code, op},
    chain::{TestBlock, TestChain, params},
    wallet::Wallet,
};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use ocelli_core::{
    block::BlockFault,
    column::ColumnFault,
    evidence::Fault,
    genesis::GenesisAccount,
    params::{Params, TaskLimits},
    prefix::Prefix,
    row::RowFault,
    transaction::Recovered,
};

/// A contract that calls ECRECOVER.
const RECOVERER: Address = Address::repeat_byte(0xec);

/// Puts in the place of `block` one with one row of these transactions, on a chain whose parameters are so changed, made as
/// if they were not.
fn oversized(
    block: &mut TestBlock,
    edit: impl FnOnce(&mut Params),
    transactions: impl FnOnce(&mut Wallet, &mut Wallet) -> Vec<Recovered>,
) -> Option<()> {
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(22)), ..GenesisAccount::default() };
    let recover = Code::new().call(op::STATICCALL, Address::with_last_byte(1), 0, 0, 10_000).bytes();
    let recoverer = GenesisAccount { nonce: 1, code: recover.into(), ..GenesisAccount::default() };
    let accounts = [(one.address(), rich.clone()), (two.address(), rich), (RECOVERER, recoverer)].into();
    let mut chain = TestChain::with_accounts(&accounts, |sequencer| {
        let mut params = params(sequencer);
        edit(&mut params);
        params
    });
    *block = chain.block(&[]);
    let row = transactions(&mut one, &mut two);
    block.rows = execute_over(block, block.before.clone(), &[row], |params| {
        (params.limits, params.gas_limit) = (TaskLimits::default(), u64::MAX);
    });
    let before = block.before.tree.clone();
    assemble_over(block, &before)
}

fn transfers(one: &mut Wallet, two: &mut Wallet) -> Vec<Recovered> {
    (0..3).map(|_| one.transfer(two.address(), 1)).collect()
}

fn recovery(one: &mut Wallet, _: &mut Wallet) -> Vec<Recovered> {
    vec![one.send(TxKind::Call(RECOVERER), U256::ZERO, Bytes::new(), 100_000)]
}

fn delegation(one: &mut Wallet, two: &mut Wallet) -> Vec<Recovered> {
    vec![one.delegate(two, RECOVERER)]
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "limits: a row with a transaction too many",
        expect: among!(Fault::Row { index: 1, fault: RowFault::TransactionCount }),
        apply: |block| oversized(block, |params| params.limits.row_transactions = 2, transfers),
    },
    Lie {
        name: "limits: a row with too much gas",
        expect: among!(Fault::Row { index: 1, fault: RowFault::Gas(2) }),
        apply: |block| oversized(block, |params| params.limits.row_gas = 50_000, transfers),
    },
    Lie {
        name: "limits: a row with too much gas before refunds",
        // EIP-7702: 46,000 are spent and, since the authority exists, 9,200 of them given back.
        expect: only!(Fault::Row { index: 1, fault: RowFault::Gas(0) }),
        apply: |block| oversized(block, |params| params.limits.row_gas = 40_000, delegation),
    },
    Lie {
        name: "limits: a row with too much work",
        expect: among!(Fault::Row { index: 1, fault: RowFault::Work(0) }),
        apply: |block| oversized(block, |params| params.limits.row_work = 30_000, recovery),
    },
    Lie {
        name: "limits: a row that asks for too much code",
        expect: only!(Fault::Row { index: 1, fault: RowFault::CodeTooLong }),
        apply: |block| oversized(block, |params| params.limits.row_code_bytes = 5, recovery),
    },
    Lie {
        name: "limits: a row with too long a body",
        expect: only!(Fault::Row { index: 1, fault: RowFault::BodyTooLong }),
        apply: |block| oversized(block, |params| params.limits.row_body_bytes = 200, transfers),
    },
    Lie {
        name: "limits: a column with too long a body",
        expect: only!(Fault::Column { index: 0, fault: ColumnFault::BodyTooLong }),
        apply: |block| {
            oversized(block, |params| params.limits.column_body_bytes = 250, transfers)?;
            let state = block.before.tree.clone();
            cut(block, &state, &[Prefix::root()])
        },
    },
    Lie {
        name: "limits: a block with too much gas",
        expect: only!(Fault::Block(BlockFault::GasLimit)),
        apply: |block| oversized(block, |params| params.gas_limit = 60_000, transfers),
    },
];
