//! Accesses: what a row does to state, and cells: the part of it that falls in one column.

use crate::{
    hash::Preimage,
    key::Key,
    prefix::path_head,
    value::{Value, Version},
};
use alloc::vec::Vec;
use alloy_primitives::B256;

/// The bytes of the longest layout of an access: that of an account that a row changed.
const LAYOUT_BYTES_MOST: usize = 1 + 20 + 8 + 72 + 1 + 72;

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
    let accesses = accesses.into_iter();
    let preimage = Preimage::with_room(accesses.size_hint().0 * LAYOUT_BYTES_MOST);
    accesses.fold(preimage, |preimage, access| access.append_to(preimage)).into_bytes()
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
    let placed: Vec<(B256, &Access)> = paths.into_iter().zip(&accesses).collect();
    let order = by_path(placed.iter(), |(path, _)| path);
    order.map(|(path, access)| Placed { path: *path, access: **access }).collect()
}

/// `items` ascending by path; those at one path keep their order.
pub(crate) fn by_path<'a, T: 'a>(
    items: impl Iterator<Item = &'a T>,
    path: impl Fn(&T) -> &B256,
) -> impl ExactSizeIterator<Item = &'a T> {
    // What is compared stands side by side; whole paths, which are elsewhere in memory, are asked for where that is not enough.
    let mut order: Vec<(u64, &T)> = items.map(|item| (path_head(path(item)), item)).collect();
    order.sort_by(|(head, item), (other_head, other)| head.cmp(other_head).then_with(|| path(item).cmp(path(other))));
    order.into_iter().map(|(_, item)| item)
}
