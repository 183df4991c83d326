//! Accesses: what a row does to state, and cells: the part of it that falls in one column.

use crate::{
    hash::Preimage,
    key::Key,
    value::{Value, Version},
};
use alloc::vec::Vec;
use alloy_primitives::B256;

/// One row's use of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The key.
    pub key: Key,
    /// Its version before the row.
    pub version: Version,
    /// What it held before the row.
    pub before: Value,
    /// What it holds after the row, if the row changed it; never equal to `before`.
    pub after: Option<Value>,
}

impl Access {
    /// The version after the row: one more if the row wrote the key.
    pub const fn version_after(&self) -> Version {
        self.version.saturating_add(self.after.is_some() as u64)
    }

    /// Appends the access in its fixed layout: kind (0 account, 1 slot), address, slot if any, version, before, whether
    /// it changed (0 or 1), after if it did.
    fn append_to(&self, preimage: Preimage) -> Preimage {
        let preimage = match &self.key {
            Key::Account(address) => preimage.u8(0).address(address),
            Key::Slot(address, slot) => preimage.u8(1).address(address).u256(slot),
        };
        let preimage = self.before.append_to(preimage.u64(self.version));
        match &self.after {
            None => preimage.u8(0),
            Some(after) => after.append_to(preimage.u8(1)),
        }
    }
}

/// The leaf of a cell in its column's cells tree: the layouts of its accesses in order of their paths, one after the other.
/// The empty cell is the empty string.
pub fn cell_leaf<'a>(accesses: impl IntoIterator<Item = &'a Access>) -> Vec<u8> {
    accesses.into_iter().fold(Preimage::new(), |preimage, access| access.append_to(preimage)).into_bytes()
}

/// An access with the path of its key, which is what orders accesses everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The path of the access's key.
    pub path: B256,
    /// The access.
    pub access: Access,
}

impl Placed {
    /// Places `access` by the path of its key.
    pub fn new(access: Access) -> Self {
        Self { path: access.key.path(), access }
    }
}

/// Places accesses and puts them into the one order: ascending paths.
pub fn place(accesses: impl IntoIterator<Item = Access>) -> Vec<Placed> {
    let accesses: Vec<Access> = accesses.into_iter().collect();
    let paths = Key::paths(accesses.iter().map(|access| &access.key));
    // An access is long, so it is moved once, when its place is known.
    let mut order: Vec<(B256, &Access)> = paths.into_iter().zip(&accesses).collect();
    order.sort_unstable_by_key(|(path, _)| *path);
    order.into_iter().map(|(path, access)| Placed { path, access: *access }).collect()
}
