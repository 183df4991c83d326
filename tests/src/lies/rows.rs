//! Lies in the bodies of rows.

use super::{
    Lie,
    forge::{Made, row_body, row_bytes},
    only,
};
use crate::chain::TestBlock;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256};
use ocelli_core::{
    evidence::Fault,
    evm::StateError,
    key::Key,
    limits,
    manifest::RowKind,
    row::{
        CodeRef, ListError, RowBody, RowFault,
        body::{AccountBefore, SlotBefore},
    },
    wire::{self, WireError},
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
fn account(block: &mut TestBlock, edit: impl FnOnce(&mut AccountBefore)) -> Option<()> {
    user_body(block, |body| body.accounts.iter_mut().find(|before| before.version > 0).map(edit))
}

/// Changes the first slot that a row lists.
fn slot(block: &mut TestBlock, edit: impl FnOnce(&mut SlotBefore)) -> Option<()> {
    let index = row_where(block, |body| !body.slots.is_empty())?;
    row_body(block, index, |body| body.slots.first_mut().map(edit))
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
        name: "row body: a length in more bytes than a word of 32 bits takes",
        expect: malformed!(WireError::Malformed),
        apply: |block| {
            user_bytes(block, |bytes| {
                bytes[1] |= 0x80;
                bytes.splice(2..2, [0x80, 0x80, 0x80, 0x80, 0]);
            })
        },
    },
    Lie {
        name: "row body: in a second spelling",
        expect: malformed!(WireError::Malformed),
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
        name: "row body: code twice",
        expect: list!(NotAscending),
        apply: |block| {
            let index = row_where(block, |body| !body.codes.is_empty())?;
            row_body(block, index, |body| body.codes.push(body.codes[body.codes.len() - 1]))
        },
    },
    Lie {
        name: "row body: an account's value that was never written",
        expect: list!(NotAValue),
        apply: |block| account(block, |before| (before.version, before.account.nonce) = (0, 1)),
    },
    Lie {
        name: "row body: a word that was never written",
        expect: list!(NotAValue),
        apply: |block| slot(block, |slot| (slot.version, slot.word) = (0, U256::ONE)),
    },
    Lie {
        name: "row body: no code, spelled as the hash of empty code",
        expect: list!(NotAValue),
        apply: |block| account(block, |before| before.account.code_hash = KECCAK256_EMPTY),
    },
    Lie {
        name: "row body: no code, spelled out",
        expect: malformed!(WireError::Malformed),
        apply: |block| {
            user_bytes(block, |bytes| {
                let mut body: RowBody = wire::decode(bytes, usize::MAX).unwrap_or_default();
                body.codes.clear();
                body.slots.clear();
                body.accounts = vec![AccountBefore::default()];
                *bytes = wire::encode(&body);
                // Behind the only account's code, which has no byte, stand two lists without elements.
                bytes.truncate(bytes.len() - 3);
                bytes.push(32);
                bytes.extend([0; 32 + 2]);
            })
        },
    },
    Lie {
        name: "row body: more accounts than a row may have keys",
        expect: malformed!(WireError::Malformed),
        apply: |block| {
            user_body(block, |body| body.accounts.resize(limits::ROW_ACCESSES + 1, AccountBefore::default()))
        },
    },
    Lie {
        name: "row body: more slots than a row may have keys",
        expect: malformed!(WireError::Malformed),
        apply: |block| user_body(block, |body| body.slots.resize(limits::ROW_ACCESSES + 1, SlotBefore::default())),
    },
    Lie {
        name: "row body: the last account left out",
        expect: only!(Fault::Row {
            fault: RowFault::NotListed(Some(_), StateError::KeyNotListed(Key::Account(_))),
            ..
        }),
        apply: |block| user_body(block, |body| body.accounts.pop().map(drop)),
    },
    Lie {
        name: "row body: the last slot left out",
        expect: only!(Fault::Row { fault: RowFault::NotListed(_, StateError::KeyNotListed(Key::Slot(..))), .. }),
        apply: |block| {
            let index = row_where(block, |body| !body.slots.is_empty())?;
            row_body(block, index, |body| body.slots.pop().map(drop))
        },
    },
    Lie {
        name: "row body: the history slot of the opening row left out",
        expect: only!(Fault::Row { index: 0, fault: RowFault::NotListed(None, _) }),
        apply: |block| row_body(block, 0, |body| body.slots.clear()),
    },
    Lie {
        name: "row body: two accounts in the other order",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..) | RowFault::Cell(_) | RowFault::Header(_), .. }),
        apply: |block| {
            user_body(block, |body| {
                let first = *body.accounts.first()?;
                let other = body.accounts.iter().position(|before| *before != first)?;
                body.accounts.swap(0, other);
                Some(())
            })
        },
    },
    Lie {
        name: "row body: an account that is not used",
        expect: only!(Fault::Row { fault: RowFault::BeforeNotUsed, .. }),
        apply: |block| user_body(block, |body| body.accounts.push(AccountBefore::default())),
    },
    Lie {
        name: "row body: a slot that is not used",
        expect: only!(Fault::Row { fault: RowFault::BeforeNotUsed, .. }),
        apply: |block| user_body(block, |body| body.slots.push(SlotBefore { version: 3, word: U256::ONE })),
    },
    Lie {
        name: "row body: an account that the opening row does not use",
        expect: only!(Fault::Row { index: 0, fault: RowFault::BeforeNotUsed }),
        apply: |block| row_body(block, 0, |body| body.accounts.push(AccountBefore::default())),
    },
    Lie {
        name: "row body: an account that the closing row does not use",
        expect: only!(Fault::Row { fault: RowFault::BeforeNotUsed, .. }),
        apply: |block| row_body(block, block.rows.len() - 1, |body| body.accounts.push(AccountBefore::default())),
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
        apply: |block| account(block, |before| before.account.balance += U256::ONE),
    },
    Lie {
        name: "row body: another version of an account",
        expect: only!(Fault::Row { fault: RowFault::Cell(_), .. }),
        apply: |block| account(block, |before| before.version += 1),
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
                body.accounts.first_mut()?.version += 1;
                Some(())
            })
        },
    },
    Lie {
        name: "row body: another sender's nonce",
        expect: only!(Fault::Row { fault: RowFault::Invalid(0, _), .. }),
        apply: |block| {
            user_body(block, |body| {
                // The first transaction's sender is the first to be asked for.
                let sender = body.accounts.first_mut()?;
                sender.version = sender.version.max(1);
                sender.account.nonce += 1;
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
