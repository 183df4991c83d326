//! A test switch: a sequencer that lies in one row of one block, so that what happens then can be seen.

use crate::executor::ExecutedBlock;
use alloy_primitives::U256;
use ocelli_core::{
    manifest::RowKind,
    value::{Account, Value},
};

/// Where to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// The height of the block that lies.
    pub height: u64,
}

impl Lie {
    /// Credits a wei from nowhere in the first row of transactions: row and column agree on it, execution contradicts it.
    pub(super) fn tell(&self, block: &mut ExecutedBlock) {
        let row = block.rows.iter_mut().find(|row| row.kind == RowKind::User);
        let accesses = row.into_iter().flat_map(|row| row.effects.accesses.iter_mut());
        for access in accesses {
            if let Some(Value::Account(account)) = &mut access.after {
                *account = Account { balance: account.balance.saturating_add(U256::ONE), ..*account };
                tracing::warn!(height = self.height, key = ?access.key, "lying, as the test switch says");
                return;
            }
        }
    }
}
