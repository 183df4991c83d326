//! Lies on which rows and columns agree and which execution contradicts.

use super::{
    Lie, among,
    forge::{Made, rows},
    only,
};
use crate::chain::TestBlock;
use alloy_primitives::{Address, B256, U256, keccak256};
use ocelli_core::{
    access::Access,
    evidence::Fault,
    evm::StateError,
    key::Key,
    manifest::RowKind,
    row::{ExecutedRow, RowFault, RowHeaderField},
    value::{Account, Value},
};

/// Changes the first access of a row of users that is like this and whose key no later row uses.
fn access<M: Made>(
    block: &mut TestBlock,
    holds: impl Fn(&Access) -> bool,
    edit: impl FnOnce(&mut Access) -> M,
) -> Option<()> {
    rows(block, |rows| {
        let used_after = |at: usize, key| {
            rows[at + 1..].iter().flat_map(|row| &row.effects.accesses).any(|access| access.key == key)
        };
        let candidates = rows.iter().enumerate().filter(|(_, row)| row.kind == RowKind::User).flat_map(|(at, row)| {
            row.effects.accesses.iter().enumerate().map(move |(place, access)| (at, place, access))
        });
        let (at, place, _) =
            candidates.into_iter().find(|(at, _, access)| holds(access) && !used_after(*at, access.key))?;
        edit(&mut rows[at].effects.accesses[place]).made()
    })
}

/// Changes what the first account written by a row of users holds after it.
fn account_after(
    block: &mut TestBlock,
    holds: impl Fn(&Account) -> bool,
    edit: impl FnOnce(&mut Account),
) -> Option<()> {
    let fits = |access: &Access| matches!(&access.after, Some(Value::Account(account)) if holds(account));
    access(block, fits, |access| {
        if let Some(Value::Account(account)) = &mut access.after {
            edit(account);
        }
    })
}

/// Changes the first row of users that is like this.
fn user_row(
    block: &mut TestBlock,
    holds: impl Fn(&ExecutedRow) -> bool,
    edit: impl FnOnce(&mut ExecutedRow),
) -> Option<()> {
    rows(block, |rows| {
        let mut users = rows.iter_mut().filter(|row| row.kind == RowKind::User);
        users.find(|row| holds(row)).map(edit)
    })
}

/// Changes the first row of users that is like this, and executes the closing row on the fees so claimed.
fn fees(block: &mut TestBlock, edit: impl FnOnce(&mut ExecutedRow)) -> Option<()> {
    user_row(block, |_| true, edit)?;
    let sum = |of: fn(&ExecutedRow) -> U256| block.rows.iter().fold(U256::ZERO, |sum, row| sum + of(row));
    let fees = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    let mut state = block.before.clone();
    let (closing, others) = block.rows.split_last()?;
    others.iter().for_each(|row| state.apply(row));
    assert_eq!(closing.kind, RowKind::Closing);
    let closing = ocelli_core::row::execute_closing(&block.env(), &state, fees.0, fees.1).ok()?;
    rows(block, |rows| {
        *rows.last_mut()? = closing;
        Some(())
    })
}

/// Changes the first access of the closing row.
fn closing(block: &mut TestBlock, edit: impl FnOnce(&mut Access)) -> Option<()> {
    rows(block, |rows| rows.last_mut()?.effects.accesses.first_mut().map(edit))
}

/// A row header that execution contradicts in this field, and nothing else.
macro_rules! row_field {
    ($field:ident) => {
        only!(Fault::Row { fault: RowFault::Header(RowHeaderField::$field), .. })
    };
}

/// A cell that execution contradicts, and nothing else.
macro_rules! cell {
    () => {
        only!(Fault::Row { fault: RowFault::Cell(_), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "execution: a wei from nowhere",
        expect: cell!(),
        apply: |block| account_after(block, |_| true, |account| account.balance += U256::ONE),
    },
    Lie {
        name: "execution: all of somebody's ether",
        expect: cell!(),
        apply: |block| {
            account_after(block, |account| !account.balance.is_zero(), |account| account.balance = U256::ZERO)
        },
    },
    Lie {
        name: "execution: a nonce not counted up",
        expect: cell!(),
        apply: |block| account_after(block, |account| account.nonce > 1, |account| account.nonce -= 1),
    },
    Lie {
        name: "execution: other code deployed",
        expect: cell!(),
        apply: |block| {
            let deployed: Vec<B256> =
                block.rows.iter().flat_map(|row| &row.effects.codes_made).map(|(hash, _)| *hash).collect();
            let other = keccak256([0xfe]);
            account_after(block, |account| deployed.contains(&account.code_hash), |account| account.code_hash = other)
        },
    },
    Lie {
        name: "execution: another word in a slot",
        expect: cell!(),
        apply: |block| {
            let slot = |access: &Access| matches!(access.after, Some(Value::Slot(_)));
            access(block, slot, |access| {
                let Some(Value::Slot(word)) = &mut access.after else { return None };
                *word ^= U256::from(1).wrapping_shl(99);
                Some(())
            })
        },
    },
    Lie {
        name: "execution: a write that did not happen",
        expect: cell!(),
        apply: |block| {
            let read = |access: &Access| access.after.is_none();
            access(block, read, |access| {
                access.after = Some(match access.before {
                    Value::Account(account) => Value::Account(Account { nonce: account.nonce + 7, ..account }),
                    Value::Slot(word) => Value::Slot(word ^ U256::from(1).wrapping_shl(99)),
                });
                Some(())
            })
        },
    },
    Lie {
        name: "execution: a write left out by row and column",
        expect: cell!(),
        apply: |block| access(block, |access| access.after.is_some(), |access| access.after.take().map(drop)),
    },
    Lie {
        name: "execution: an access left out by row and column",
        expect: among!(Fault::Row { fault: RowFault::NotListed(Some(_), StateError::KeyNotListed(_)), .. }),
        apply: |block| {
            user_row(
                block,
                |_| true,
                |row| {
                    let account = |access: &Access| matches!(access.key, Key::Account(_));
                    if let Some(last) = row.effects.accesses.iter().rposition(account) {
                        row.effects.accesses.remove(last);
                    }
                },
            )
        },
    },
    Lie {
        name: "execution: an access to a key that nobody used",
        expect: only!(Fault::Row { fault: RowFault::BeforeNotUsed, .. }),
        apply: |block| {
            let key = Key::Account(Address::repeat_byte(0xab));
            let unused = Access { key, version: 0, before: Value::absent(&key), after: None };
            user_row(block, |_| true, |row| row.effects.accesses.push(unused))
        },
    },
    Lie {
        name: "execution: an account made out of nothing",
        expect: only!(Fault::Row { fault: RowFault::BeforeNotUsed, .. }),
        apply: |block| {
            let key = Key::Account(Address::repeat_byte(0xab));
            let after = Some(Value::Account(Account { balance: U256::MAX, ..Account::default() }));
            let made = Access { key, version: 0, before: Value::absent(&key), after };
            user_row(block, |_| true, |row| row.effects.accesses.push(made))
        },
    },
    Lie {
        name: "receipt: failure where there was success",
        expect: row_field!(ReceiptsRoot),
        apply: |block| user_row(block, |_| true, |row| row.receipts[0].success ^= true),
    },
    Lie {
        name: "receipt: success where there was failure",
        expect: row_field!(ReceiptsRoot),
        apply: |block| {
            let failed = |row: &ExecutedRow| row.receipts.iter().any(|receipt| !receipt.success);
            user_row(block, failed, |row| row.receipts.iter_mut().for_each(|receipt| receipt.success = true))
        },
    },
    Lie {
        name: "receipt: less gas than was used",
        expect: row_field!(ReceiptsRoot),
        apply: |block| user_row(block, |_| true, |row| row.receipts[0].gas_used -= 1),
    },
    Lie {
        name: "receipt: less gas than was used, in the row's sum too",
        expect: row_field!(GasUsed),
        apply: |block| {
            user_row(
                block,
                |_| true,
                |row| {
                    row.receipts[0].gas_used -= 1;
                    row.totals.gas_used -= 1;
                },
            )
        },
    },
    Lie {
        name: "receipt: two transactions' gas exchanged",
        expect: row_field!(ReceiptsRoot),
        apply: |block| {
            let differ =
                |row: &ExecutedRow| row.receipts.len() > 1 && row.receipts[0].gas_used != row.receipts[1].gas_used;
            user_row(block, differ, |row| row.receipts.swap(0, 1))
        },
    },
    Lie {
        name: "receipt: a log left out",
        expect: row_field!(LogCount),
        apply: |block| {
            let logged = |row: &ExecutedRow| row.receipts.iter().any(|receipt| !receipt.logs.is_empty());
            user_row(block, logged, |row| {
                row.receipts.iter_mut().for_each(|receipt| drop(receipt.logs.pop()));
            })
        },
    },
    Lie {
        name: "receipt: a log with other data",
        expect: row_field!(ReceiptsRoot),
        apply: |block| {
            let logged = |row: &ExecutedRow| row.receipts.iter().any(|receipt| !receipt.logs.is_empty());
            user_row(block, logged, |row| {
                let mut logs = row.receipts.iter_mut().flat_map(|receipt| &mut receipt.logs);
                logs.next().expect("a log").data = vec![1].into();
            })
        },
    },
    Lie {
        name: "receipt: a log of another contract",
        expect: row_field!(ReceiptsRoot),
        apply: |block| {
            let logged = |row: &ExecutedRow| row.receipts.iter().any(|receipt| !receipt.logs.is_empty());
            user_row(block, logged, |row| {
                let mut logs = row.receipts.iter_mut().flat_map(|receipt| &mut receipt.logs);
                logs.next().expect("a log").address = Address::repeat_byte(3);
            })
        },
    },
    Lie {
        name: "receipt: a transfer's log that never was",
        expect: row_field!(LogCount),
        apply: |block| {
            let log = ocelli_core::receipt::Log { address: Address::ZERO, topics: vec![], data: Default::default() };
            user_row(block, |_| true, |row| row.receipts[0].logs.push(log))
        },
    },
    Lie {
        name: "fees: more tips than were paid, and credited",
        expect: row_field!(Tips),
        apply: |block| fees(block, |row| row.totals.tips += U256::from(1_000_000)),
    },
    Lie {
        name: "fees: fewer base fees than were paid, and credited",
        expect: row_field!(BaseFees),
        apply: |block| fees(block, |row| row.totals.base_fees -= U256::ONE),
    },
    Lie {
        name: "fees: base fees credited as tips",
        expect: row_field!(BaseFees),
        apply: |block| {
            fees(block, |row| {
                row.totals.tips += row.totals.base_fees;
                row.totals.base_fees = U256::ZERO;
            })
        },
    },
    Lie {
        name: "fees: credited and not paid",
        expect: cell!(),
        apply: |block| {
            closing(block, |access| {
                if let Some(Value::Account(account)) = &mut access.after {
                    account.balance += U256::ONE;
                }
            })
        },
    },
    Lie {
        name: "fees: paid and not credited",
        expect: cell!(),
        apply: |block| closing(block, |access| access.after = None),
    },
    Lie {
        name: "fees: credited to somebody else",
        expect: cell!(),
        apply: |block| {
            closing(block, |access| {
                access.key = Key::Account(Address::repeat_byte(0xab));
                (access.version, access.before) = (0, Value::absent(&access.key));
            })
        },
    },
    Lie {
        name: "opening row: another hash in the history",
        expect: only!(Fault::Row { index: 0, fault: RowFault::Cell(_) }),
        apply: |block| rows(block, |rows| rows[0].effects.accesses[0].after = Some(Value::Slot(U256::from(99)))),
    },
    Lie {
        name: "opening row: the hash in another slot",
        expect: only!(Fault::Row { index: 0, fault: RowFault::Cell(_) }),
        apply: |block| {
            rows(block, |rows| {
                let access = &mut rows[0].effects.accesses[0];
                access.key = Key::Slot(access.key.address(), U256::from(8_000));
                Some(())
            })
        },
    },
    Lie {
        name: "opening row: nothing written",
        expect: only!(Fault::Row { index: 0, fault: RowFault::Cell(_) }),
        apply: |block| rows(block, |rows| rows[0].effects.accesses[0].after = None),
    },
];
