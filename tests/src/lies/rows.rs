//! Lies in the bodies of rows.

use super::{
    Lie,
    forge::{Made, row_body, row_bytes, transactions},
    only,
};
use crate::chain::TestBlock;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use ocelli_core::{
    evidence::Fault,
    evm::StateError,
    key::Key,
    limits,
    manifest::RowKind,
    row::{
        CodeRef, ListError, RowBody, RowFault,
        body::{AddressKeys, SlotBefore},
    },
    value::Account,
    wire::WireError,
};

/// The first row of users.
fn user_row(block: &TestBlock) -> Option<usize> {
    block.rows.iter().position(|row| row.kind == RowKind::User)
}

/// The first row whose body is like this.
fn row_where(block: &TestBlock, holds: impl Fn(&RowBody) -> bool) -> Option<usize> {
    block.rows.iter().position(|row| holds(&row.body()))
}

/// Changes the body of the first row of users.
fn user_body<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut RowBody) -> M) -> Option<()> {
    let index = user_row(block)?;
    row_body(block, index, edit)
}

/// Changes the bytes of the body of the first row of users.
fn user_bytes(block: &mut TestBlock, edit: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let index = user_row(block)?;
    row_bytes(block, index, edit)
}

/// Changes the first account that a user's row lists and that was written before.
fn account(block: &mut TestBlock, edit: impl FnOnce(&mut (u64, Account))) -> Option<()> {
    user_body(block, |body| {
        let accounts = body.keys.iter_mut().filter_map(|entry| entry.account.as_mut());
        accounts.into_iter().find(|(version, _)| *version > 0).map(edit)
    })
}

/// Changes the first slot that a row lists.
fn slot(block: &mut TestBlock, edit: impl FnOnce(&mut SlotBefore)) -> Option<()> {
    let index = row_where(block, |body| body.keys.iter().any(|entry| !entry.slots.is_empty()))?;
    row_body(block, index, |body| body.keys.iter_mut().find_map(|entry| entry.slots.first_mut()).map(edit))
}

/// A body that cannot be read, for this reason.
macro_rules! malformed {
    ($error:pat) => {
        only!(Fault::Row { fault: RowFault::Malformed($error), .. })
    };
}

/// A list that is not as lists have to be, in this way.
macro_rules! list {
    ($error:ident) => {
        only!(Fault::Row { fault: RowFault::List(ListError::$error), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "row body: empty",
        expect: malformed!(WireError::Malformed),
        apply: |block| user_bytes(block, |bytes| bytes.clear()),
    },
    Lie {
        name: "row body: cut short",
        expect: malformed!(WireError::Malformed),
        apply: |block| user_bytes(block, |bytes| bytes.truncate(bytes.len() - 1)),
    },
    Lie {
        name: "row body: something left over",
        expect: malformed!(WireError::Malformed),
        apply: |block| user_bytes(block, |bytes| bytes.push(0)),
    },
    Lie {
        name: "row body: in a second spelling",
        expect: malformed!(WireError::NotCanonical),
        apply: |block| {
            user_bytes(block, |bytes| {
                // The number of transactions in two bytes where one is enough.
                bytes[1] |= 0x80;
                bytes.insert(2, 0);
            })
        },
    },
    Lie {
        name: "row body: in an encoding of the future",
        expect: malformed!(WireError::UnknownVersion),
        apply: |block| user_bytes(block, |bytes| bytes[0] += 1),
    },
    Lie {
        name: "row body: too long",
        expect: only!(Fault::Row { fault: RowFault::BodyTooLong, .. }),
        apply: |block| user_bytes(block, |bytes| bytes.resize(limits::ROW_BODY_BYTES + 1, 0)),
    },
    Lie {
        name: "row body: addresses out of order",
        expect: list!(NotAscending),
        apply: |block| user_body(block, |body| body.keys.reverse()),
    },
    Lie {
        name: "row body: an address twice",
        expect: list!(NotAscending),
        apply: |block| user_body(block, |body| body.keys.insert(0, body.keys[0].clone())),
    },
    Lie {
        name: "row body: slots out of order",
        expect: list!(NotAscending),
        apply: |block| {
            let index = row_where(block, |body| body.keys.iter().any(|entry| entry.slots.len() > 1))?;
            row_body(block, index, |body| {
                let entry = body.keys.iter_mut().find(|entry| entry.slots.len() > 1)?;
                entry.slots.reverse();
                Some(())
            })
        },
    },
    Lie {
        name: "row body: code twice",
        expect: list!(NotAscending),
        apply: |block| {
            let index = row_where(block, |body| !body.codes.is_empty())?;
            row_body(block, index, |body| body.codes.push(body.codes[body.codes.len() - 1]))
        },
    },
    Lie {
        name: "row body: an address without a key",
        expect: list!(Empty),
        apply: |block| {
            user_body(block, |body| {
                body.keys.insert(0, AddressKeys { address: Address::ZERO, account: None, slots: vec![] })
            })
        },
    },
    Lie {
        name: "row body: a value that was never written",
        expect: list!(NotAValue),
        apply: |block| account(block, |(version, account)| (*version, account.nonce) = (0, 1)),
    },
    Lie {
        name: "row body: no code, spelled as the hash of empty code",
        expect: list!(NotAValue),
        apply: |block| account(block, |(_, account)| account.code_hash = KECCAK256_EMPTY),
    },
    Lie {
        name: "row body: more keys than a row may have",
        expect: list!(TooMany),
        apply: |block| {
            let unused = |slot| SlotBefore { slot: U256::from(slot), version: 0, word: U256::ZERO };
            let slots = (0..=limits::ROW_ACCESSES).map(unused).collect();
            let entry = AddressKeys { address: Address::ZERO, account: None, slots };
            user_body(block, |body| body.keys.insert(0, entry))
        },
    },
    Lie {
        name: "row body: an account left out",
        expect: only!(Fault::Row {
            fault: RowFault::NotListed(Some(_), StateError::KeyNotListed(Key::Account(_))),
            ..
        }),
        apply: |block| {
            user_body(block, |body| {
                body.keys.iter_mut().find_map(|entry| entry.account.take())?;
                body.keys.retain(|entry| entry.account.is_some() || !entry.slots.is_empty());
                Some(())
            })
        },
    },
    Lie {
        name: "row body: a slot left out",
        expect: only!(Fault::Row { fault: RowFault::NotListed(_, StateError::KeyNotListed(Key::Slot(..))), .. }),
        apply: |block| {
            let index = row_where(block, |body| body.keys.iter().any(|entry| !entry.slots.is_empty()))?;
            row_body(block, index, |body| {
                body.keys.iter_mut().find(|entry| !entry.slots.is_empty())?.slots.remove(0);
                body.keys.retain(|entry| entry.account.is_some() || !entry.slots.is_empty());
                Some(())
            })
        },
    },
    Lie {
        name: "row body: the history slot of the opening row left out",
        expect: only!(Fault::Row { index: 0, fault: RowFault::NotListed(None, _) }),
        apply: |block| row_body(block, 0, |body| body.keys.clear()),
    },
    Lie {
        name: "row body: an account that is not used",
        expect: only!(Fault::Row { fault: RowFault::KeyNotUsed(Key::Account(_)), .. }),
        apply: |block| {
            let account = Some((0, Account::default()));
            let entry = AddressKeys { address: Address::ZERO, account, slots: vec![] };
            user_body(block, |body| body.keys.insert(0, entry))
        },
    },
    Lie {
        name: "row body: a slot that is not used",
        expect: only!(Fault::Row { fault: RowFault::KeyNotUsed(Key::Slot(..)), .. }),
        apply: |block| {
            user_body(block, |body| {
                let slot = SlotBefore { slot: U256::MAX, version: 3, word: U256::ONE };
                body.keys.first_mut()?.slots.push(slot);
                Some(())
            })
        },
    },
    Lie {
        name: "row body: a key of the closing row that is not used",
        expect: only!(Fault::Row { fault: RowFault::KeyNotUsed(_), .. }),
        apply: |block| {
            let entry = AddressKeys { address: Address::ZERO, account: Some((0, Account::default())), slots: vec![] };
            row_body(block, block.rows.len() - 1, |body| body.keys.insert(0, entry))
        },
    },
    Lie {
        name: "row body: code left out",
        expect: only!(Fault::Row { fault: RowFault::NotListed(Some(_), StateError::CodeNotListed(_)), .. }),
        apply: |block| {
            let index = row_where(block, |body| !body.codes.is_empty())?;
            row_body(block, index, |body| {
                body.codes.remove(0);
            })
        },
    },
    Lie {
        name: "row body: code that is not used",
        expect: only!(Fault::Row { fault: RowFault::CodeNotUsed(_), .. }),
        apply: |block| {
            let used = block.rows[user_row(block)?].effects.codes_used.clone();
            let (hash, code) = block.codes.iter().find(|(hash, _)| used.iter().all(|(used, _)| used != *hash))?;
            let code = CodeRef { hash: *hash, length: code.len() as u32 };
            user_body(block, |body| {
                body.codes.push(code);
                body.codes.sort()
            })
        },
    },
    Lie {
        name: "row body: code of another length",
        expect: only!(Fault::Row { fault: RowFault::CodeLength(_), .. }),
        apply: |block| {
            let index = row_where(block, |body| !body.codes.is_empty())?;
            row_body(block, index, |body| body.codes[0].length += 1)
        },
    },
    Lie {
        name: "row body: more code than a row may ask for",
        expect: only!(Fault::Row { fault: RowFault::CodeTooLong, .. }),
        apply: |block| {
            let index = row_where(block, |body| !body.codes.is_empty())?;
            row_body(block, index, |body| body.codes[0].length = u32::MAX)
        },
    },
    Lie {
        name: "row body: a wei more before",
        expect: only!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| account(block, |(_, account)| account.balance += U256::ONE),
    },
    Lie {
        name: "row body: another version of an account",
        expect: only!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| account(block, |(version, _)| *version += 1),
    },
    Lie {
        name: "row body: another version of a slot",
        expect: only!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| slot(block, |slot| slot.version += 1),
    },
    Lie {
        name: "row body: another word in a slot before",
        expect: only!(Fault::Row { fault: RowFault::Cell(_) | RowFault::Header(_), .. }),
        apply: |block| {
            slot(block, |slot| {
                slot.version = slot.version.max(1);
                slot.word += U256::ONE;
            })
        },
    },
    Lie {
        name: "row body: another version of the closing row's account",
        expect: only!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| {
            row_body(block, block.rows.len() - 1, |body| {
                let (version, _) = body.keys.first_mut()?.account.as_mut()?;
                *version += 1;
                Some(())
            })
        },
    },
    Lie {
        name: "row body: another sender's nonce",
        expect: only!(Fault::Row { fault: RowFault::Invalid(0, _), .. }),
        apply: |block| {
            let sender = transactions(block, user_row(block)?).first()?.sender();
            user_body(block, |body| {
                let entry = body.keys.iter_mut().find(|entry| entry.address == sender)?;
                let (version, account) = entry.account.as_mut()?;
                *version = (*version).max(1);
                account.nonce += 1;
                Some(())
            })
        },
    },
    Lie {
        name: "row body: code with a hash that nothing has",
        expect: super::not_committed!(ocelli_core::refusal::NotCommitted::NoCode(_)),
        apply: |block| {
            let code = CodeRef { hash: B256::repeat_byte(0xff), length: 1 };
            user_body(block, |body| body.codes.push(code))
        },
    },
];
