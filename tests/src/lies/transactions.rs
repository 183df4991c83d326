//! Lies about which transactions a row has.

use super::{
    Lie, among,
    forge::{Made, row_body, transactions},
    only,
};
use crate::{
    chain::TestBlock,
    wallet::{CHAIN_ID, MAX_FEE, TIP, Wallet},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use ocelli_core::{
    evidence::Fault,
    evm::StateError,
    manifest::RowKind,
    row::{RowBody, RowFault, RowHeaderField},
    signature::SignatureError,
    transaction::TransactionError,
};

/// The first row of users.
fn user_row(block: &TestBlock) -> Option<usize> {
    block.rows.iter().position(|row| row.kind == RowKind::User)
}

/// Changes the body of the first row of users.
fn user_body<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut RowBody) -> M) -> Option<()> {
    let index = user_row(block)?;
    row_body(block, index, edit)
}

/// A transfer by the sender of the first transaction, signed by `signer` if not by the sender.
fn transfer(block: &TestBlock, index: usize, edit: impl FnOnce(&mut TxEip1559), signer: Option<u64>) -> Option<Bytes> {
    let (sender, nonce) = sender(block, index)?;
    let mut transfer = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: MAX_FEE,
        max_priority_fee_per_gas: TIP,
        to: TxKind::Call(sender.address()),
        value: U256::ONE,
        access_list: Default::default(),
        input: Bytes::new(),
    };
    edit(&mut transfer);
    let signer = signer.map_or(sender, Wallet::new);
    Some(signer.sign(transfer).transaction().encoded().clone())
}

/// The wallet that sent a row's first transaction, and its next nonce after the row.
fn sender(block: &TestBlock, index: usize) -> Option<(Wallet, u64)> {
    let transactions = transactions(block, index);
    let first = transactions.first()?;
    let sent = transactions.iter().filter(|transaction| transaction.sender() == first.sender()).count() as u64;
    let wallet = (0..16).map(Wallet::new).find(|wallet| wallet.address() == first.sender())?;
    Some((wallet, first.nonce() + sent))
}

/// Appends a transfer by a sender of the first row of users.
fn append(block: &mut TestBlock, edit: impl FnOnce(&mut TxEip1559), signer: Option<u64>) -> Option<()> {
    let index = user_row(block)?;
    let bytes = transfer(block, index, edit, signer)?;
    row_body(block, index, |body| body.transactions.push(bytes))
}

/// A transfer with a signature that is not its sender's.
fn append_signed(block: &mut TestBlock, signature: Signature) -> Option<()> {
    let transfer = TxEip1559 { chain_id: CHAIN_ID, gas_limit: 21_000, to: TxKind::Create, ..Default::default() };
    let transfer = TxEip1559 { to: TxKind::Call(Address::ZERO), ..transfer };
    let bytes = TxEnvelope::from(transfer.into_signed(signature)).encoded_2718();
    user_body(block, |body| body.transactions.push(bytes.into()))
}

/// A transaction that is none, for this reason.
macro_rules! transaction {
    ($error:pat) => {
        only!(Fault::Row { fault: RowFault::Transaction(_, $error), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "transactions: all dropped",
        expect: only!(Fault::Row { fault: RowFault::TransactionCount, .. }),
        apply: |block| user_body(block, |body| body.transactions.clear()),
    },
    Lie {
        name: "transactions: the last one dropped",
        expect: only!(Fault::Row {
            fault: RowFault::BeforeNotUsed | RowFault::CodeNotUsed(_) | RowFault::Header(_),
            ..
        }),
        apply: |block| {
            user_body(block, |body| {
                body.transactions.pop();
                (!body.transactions.is_empty()).then_some(())
            })
        },
    },
    Lie {
        name: "transactions: the first one dropped",
        expect: among!(Fault::Row {
            fault: RowFault::BeforeNotUsed | RowFault::CodeNotUsed(_) | RowFault::Header(_) | RowFault::Invalid(..),
            ..
        }),
        apply: |block| {
            user_body(block, |body| {
                body.transactions.remove(0);
                (!body.transactions.is_empty()).then_some(())
            })
        },
    },
    Lie {
        name: "transactions: one added",
        expect: only!(Fault::Row { fault: RowFault::Header(RowHeaderField::TxCount), .. }),
        apply: |block| append(block, |_| {}, None),
    },
    Lie {
        name: "transactions: one added by somebody who has nothing to do with the row",
        expect: only!(Fault::Row { fault: RowFault::NotListed(Some(_), StateError::KeyNotListed(_)), .. }),
        apply: |block| append(block, |transfer| transfer.nonce = 0, Some(15)),
    },
    Lie {
        name: "transactions: one replaced",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..), .. }),
        apply: |block| {
            let index = user_row(block)?;
            let bytes = transfer(block, index, |_| {}, None)?;
            row_body(block, index, |body| body.transactions[0] = bytes)
        },
    },
    Lie {
        name: "transactions: one signed by somebody else",
        // Whoever signed spends from the account that the body lists first; how far that goes depends on what follows.
        expect: only!(Fault::Row {
            fault: RowFault::Header(_) | RowFault::Invalid(..) | RowFault::NotListed(..) | RowFault::BeforeNotUsed,
            ..
        }),
        apply: |block| {
            let index = user_row(block)?;
            let nonce = transactions(block, index).first()?.nonce();
            let bytes = transfer(block, index, |transfer| transfer.nonce = nonce, Some(15))?;
            row_body(block, index, |body| body.transactions[0] = bytes)
        },
    },
    Lie {
        name: "transactions: two of one sender in the other order",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..), .. }),
        apply: |block| {
            let of_one_sender = |index: usize| {
                let senders: Vec<Address> = transactions(block, index).iter().map(|one| one.sender()).collect();
                let again = |at: usize| senders[..at].iter().position(|sender| *sender == senders[at]);
                (0..senders.len()).find_map(|at| Some((index, again(at)?, at)))
            };
            let (index, first, second) = (0..block.rows.len()).find_map(of_one_sender)?;
            row_body(block, index, |body| body.transactions.swap(first, second))
        },
    },
    Lie {
        name: "transactions: all in the other order",
        expect: only!(Fault::Row { fault: RowFault::Header(_) | RowFault::Invalid(..) | RowFault::NotListed(..), .. }),
        apply: |block| {
            user_body(block, |body| {
                body.transactions.reverse();
                (body.transactions.len() > 1).then_some(())
            })
        },
    },
    Lie {
        name: "transactions: one twice",
        expect: only!(Fault::Row { fault: RowFault::Invalid(1, _), .. }),
        apply: |block| user_body(block, |body| body.transactions.insert(1, body.transactions[0].clone())),
    },
    Lie {
        name: "transactions: one with a nonce to come",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..), .. }),
        apply: |block| append(block, |transfer| transfer.nonce += 1, None),
    },
    Lie {
        name: "transactions: one that offers less than the base fee",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..), .. }),
        apply: |block| {
            append(block, |transfer| (transfer.max_fee_per_gas, transfer.max_priority_fee_per_gas) = (1, 0), None)
        },
    },
    Lie {
        name: "transactions: one that nobody could pay for",
        expect: only!(Fault::Row { fault: RowFault::Invalid(..), .. }),
        apply: |block| append(block, |transfer| transfer.value = U256::MAX >> 1, None),
    },
    Lie {
        name: "transactions: one for another chain",
        expect: transaction!(TransactionError::OtherChain { .. }),
        apply: |block| {
            let index = user_row(block)?;
            let (sender, nonce) = sender(block, index)?;
            let transfer = TxEip1559 { chain_id: 1, nonce, gas_limit: 21_000, ..Default::default() };
            let transfer = TxEip1559 { to: TxKind::Call(Address::ZERO), ..transfer };
            let bytes = sender.encode(transfer);
            row_body(block, index, |body| body.transactions.push(bytes))
        },
    },
    Lie {
        name: "transactions: one that nobody can have signed",
        expect: transaction!(TransactionError::Signature(SignatureError::NoKey)),
        // No point of the curve has x = 5.
        apply: |block| append_signed(block, Signature::new(U256::from(5), U256::ONE, false)),
    },
    Lie {
        name: "transactions: one with a signature of zero",
        expect: transaction!(TransactionError::Signature(SignatureError::ROutOfRange)),
        apply: |block| append_signed(block, Signature::new(U256::ZERO, U256::ZERO, false)),
    },
    Lie {
        name: "transactions: one with the twin of a signature",
        expect: transaction!(TransactionError::Signature(SignatureError::HighS)),
        apply: |block| append_signed(block, Signature::new(U256::ONE, U256::from(1).wrapping_shl(255), false)),
    },
    Lie {
        name: "transactions: blobs",
        expect: transaction!(TransactionError::Blob),
        apply: |block| user_body(block, |body| body.transactions.push(vec![3, 0xc0].into())),
    },
    Lie {
        name: "transactions: of a type to come",
        expect: transaction!(TransactionError::UnknownType(5)),
        apply: |block| user_body(block, |body| body.transactions.push(vec![5, 0xc0].into())),
    },
    Lie {
        name: "transactions: no bytes",
        expect: transaction!(TransactionError::Malformed),
        apply: |block| user_body(block, |body| body.transactions.push(Bytes::new())),
    },
    Lie {
        name: "transactions: one with something left over",
        expect: transaction!(TransactionError::Malformed),
        apply: |block| {
            user_body(block, |body| {
                let first = body.transactions.first_mut()?;
                *first = [first, &[0][..]].concat().into();
                Some(())
            })
        },
    },
    Lie {
        name: "transactions: one in the opening row",
        expect: only!(Fault::Row { index: 0, fault: RowFault::TransactionCount }),
        apply: |block| {
            let bytes = block.rows[user_row(block)?].transactions[0].clone();
            row_body(block, 0, |body| body.transactions.push(bytes))
        },
    },
    Lie {
        name: "transactions: one in the closing row",
        expect: only!(Fault::Row { fault: RowFault::TransactionCount, .. }),
        apply: |block| {
            let bytes = block.rows[user_row(block)?].transactions[0].clone();
            row_body(block, block.rows.len() - 1, |body| body.transactions.push(bytes))
        },
    },
];
