//! Lies in row headers and column headers, and about which rows and columns there are.

use super::{
    Lie, among,
    forge::{self, Made, column_header, cut, manifest, row_header},
    not_committed, only,
};
use crate::chain::TestBlock;
use alloy_primitives::{B256, U256};
use ocelli_core::{
    block::BlockFault,
    column::ColumnFault,
    evidence::Fault,
    evm::RowEffects,
    manifest::{RowHeader, RowKind},
    prefix::Prefix,
    refusal::NotCommitted,
    row::{ExecutedRow, RowFault, RowHeaderField, RowTotals},
    tree::NodeHash,
};

const OTHER: B256 = B256::repeat_byte(0x5a);

/// The first row of users.
fn user_row(block: &TestBlock) -> Option<usize> {
    block.rows.iter().position(|row| row.kind == RowKind::User)
}

/// Changes the header of the first row of users.
fn user_header(block: &mut TestBlock, edit: impl FnOnce(&mut RowHeader)) -> Option<()> {
    let index = user_row(block)?;
    row_header(block, index, edit)
}

/// Changes the header of the opening row.
fn opening_header(block: &mut TestBlock, edit: impl FnOnce(&mut RowHeader)) -> Option<()> {
    row_header(block, 0, edit)
}

/// A row header that has this field wrong and nothing else.
macro_rules! row_field {
    ($field:ident) => {
        only!(Fault::Row { fault: RowFault::Header(RowHeaderField::$field), .. })
    };
}

/// A row header that has this field wrong, on which the closing row depends too.
macro_rules! fee_field {
    ($field:ident) => {
        among!(Fault::Row { fault: RowFault::Header(RowHeaderField::$field), .. })
    };
}

/// A system row that claims what only users' rows have.
macro_rules! content {
    ($index:pat) => {
        among!(Fault::Block(BlockFault::RowContent($index)))
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "row header: one transaction more",
        expect: row_field!(TxCount),
        apply: |block| user_header(block, |row| row.tx_count += 1),
    },
    Lie {
        name: "row header: one log more",
        expect: row_field!(LogCount),
        apply: |block| user_header(block, |row| row.log_count += 1),
    },
    Lie {
        name: "row header: more gas",
        expect: row_field!(GasUsed),
        apply: |block| user_header(block, |row| row.gas_used += 1),
    },
    Lie {
        name: "row header: less gas",
        expect: row_field!(GasUsed),
        apply: |block| user_header(block, |row| row.gas_used -= 1),
    },
    Lie {
        name: "row header: less work",
        expect: row_field!(Work),
        apply: |block| user_header(block, |row| row.work -= 1),
    },
    Lie {
        name: "row header: more base fees",
        expect: fee_field!(BaseFees),
        apply: |block| user_header(block, |row| row.base_fees += U256::ONE),
    },
    Lie {
        name: "row header: fewer tips",
        expect: fee_field!(Tips),
        apply: |block| user_header(block, |row| row.tips -= U256::ONE),
    },
    Lie {
        name: "row header: all the ether there can be as tips",
        expect: fee_field!(Tips),
        apply: |block| user_header(block, |row| row.tips = U256::MAX),
    },
    Lie {
        name: "row header: other transactions",
        expect: row_field!(TxsRoot),
        apply: |block| user_header(block, |row| row.txs_root = OTHER),
    },
    Lie {
        name: "row header: other receipts",
        expect: row_field!(ReceiptsRoot),
        apply: |block| user_header(block, |row| row.receipts_root = OTHER),
    },
    Lie {
        name: "row header: another number of accesses",
        expect: among!(Fault::Block(BlockFault::AccessCounts)),
        apply: |block| user_header(block, |row| row.access_count += 1),
    },
    Lie {
        name: "row headers: an access too many in one, one too few in another",
        expect: row_field!(AccessCount),
        apply: |block| {
            let index = user_row(block)?;
            manifest(block, |manifest| {
                manifest.rows[0].access_count -= 1;
                manifest.rows[index].access_count += 1;
            })
        },
    },
    Lie {
        name: "row header: a body that nobody has",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| user_header(block, |row| row.body_hash = OTHER),
    },
    Lie {
        name: "row header: users' transactions in a closing row",
        expect: among!(Fault::Block(BlockFault::RowKind(1))),
        apply: |block| user_header(block, |row| row.kind = RowKind::Closing),
    },
    Lie {
        name: "row header: an opening row that is a user's",
        expect: among!(Fault::Block(BlockFault::RowKind(0))),
        apply: |block| opening_header(block, |row| row.kind = RowKind::User),
    },
    Lie {
        name: "row header: an opening row with transactions",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.tx_count = 1),
    },
    Lie {
        name: "row header: an opening row with logs",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.log_count = 1),
    },
    Lie {
        name: "row header: an opening row with gas",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.gas_used = 1),
    },
    Lie {
        name: "row header: an opening row with work",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.work = 1),
    },
    Lie {
        name: "row header: an opening row with base fees",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.base_fees = U256::ONE),
    },
    Lie {
        name: "row header: a closing row with tips",
        expect: content!(_),
        apply: |block| {
            let last = block.rows.len() - 1;
            row_header(block, last, |row| row.tips = U256::ONE)
        },
    },
    Lie {
        name: "row header: an opening row with other transactions",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.txs_root = OTHER),
    },
    Lie {
        name: "row header: an opening row with receipts",
        expect: content!(0),
        apply: |block| opening_header(block, |row| row.receipts_root = OTHER),
    },
    Lie {
        name: "row header: more transactions than a row may have",
        expect: among!(Fault::Block(BlockFault::RowLimit(1))),
        apply: |block| user_header(block, |row| row.tx_count = 257),
    },
    Lie {
        name: "row header: more gas than a row may use",
        expect: among!(Fault::Block(BlockFault::RowLimit(1))),
        apply: |block| user_header(block, |row| row.gas_used = (1 << 24) + 1),
    },
    Lie {
        name: "row header: more work than a row may do",
        expect: among!(Fault::Block(BlockFault::RowLimit(1))),
        apply: |block| user_header(block, |row| row.work = (1 << 26) + 1),
    },
    Lie {
        name: "row header: more gas than a block may use",
        expect: among!(Fault::Block(BlockFault::GasLimit)),
        apply: |block| user_header(block, |row| row.gas_used = u64::MAX),
    },
    Lie {
        name: "rows: none",
        expect: only!(Fault::Block(BlockFault::RowKind(0))),
        apply: |block| {
            forge::rows(block, |rows| {
                rows.clear();
                Some(())
            })
        },
    },
    Lie {
        name: "rows: no opening row",
        expect: only!(Fault::Block(BlockFault::RowKind(0))),
        apply: |block| forge::rows(block, |rows| drop(rows.remove(0))),
    },
    Lie {
        name: "rows: no closing row, so that the fees are nobody's",
        expect: only!(Fault::Block(BlockFault::RowKind(_))),
        apply: |block| forge::rows(block, |rows| rows.pop().map(drop)),
    },
    Lie {
        name: "rows: the opening row twice",
        expect: among!(Fault::Block(BlockFault::RowKind(1))),
        apply: |block| forge::rows(block, |rows| rows.insert(1, rows[0].clone())),
    },
    Lie {
        name: "rows: a row of users without transactions",
        expect: among!(Fault::Block(BlockFault::RowContent(1))),
        apply: |block| forge::rows(block, |rows| rows.insert(1, empty_row())),
    },
    Lie {
        name: "rows: a row twice",
        expect: among!(Fault::Column { fault: ColumnFault::NoChange { row: 2, .. }, .. }),
        apply: |block| {
            let index = user_row(block)?;
            forge::rows(block, |rows| rows.insert(index + 1, rows[index].clone()))
        },
    },
    Lie {
        name: "rows: two that share a key, in the other order",
        expect: among!(Fault::Row { fault: RowFault::Cell(_), .. } | Fault::Column { .. }),
        apply: |block| {
            let users: Vec<usize> = (1..block.rows.len() - 1).collect();
            let wrote_before = |at: &&[usize]| {
                let [first, second] = at else { return false };
                let (first, second) = (&block.rows[*first].effects.accesses, &block.rows[*second].effects.accesses);
                first.iter().filter(|one| one.after.is_some()).any(|one| second.iter().any(|two| one.key == two.key))
            };
            let pair = users.windows(2).find(wrote_before)?.to_vec();
            forge::rows(block, |rows| rows.swap(pair[0], pair[1]))
        },
    },
    Lie {
        name: "column header: half of its range",
        expect: among!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| {
            let half = block.assembled.manifest.columns[0].prefix.child(false)?;
            column_header(block, 0, |column| column.prefix = half)
        },
    },
    Lie {
        name: "column header: its neighbour's range",
        expect: among!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| {
            let neighbour = block.assembled.manifest.columns.get(1)?.prefix;
            column_header(block, 0, |column| column.prefix = neighbour)
        },
    },
    Lie {
        name: "column header: another root before",
        expect: among!(Fault::Block(BlockFault::RootBefore)),
        apply: |block| column_header(block, 0, |column| column.root_before = NodeHash(OTHER)),
    },
    Lie {
        name: "column header: another root after",
        expect: only!(Fault::Column { index: 0, fault: ColumnFault::RootAfter }),
        apply: |block| column_header(block, 0, |column| column.root_after = NodeHash(OTHER)),
    },
    Lie {
        name: "column header: the root before as the root after",
        expect: only!(Fault::Column { fault: ColumnFault::RootAfter, .. }),
        apply: |block| {
            let columns = &block.assembled.manifest.columns;
            let index = columns.iter().position(|column| column.root_before != column.root_after)?;
            column_header(block, index, |column| column.root_after = column.root_before)
        },
    },
    Lie {
        name: "column header: other cells",
        expect: among!(Fault::Column { index: 0, fault: ColumnFault::CellsRoot }),
        apply: |block| column_header(block, 0, |column| column.cells_root = OTHER),
    },
    Lie {
        name: "column header: another number of accesses",
        expect: among!(Fault::Column { index: 0, fault: ColumnFault::AccessCount }),
        apply: |block| {
            manifest(block, |manifest| {
                manifest.columns[0].access_count += 1;
                manifest.rows[0].access_count += 1;
            })
        },
    },
    Lie {
        name: "column header: a body that nobody has",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| column_header(block, 0, |column| column.body_hash = OTHER),
    },
    Lie {
        name: "columns: none",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| {
            let state = block.before.tree.clone();
            cut(block, &state, &[])
        },
    },
    Lie {
        name: "columns: a gap at the end",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| recut(block, |prefixes| prefixes.pop().map(drop)),
    },
    Lie {
        name: "columns: a gap at the beginning",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| {
            recut(block, |prefixes| {
                prefixes.remove(0);
            })
        },
    },
    Lie {
        name: "columns: one twice",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| recut(block, |prefixes| prefixes.insert(1, prefixes[0])),
    },
    Lie {
        name: "columns: one inside another",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| recut(block, |prefixes| prefixes.insert(1, prefixes[0].child(true).expect("not a whole path"))),
    },
    Lie {
        name: "columns: all, and the whole space once more",
        expect: among!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| recut(block, |prefixes| prefixes.push(Prefix::root())),
    },
    Lie {
        name: "columns: from right to left",
        expect: only!(Fault::Block(BlockFault::ColumnPrefixes)),
        apply: |block| {
            recut(block, |prefixes| {
                prefixes.reverse();
                (prefixes.len() > 1).then_some(())
            })
        },
    },
    Lie {
        name: "columns: so many that each holds next to nothing",
        expect: only!(Fault::Block(BlockFault::ColumnLimit)),
        apply: |block| {
            recut(block, |prefixes| {
                *prefixes = (0_u8..128).filter_map(|at| Prefix::new(7, B256::right_padding_from(&[at << 1]))).collect();
                Some(())
            })
        },
    },
    Lie {
        name: "columns: one for everything, with more accesses than a column may have",
        expect: only!(Fault::Column { index: 0, fault: ColumnFault::TooManyAccesses }),
        apply: |block| {
            (block.assembled.manifest.columns.len() > 1).then_some(())?;
            recut(block, |prefixes| {
                *prefixes = vec![Prefix::root()];
                Some(())
            })
        },
    },
];

/// Cuts the block into other columns.
fn recut<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut Vec<Prefix>) -> M) -> Option<()> {
    let mut prefixes = block.assembled.manifest.columns.iter().map(|column| column.prefix).collect();
    edit(&mut prefixes).made()?;
    let state = block.before.tree.clone();
    cut(block, &state, &prefixes)
}

fn empty_row() -> ExecutedRow {
    ExecutedRow {
        kind: RowKind::User,
        transactions: Vec::new(),
        receipts: Vec::new(),
        totals: RowTotals::default(),
        effects: RowEffects::default(),
    }
}
