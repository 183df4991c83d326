//! Whether a case ends as it has to.

use super::{
    block::{Beginning, CHAIN_ID},
    case::{Case, Signer},
    ethereum::{logs_hash, state_root},
    exceptions::{Exception, listed},
};
use crate::{
    chain::TestBlock,
    verdicts::{Check, Verdict, in_words, verdict},
    wallet::alloy_signature,
};
use alloy_consensus::{SignableTransaction, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    access::Access,
    evidence::Fault,
    evm::{Refused, RowEffects, Source},
    key::Key,
    manifest::RowKind,
    refusal::Refusal,
    row::{ExecutedRow, RowBuilder, RowFault, RowTotals},
    signature::SecretKey,
    transaction::{Recovered, Transaction, TransactionError},
    tree::Tree,
    value::Value,
};
use revm::context::result::InvalidTransaction;
use std::fmt;

/// How a case ended that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Executed as a row: root and logs are the expected ones, and the checks of rows and columns pass.
    Executed,
    /// Not valid, and refused for the reason expected, which is this.
    Refused(&'static str),
    /// A blob transaction, valid or not: refused as such.
    Blob,
    /// Not as the vectors say, for a reason that is listed.
    Excepted(Exception),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Executed => f.write_str("executed, and checked as rows and columns"),
            Self::Refused(reason) => write!(f, "refused as expected: {reason}"),
            Self::Blob => f.write_str("refused by design: a blob transaction"),
            Self::Excepted(exception) => write!(f, "not as the vectors say: {exception}"),
        }
    }
}

/// What is not as the vectors say.
#[derive(Debug)]
pub enum Wrong {
    /// Executed where a refusal is expected.
    Executed {
        /// The names of the reasons expected.
        expected: String,
    },
    /// Refused where execution or another refusal is expected.
    Refused {
        /// The refusal.
        by: NotTaken,
        /// The names of the reasons expected, if any are.
        expected: Option<String>,
    },
    /// A check ends otherwise than it has to.
    Check(Check, String),
    /// The state has another root.
    StateRoot {
        /// The root found.
        found: B256,
    },
    /// The logs have another hash.
    Logs,
    /// A case that is listed for this reason ends as the vectors say.
    Listed(Exception),
    /// No header holds the environment of the case, or no account its state.
    Environment,
    /// Not a file of state tests.
    File(String),
}

/// Why a transaction does not get into a row.
#[derive(Clone, Debug)]
pub enum NotTaken {
    /// It is refused whatever the state is.
    Decoding(TransactionError),
    /// It is refused by the rules of execution.
    Executing(Refused),
}

/// A case's block and how the case ended.
#[derive(Debug)]
pub struct Judged {
    /// The block with the transaction; where it is refused, a block that has it all the same.
    pub block: TestBlock,
    /// How it ended, or what is wrong.
    pub outcome: Result<Outcome, Wrong>,
}

/// Runs `case`, of `file`, from `beginning`, and takes the list of exceptions into account.
pub fn judge(file: &str, case: &Case<'_>, beginning: &Beginning) -> Judged {
    let Judged { block, outcome } = judge_strictly(case, beginning);
    let outcome = match (listed(file, &case.name()), outcome) {
        (Some(exception), Err(wrong)) if exception.explains(case.test, &wrong) => Ok(Outcome::Excepted(exception)),
        (Some(exception), Ok(_)) => Err(Wrong::Listed(exception)),
        (_, outcome) => outcome,
    };
    Judged { block, outcome }
}

fn judge_strictly(case: &Case<'_>, beginning: &Beginning) -> Judged {
    let bytes = replay_protected(&case.post.txbytes, &case.test.transaction);
    match execute(case, beginning, &bytes) {
        Ok(row) => {
            let block = beginning.block(row);
            let outcome = judge_executed(case, &block);
            Judged { block, outcome }
        }
        Err(refusal) => {
            let block = beginning.block(row_anyway(case, beginning, bytes));
            let outcome = judge_refused(case, beginning, &block, &refusal);
            Judged { block, outcome }
        }
    }
}

/// The transaction; signed again with a chain id if it is a legacy one without (EIP-155).
fn replay_protected(bytes: &Bytes, signer: &Signer) -> Bytes {
    let Ok(TxEnvelope::Legacy(signed)) = TxEnvelope::decode_2718_exact(bytes) else { return bytes.clone() };
    let mut transaction = signed.strip_signature();
    if transaction.chain_id.is_some() {
        return bytes.clone();
    }
    transaction.chain_id = Some(CHAIN_ID);
    let key = SecretKey::from_bytes(&signer.secret_key.0).expect("a key");
    let signature = alloy_signature(&key.sign(&transaction.signature_hash()));
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

fn execute(case: &Case<'_>, beginning: &Beginning, bytes: &Bytes) -> Result<ExecutedRow, NotTaken> {
    let transaction = Transaction::decode(bytes, CHAIN_ID, case.fork).map_err(NotTaken::Decoding)?;
    let recovered = Recovered::new(transaction).map_err(NotTaken::Decoding)?;
    let mut builder = RowBuilder::new(&beginning.env(), &beginning.state);
    builder.push(&recovered).map_err(NotTaken::Executing)?;
    Ok(builder.finish())
}

fn judge_executed(case: &Case<'_>, block: &TestBlock) -> Result<Outcome, Wrong> {
    if let Some(expected) = case.post.expect_exception.clone() {
        return Err(Wrong::Executed { expected });
    }
    for (check, verdict) in checks(block) {
        if verdict != Ok(()) {
            return Err(Wrong::Check(check, in_words(&verdict)));
        }
    }
    if logs_hash(block.rows.iter().flat_map(|row| &row.receipts)) != case.post.logs {
        return Err(Wrong::Logs);
    }
    expect_root(case, &block.assembled.state)?;
    Ok(Outcome::Executed)
}

fn expect_root(case: &Case<'_>, state: &Tree) -> Result<(), Wrong> {
    let found = state_root(state, &Beginning::not_ethereums());
    if found == case.post.hash { Ok(()) } else { Err(Wrong::StateRoot { found }) }
}

/// The checks of rows and columns; that of the block asks for the parent, which there is none of.
fn checks(block: &TestBlock) -> impl Iterator<Item = (Check, Verdict)> + '_ {
    let rows = (0..block.rows.len()).map(Check::Row);
    let columns = (0..block.assembled.column_bodies.len()).map(Check::Column);
    rows.chain(columns).map(|check| (check, verdict(block, check)))
}

/// A row that has the transaction although it is refused, and lists the one key that is asked for until then: its sender.
fn row_anyway(case: &Case<'_>, beginning: &Beginning, bytes: Bytes) -> ExecutedRow {
    let key = Key::Account(case.test.transaction.sender);
    let (version, before) = beginning.state.load(&key).expect("a state has every key");
    let code = match before {
        Value::Account(account) => beginning.state.codes.get_key_value(&account.code_hash),
        Value::Slot(_) => None,
    };
    let effects = RowEffects {
        accesses: vec![Access { key, version, before, after: None }],
        codes_used: code.map(|(hash, bytes)| (*hash, bytes.len() as u32)).into_iter().collect(),
        codes_made: Vec::new(),
    };
    let (transactions, receipts, totals) = (vec![bytes], Vec::new(), RowTotals::default());
    ExecutedRow { kind: RowKind::User, transactions, receipts, totals, effects }
}

fn judge_refused(case: &Case<'_>, beginning: &Beginning, block: &TestBlock, by: &NotTaken) -> Result<Outcome, Wrong> {
    let expected = case.post.expect_exception.as_deref();
    let wrong = || Wrong::Refused { by: by.clone(), expected: expected.map(Into::into) };
    let fault = match by {
        NotTaken::Decoding(error) => RowFault::Transaction(0, *error),
        NotTaken::Executing(Refused::Invalid(invalid)) => RowFault::Invalid(0, invalid.clone()),
        NotTaken::Executing(_) => return Err(wrong()),
    };
    let row = Check::Row(0);
    let verdict = verdict(block, row);
    if verdict != Err(Refusal::Fault(Fault::Row { index: 0, fault })) {
        return Err(Wrong::Check(row, in_words(&verdict)));
    }
    if matches!(by, NotTaken::Decoding(TransactionError::Blob)) {
        return Ok(Outcome::Blob);
    }
    let is_expected = |reason: &&&str| {
        let mut expected = expected.into_iter().flat_map(|reasons| reasons.split('|'));
        expected.any(|expected| expected.strip_prefix("TransactionException.") == Some(**reason))
    };
    let reason = reasons(by).iter().find(is_expected).ok_or_else(wrong)?;
    expect_root(case, &beginning.state.tree)?;
    Ok(Outcome::Refused(reason))
}

/// What the vectors call this refusal.
fn reasons(refusal: &NotTaken) -> &'static [&'static str] {
    match refusal {
        NotTaken::Decoding(TransactionError::Malformed) => &["RLP_INVALID_VALUE"],
        NotTaken::Decoding(TransactionError::NonceExhausted) => &["NONCE_IS_MAX"],
        NotTaken::Decoding(TransactionError::GasLimitTooHigh { .. }) => &["GAS_LIMIT_EXCEEDS_MAXIMUM"],
        NotTaken::Decoding(TransactionError::GasLimitTooLow { .. }) => &["INTRINSIC_GAS_TOO_LOW"],
        NotTaken::Decoding(TransactionError::TipAboveFee) => &["PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS"],
        NotTaken::Decoding(TransactionError::InitcodeTooLong) => &["INITCODE_SIZE_EXCEEDED"],
        NotTaken::Decoding(TransactionError::CostOverflow) => {
            &["GASLIMIT_PRICE_PRODUCT_OVERFLOW", "INSUFFICIENT_ACCOUNT_FUNDS"]
        }
        NotTaken::Executing(Refused::Invalid(invalid)) => match invalid {
            InvalidTransaction::LackOfFundForMaxFee { .. } => &["INSUFFICIENT_ACCOUNT_FUNDS"],
            InvalidTransaction::GasPriceLessThanBasefee => &["INSUFFICIENT_MAX_FEE_PER_GAS"],
            InvalidTransaction::CallerGasLimitMoreThanBlock => &["GAS_ALLOWANCE_EXCEEDED"],
            InvalidTransaction::RejectCallerWithCode => &["SENDER_NOT_EOA"],
            _ => &[],
        },
        _ => &[],
    }
}
