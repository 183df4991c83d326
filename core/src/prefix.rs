//! Prefixes: the ranges of key paths that the state is cut into.

use crate::limits::PATH_BITS;
use alloc::vec::Vec;
use alloy_primitives::{B256, U256};
use core::fmt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// The first 64 bits of a path: nearly always enough to say which of two comes first, and compared by one instruction.
pub(crate) fn path_head(path: &B256) -> u64 {
    path.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// The bit of `path` at `depth`, counted from the most significant bit of the first byte; `false` beyond the last.
pub fn path_bit(path: &B256, depth: u16) -> bool {
    path.get(usize::from(depth / 8)).is_some_and(|byte| byte & (0x80 >> (depth % 8)) != 0)
}

/// The first bits of a path, 0 to 256 of them: a node's place in the state tree and the range of all paths below it.
///
/// Ordered from left to right, a range before the ranges inside it. Serialised as a byte string: its bits, a one, and
/// zeros up to a whole byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Zero beyond `length`.
    bits: B256,
    length: u16,
}

impl Prefix {
    /// The prefix of every path.
    pub const fn root() -> Self {
        Self { bits: B256::ZERO, length: 0 }
    }

    /// The first `length` bits of `bits`; `None` if `length` is over 256 or if a bit beyond it is set.
    pub fn new(length: u16, bits: B256) -> Option<Self> {
        Self::of(&bits, length).filter(|prefix| prefix.bits == bits)
    }

    /// The first `length` bits of `path`; `None` if `length` is over 256.
    pub fn of(path: &B256, length: u16) -> Option<Self> {
        let beyond = PATH_BITS.checked_sub(usize::from(length))?;
        // Shifting a U256 by 256 gives zero.
        let bits = U256::from_be_bytes(path.0) >> beyond << beyond;
        Some(Self { bits: B256::new(bits.to_be_bytes()), length })
    }

    /// How many bits it has, 0 to 256.
    pub const fn length(&self) -> u16 {
        self.length
    }

    /// Its bits, and zeros from there to 256: the least path below it.
    pub const fn bits(&self) -> B256 {
        self.bits
    }

    /// The left (`false`) or right half; `None` if this is a whole path.
    pub fn child(&self, bit: bool) -> Option<Self> {
        let mut bits = self.bits;
        let byte = bits.get_mut(usize::from(self.length / 8))?;
        *byte |= (u8::from(bit) << 7) >> (self.length % 8);
        Some(Self { bits, length: self.length + 1 })
    }

    /// The range that this is a half of, and which half; `None` if this is the root.
    pub fn parent(&self) -> Option<(Self, bool)> {
        let length = self.length.checked_sub(1)?;
        Some((Self::of(&self.bits, length)?, path_bit(&self.bits, length)))
    }

    /// Whether `path` begins with it.
    pub fn contains(&self, path: &B256) -> bool {
        Self::of(path, self.length) == Some(*self)
    }

    /// Whether `other` is this range or lies inside it.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(&other.bits)
    }

    /// Of `items`, ascending by path, those whose path begins with it.
    pub fn range_of<'a, T>(&self, items: &'a [T], path: impl Fn(&T) -> &B256) -> &'a [T] {
        let begin = items.partition_point(|item| *path(item) < self.bits);
        let items = items.get(begin..).unwrap_or_default();
        let end = items.partition_point(|item| self.contains(path(item)));
        items.get(..end).unwrap_or_default()
    }
}

/// Whether the space of all paths is covered by `prefixes`, each path once and from left to right.
pub fn covers_once<'a>(prefixes: impl IntoIterator<Item = &'a Prefix>) -> bool {
    // Where the next prefix must begin; `None` when the end of the space is reached.
    let mut next = Some(U256::ZERO);
    for prefix in prefixes {
        if next != Some(U256::from_be_bytes(prefix.bits.0)) {
            return false;
        }
        let width = U256::ONE.checked_shl(PATH_BITS - usize::from(prefix.length));
        next = next.and_then(|begin| begin.checked_add(width?));
    }
    next.is_none()
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = usize::from(self.length / 8);
        let mut bytes: Vec<u8> = self.bits.iter().copied().take(whole).collect();
        let rest = self.bits.get(whole).copied().unwrap_or_default();
        bytes.push(rest | (0x80 >> (self.length % 8)));
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bits;
        impl Visitor<'_> for Bits {
            type Value = Prefix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("up to 256 bits, a one, and zeros up to a whole byte")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Prefix, E> {
                let prefix = (|| {
                    let (last, whole) = bytes.split_last()?;
                    let used = 7_u16.checked_sub(u16::try_from(last.trailing_zeros()).ok()?)?;
                    let length = u16::try_from(whole.len()).ok()?.checked_mul(8)?.checked_add(used)?;
                    let mut bits = B256::ZERO;
                    bits.get_mut(..whole.len())?.copy_from_slice(whole);
                    if let Some(byte) = bits.get_mut(whole.len()) {
                        // The last byte without the one that ends it.
                        *byte = last & (last - 1);
                    }
                    Prefix::new(length, bits)
                })();
                prefix.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Bytes(bytes), &self))
            }
        }
        deserializer.deserialize_bytes(Bits)
    }
}
