//! Columns: ranges of key paths; the unit of state.
//!
//! [`verify_column`] is the other of the two checks: told what is after, it finds out what was before.

pub mod body;
pub mod check;
mod packed;
pub mod split;

pub use body::{CellAccess, ColumnBody, ColumnKey, RowCell};
pub use check::{ColumnFault, verify_column};
pub use split::{BuiltColumn, OpenColumns, SplitError, build_columns};
