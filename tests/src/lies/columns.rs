//! Lies in the bodies of columns.

use super::{
    Lie, among,
    forge::{Made, column_body, column_bytes, proof, read_column, settled_column},
    only,
};
use crate::chain::TestBlock;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use ocelli_core::{
    column::{CellAccess, ColumnBody, ColumnFault, ColumnKey, RowCell},
    evidence::Fault,
    key::Key,
    limits,
    row::RowFault,
    tree::{NodeHash, ProofError},
    value::{Account, Value},
    wire::WireError,
};

/// The first column whose body is like this.
pub(super) fn column_where(block: &TestBlock, holds: impl Fn(&ColumnBody) -> bool) -> Option<usize> {
    (0..block.assembled.column_bodies.len()).find(|index| read_column(block, *index).is_some_and(|body| holds(&body)))
}

/// Changes the body of the first column that uses a key.
pub(super) fn used<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut ColumnBody) -> M) -> Option<()> {
    let index = column_where(block, |body| !body.keys.is_empty())?;
    column_body(block, index, edit)
}

/// Changes the bytes of the body of the first column that uses a key.
fn used_bytes(block: &mut TestBlock, edit: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let index = column_where(block, |body| !body.keys.is_empty())?;
    column_bytes(block, index, edit)
}

/// The writes of a column.
pub(super) fn writes(body: &mut ColumnBody) -> impl Iterator<Item = &mut CellAccess> {
    body.cells.iter_mut().flat_map(|cell| &mut cell.accesses).filter(|access| access.after.is_some())
}

/// Changes the last write of the first column that has one. The column stays true to itself.
fn last_write(block: &mut TestBlock, edit: impl FnOnce(&mut CellAccess)) -> Option<()> {
    let index = column_where(block, |body| writes(&mut body.clone()).next().is_some())?;
    settled_column(block, index, |body| writes(body).last().map(edit))
}

/// Changes a key of the first column that has one which was written before the block.
fn written_key(block: &mut TestBlock, edit: impl FnOnce(&mut ColumnKey)) -> Option<()> {
    let index = column_where(block, |body| body.keys.iter().any(|key| key.version > 0))?;
    settled_column(block, index, |body| body.keys.iter_mut().find(|key| key.version > 0).map(edit))
}

/// Another value that the same key can hold.
pub(super) fn other(value: &Value) -> Value {
    match value {
        Value::Account(account) => Value::Account(Account { balance: account.balance ^ U256::ONE, ..*account }),
        Value::Slot(word) => Value::Slot(*word ^ U256::from(1).wrapping_shl(200)),
    }
}

/// An address whose account lies in the range of a column, and after all keys of its body or before them.
fn stranger(block: &TestBlock, index: usize, inside: bool) -> Key {
    let prefix = block.assembled.manifest.columns[index].prefix;
    let keys = (1_u64 << 40..).map(|at| Key::Account(Address::left_padding_from(&at.to_be_bytes())));
    keys.into_iter().find(|key| prefix.contains(&key.path()) == inside).expect("there is always another")
}

/// A body with this wrong and nothing else.
macro_rules! column {
    ($fault:pat) => {
        only!(Fault::Column { fault: $fault, .. })
    };
}

/// A body with this wrong, and rows that have it otherwise.
macro_rules! column_and_rows {
    ($fault:pat) => {
        among!(Fault::Column { fault: $fault, .. })
    };
}

/// A body that is true to itself and says otherwise than a row's execution.
macro_rules! cell {
    () => {
        only!(Fault::Row { fault: RowFault::Cell(_), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "column body: empty",
        expect: column!(ColumnFault::Malformed(WireError::Malformed)),
        apply: |block| used_bytes(block, |bytes| bytes.clear()),
    },
    Lie {
        name: "column body: cut short",
        expect: column!(ColumnFault::Malformed(WireError::Malformed)),
        apply: |block| used_bytes(block, |bytes| bytes.truncate(bytes.len() - 1)),
    },
    Lie {
        name: "column body: something left over",
        expect: column!(ColumnFault::Malformed(WireError::Malformed)),
        apply: |block| used_bytes(block, |bytes| bytes.push(0)),
    },
    Lie {
        name: "column body: a length in more bytes than a word of 32 bits takes",
        expect: column!(ColumnFault::Malformed(WireError::Malformed)),
        apply: |block| {
            used_bytes(block, |bytes| {
                bytes[1] |= 0x80;
                bytes.splice(2..2, [0x80, 0x80, 0x80, 0x80, 0]);
            })
        },
    },
    Lie {
        name: "column body: in a second spelling",
        expect: column!(ColumnFault::Malformed(WireError::Malformed)),
        apply: |block| {
            used_bytes(block, |bytes| {
                // The number of keys in two bytes where one is enough.
                bytes[1] |= 0x80;
                bytes.insert(2, 0);
            })
        },
    },
    Lie {
        name: "column body: in an encoding of the future",
        expect: column!(ColumnFault::Malformed(WireError::UnknownVersion)),
        apply: |block| used_bytes(block, |bytes| bytes[0] += 1),
    },
    Lie {
        name: "column body: longer than any",
        expect: column!(ColumnFault::BodyTooLong),
        apply: |block| used_bytes(block, |bytes| bytes.resize(limits::COLUMN_BODY_BYTES_ANY + 1, 0)),
    },
    Lie {
        name: "column body: longer than one with several keys may be",
        expect: column!(ColumnFault::BodyTooLong),
        apply: |block| {
            let index = column_where(block, |body| body.keys.len() > 1)?;
            let padding = vec![NodeHash(B256::repeat_byte(1)); limits::COLUMN_BODY_BYTES / 32];
            column_body(block, index, |body| proof(&mut body.proof, |open| open.siblings.extend(padding)))
        },
    },
    Lie {
        name: "column body: keys out of order",
        expect: column!(ColumnFault::NotAscending),
        apply: |block| {
            let index = column_where(block, |body| body.keys.len() > 1)?;
            column_body(block, index, |body| body.keys.reverse())
        },
    },
    Lie {
        name: "column body: a key twice",
        expect: column!(ColumnFault::NotAscending),
        apply: |block| used(block, |body| body.keys.insert(0, body.keys[0])),
    },
    Lie {
        name: "column body: rows out of order",
        expect: column!(ColumnFault::NotAscending),
        apply: |block| {
            let index = column_where(block, |body| body.cells.len() > 1)?;
            column_body(block, index, |body| body.cells.reverse())
        },
    },
    Lie {
        name: "column body: accesses out of order",
        expect: column!(ColumnFault::NotAscending),
        apply: |block| {
            let index = column_where(block, |body| body.cells.iter().any(|cell| cell.accesses.len() > 1))?;
            column_body(block, index, |body| {
                body.cells.iter_mut().find(|cell| cell.accesses.len() > 1).map(|cell| cell.accesses.reverse())
            })
        },
    },
    Lie {
        name: "column body: an access twice",
        expect: column!(ColumnFault::NotAscending),
        apply: |block| {
            used(block, |body| {
                let accesses = &mut body.cells.first_mut()?.accesses;
                accesses.insert(0, accesses[0].clone());
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a key of another column",
        expect: column!(ColumnFault::KeyOutside(_)),
        apply: |block| {
            (block.assembled.manifest.columns.len() > 1).then_some(())?;
            let index = column_where(block, |body| !body.keys.is_empty())?;
            let key =
                ColumnKey { key: stranger(block, index, false), version: 0, value: Value::Account(Account::default()) };
            column_body(block, index, |body| {
                body.keys.push(key);
                body.keys.sort_by_key(|key| key.key.path());
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a key that no row uses",
        expect: column!(ColumnFault::KeyNotUsed(_)),
        apply: |block| {
            let index = column_where(block, |body| !body.keys.is_empty())?;
            let key =
                ColumnKey { key: stranger(block, index, true), version: 0, value: Value::Account(Account::default()) };
            let before = block.before.tree.clone();
            let prefix = block.assembled.manifest.columns[index].prefix;
            column_body(block, index, |body| {
                let at = body.keys.partition_point(|other| other.key.path() < key.key.path());
                body.keys.insert(at, key);
                for access in body.cells.iter_mut().flat_map(|cell| &mut cell.accesses) {
                    access.key += u32::from(access.key as usize >= at);
                }
                let paths: Vec<B256> = body.keys.iter().map(|key| key.key.path()).collect();
                body.proof = before.prove(&prefix, &paths)
            })
        },
    },
    Lie {
        name: "column body: a value that was never written",
        expect: column!(ColumnFault::NotAValue(_)),
        apply: |block| {
            let index = column_where(block, |body| body.keys.iter().any(|key| !key.value.is_absent()))?;
            column_body(block, index, |body| {
                body.keys.iter_mut().find(|key| !key.value.is_absent()).map(|key| key.version = 0)
            })
        },
    },
    Lie {
        name: "column body: a word where an account is",
        expect: column!(ColumnFault::NotAValue(_)),
        apply: |block| {
            let index = column_where(block, |body| body.keys.iter().any(|key| matches!(key.key, Key::Account(_))))?;
            column_body(block, index, |body| {
                let key = body.keys.iter_mut().find(|key| matches!(key.key, Key::Account(_)))?;
                key.value = Value::Slot(U256::ZERO);
                Some(())
            })
        },
    },
    Lie {
        name: "column body: no code, spelled as the hash of empty code",
        expect: column!(ColumnFault::NotAValue(_)),
        apply: |block| {
            let index = column_where(block, |body| body.keys.iter().any(|key| matches!(key.key, Key::Account(_))))?;
            column_body(block, index, |body| {
                body.keys.iter_mut().find_map(|key| match &mut key.value {
                    Value::Account(account) => {
                        account.code_hash = KECCAK256_EMPTY;
                        Some(())
                    }
                    Value::Slot(_) => None,
                })
            })
        },
    },
    Lie {
        name: "column body: a row without accesses",
        expect: column!(ColumnFault::Row(_)),
        apply: |block| {
            let rows = block.rows.len() as u32;
            let silent = move |body: &ColumnBody| (0..rows).find(|row| body.cells.iter().all(|cell| cell.row != *row));
            let index = column_where(block, |body| !body.keys.is_empty() && silent(body).is_some())?;
            column_body(block, index, |body| {
                let row = silent(body)?;
                let at = body.cells.partition_point(|cell| cell.row < row);
                body.cells.insert(at, RowCell { row, accesses: vec![] });
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a row that the block does not have",
        expect: column!(ColumnFault::Row(_)),
        apply: |block| {
            let row = block.rows.len() as u32;
            used(block, |body| {
                let accesses = body.cells.first()?.accesses.clone();
                body.cells.push(RowCell { row, accesses });
                Some(())
            })
        },
    },
    Lie {
        name: "column body: an access to a key that is not listed",
        expect: column!(ColumnFault::NoSuchKey { .. }),
        apply: |block| {
            used(block, |body| {
                let key = body.keys.len() as u32;
                body.cells.first_mut()?.accesses.push(CellAccess { key, after: None });
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a change to what was there already",
        expect: column!(ColumnFault::NoChange { .. }),
        apply: |block| {
            used(block, |body| {
                let access = body.cells.first_mut()?.accesses.first_mut()?;
                access.after = Some(Box::new(body.keys[access.key as usize].value));
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a change to a value of another kind",
        expect: column!(ColumnFault::NoChange { .. }),
        apply: |block| {
            used(block, |body| {
                let access = body.cells.first_mut()?.accesses.first_mut()?;
                access.after = Some(Box::new(match body.keys[access.key as usize].value {
                    Value::Account(_) => Value::Slot(U256::ONE),
                    Value::Slot(_) => Value::Account(Account { nonce: 1, ..Account::default() }),
                }));
                Some(())
            })
        },
    },
    Lie {
        name: "column body: an access left out, and only the body knows",
        expect: column!(ColumnFault::AccessCount),
        apply: |block| {
            let index = column_where(block, |body| body.cells.len() > 1 && body.keys.len() == 1)?;
            column_body(block, index, |body| body.cells.pop().map(drop))
        },
    },
    Lie {
        name: "column body: a write left out, and only the body knows",
        expect: column!(ColumnFault::CellsRoot),
        apply: |block| {
            let index = column_where(block, |body| writes(&mut body.clone()).next().is_some())?;
            column_body(block, index, |body| writes(body).last().map(|access| access.after = None))
        },
    },
    Lie {
        name: "column body: a write left out of cells and root",
        expect: cell!(),
        apply: |block| last_write(block, |access| access.after = None),
    },
    Lie {
        name: "column body: another value after",
        expect: cell!(),
        apply: |block| last_write(block, |access| access.after = access.after.as_deref().map(other).map(Box::new)),
    },
    Lie {
        name: "column body: a write added",
        expect: cell!(),
        apply: |block| {
            let reads = |body: &ColumnBody| {
                body.cells.iter().flat_map(|cell| &cell.accesses).any(|access| access.after.is_none())
            };
            let index = column_where(block, reads)?;
            settled_column(block, index, |body| {
                let accesses = body.cells.iter_mut().flat_map(|cell| &mut cell.accesses);
                let access = accesses.into_iter().find(|access| access.after.is_none())?;
                access.after = Some(Box::new(other(&body.keys[access.key as usize].value)));
                Some(())
            })
        },
    },
    Lie {
        name: "column body: a row's accesses given to another row",
        expect: cell!(),
        apply: |block| {
            let rows = block.rows.len() as u32;
            let movable = move |body: &ColumnBody| {
                body.cells
                    .iter()
                    .position(|cell| cell.row + 1 < rows && body.cells.iter().all(|other| other.row != cell.row + 1))
            };
            let index = column_where(block, |body| movable(body).is_some())?;
            settled_column(block, index, |body| {
                let at = movable(body)?;
                body.cells[at].row += 1;
                Some(())
            })
        },
    },
    Lie {
        name: "column body: an access left out of cells and count",
        expect: among!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| {
            let index = column_where(block, |body| body.cells.len() > 1 && body.keys.len() == 1)?;
            settled_column(block, index, |body| body.cells.pop().map(drop))
        },
    },
    Lie {
        name: "column body: another value before",
        expect: column_and_rows!(ColumnFault::Proof(ProofError::WrongRoot)),
        apply: |block| written_key(block, |key| key.value = other(&key.value)),
    },
    Lie {
        name: "column body: another version before",
        expect: column_and_rows!(ColumnFault::Proof(ProofError::WrongRoot)),
        apply: |block| written_key(block, |key| key.version += 1),
    },
    Lie {
        name: "column body: a key that is there, said never to have been written",
        expect: column_and_rows!(ColumnFault::Proof(ProofError::Presence)),
        apply: |block| written_key(block, |key| (key.version, key.value) = (0, Value::absent(&key.key))),
    },
    Lie {
        name: "column body: a key that is not there, said to have been written",
        expect: column_and_rows!(ColumnFault::Proof(ProofError::Presence)),
        apply: |block| {
            let index = column_where(block, |body| body.keys.iter().any(|key| key.version == 0))?;
            settled_column(block, index, |body| {
                body.keys.iter_mut().find(|key| key.version == 0).map(|key| key.version = 1)
            })
        },
    },
    Lie {
        name: "column body: the proof of another key",
        expect: column_and_rows!(ColumnFault::Proof(_)),
        apply: |block| {
            let index = column_where(block, |body| body.keys.len() == 1 && body.keys[0].version > 0)?;
            let key = stranger(block, index, true);
            settled_column(block, index, |body| {
                let value = Value::Account(Account { nonce: 1, ..Account::default() });
                body.keys[0] = ColumnKey { key, version: 1, value };
                for access in body.cells.iter_mut().flat_map(|cell| &mut cell.accesses) {
                    access.after = None;
                }
                Some(())
            })
        },
    },
];
