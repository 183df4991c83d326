//! The transport encoding: postcard behind a version byte, with one encoding for each value.
//!
//! A body's hash is taken over these bytes, so decoding is strict: the length is bounded before anything is read, the
//! version is known, nothing is left over, and the value encodes to the same bytes again. That last rule refuses every
//! second spelling that postcard would accept (long varints, padded integers). Which of the rules a length breaks that is
//! spelled in more bytes than any length takes depends on how wide `usize` is, so both have one error.

use crate::{
    hash::{keccak256, keccak256_each},
    parallel::Parallel,
};
use alloc::vec::Vec;
use alloy_primitives::B256;
use core::marker::PhantomData;
use postcard::ser_flavors::Flavor;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};

/// The version byte that every encoded object begins with.
pub const VERSION: u8 = 1;

/// Bodies that one thread hashes at a time.
const HASHED_AT_ONCE: usize = 8;

/// Why bytes are not an encoded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than an object of this type may be.
    TooLong {
        /// The length that was met, in bytes.
        length: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// The first byte is not [`VERSION`].
    UnknownVersion,
    /// Not a value of the type in its one encoding: cut short, an unknown variant, something left over, a second spelling.
    Malformed,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong { length, limit } => {
                write!(f, "{length} bytes where at most {limit} are allowed")
            }
            Self::UnknownVersion => write!(f, "unknown encoding version"),
            Self::Malformed => write!(f, "not an object of this type in its one encoding"),
        }
    }
}

impl core::error::Error for WireError {}

/// The encoding of `value`.
///
/// Serialising to a growing buffer cannot fail for the types of this crate: they hold no maps of unknown length and no
/// type that postcard lacks. Should one ever be added, the empty result decodes to an error everywhere.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_about(value, 0)
}

/// [`encode`], where the encoding is expected to take no more than so many `bytes`: then it is not copied while it grows.
pub fn encode_about<T: Serialize>(value: &T, bytes: usize) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes);
    encoded.push(VERSION);
    let mut encoded = postcard::serialize_with_flavor(value, Encoded(encoded)).unwrap_or_default();
    // What is kept of it for long is not to take much more than it is.
    if encoded.len() < encoded.capacity() / 4 * 3 {
        encoded.shrink_to_fit();
    }
    encoded
}

/// An encoding that grows by whole slices.
struct Encoded(Vec<u8>);

impl Flavor for Encoded {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// Decodes `bytes` of at most `limit` bytes, accepting each value in one encoding only.
///
/// # Errors
/// [`WireError`], by the first rule that `bytes` break.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, WireError> {
    if bytes.len() > limit {
        return Err(WireError::TooLong { length: bytes.len(), limit });
    }
    let (version, content) = bytes.split_first().ok_or(WireError::Malformed)?;
    if *version != VERSION {
        return Err(WireError::UnknownVersion);
    }
    let (value, rest) = postcard::take_from_bytes::<T>(content).map_err(|_| WireError::Malformed)?;
    if rest.is_empty() && encode_about(&value, bytes.len()) == bytes { Ok(value) } else { Err(WireError::Malformed) }
}

/// The hash of an encoded body, which its header commits to.
pub fn body_hash(encoded: &[u8]) -> B256 {
    keccak256(encoded)
}

/// [`body_hash`] of each, in order: cheaper than one by one.
pub fn body_hashes(threads: &impl Parallel, bodies: &[&[u8]]) -> Vec<B256> {
    // As many at a time as are hashed side by side, or fewer, so that every thread has as much to do.
    let groups = bodies.len().div_ceil(HASHED_AT_ONCE).max(1);
    let groups: Vec<&[&[u8]]> = bodies.chunks(bodies.len().div_ceil(groups).max(1)).collect();
    threads.map(&groups, |group| keccak256_each(group)).into_iter().flatten().collect()
}

/// Deserialises a list of at most `MOST` elements, for lists whose elements take more room in memory than in an encoding.
///
/// # Errors
/// Those of `deserializer`; more elements.
pub fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct List<const MOST: usize, T>(PhantomData<T>);
    impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for List<MOST, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            write!(f, "at most {MOST} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = seq.next_element()? {
                if list.len() == MOST {
                    return Err(A::Error::invalid_length(MOST + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(List::<MOST, T>(PhantomData))
}

/// Serde form of a fixed-length byte string: its bytes, without a length.
pub mod raw {
    use alloy_primitives::FixedBytes;
    use core::fmt;
    use serde::{
        Deserializer, Serializer,
        de::{Error, SeqAccess, Visitor},
        ser::SerializeTuple,
    };

    /// Serialises `N` bytes as a tuple.
    ///
    /// # Errors
    /// Those of `serializer`.
    pub fn serialize<const N: usize, T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<FixedBytes<N>>,
        S: Serializer,
    {
        let bytes: FixedBytes<N> = (*value).into();
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in bytes.0 {
            tuple.serialize_element(&byte)?;
        }
        tuple.end()
    }

    /// Deserialises `N` bytes from a tuple.
    ///
    /// # Errors
    /// Those of `deserializer`, among them that the input ends early.
    pub fn deserialize<'de, const N: usize, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: From<FixedBytes<N>>,
        D: Deserializer<'de>,
    {
        struct Raw<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for Raw<N> {
            type Value = [u8; N];

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{N} bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut bytes = [0; N];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                }
                Ok(bytes)
            }
        }
        Ok(T::from(FixedBytes(deserializer.deserialize_tuple(N, Raw::<N>)?)))
    }
}

/// Serde form of a list of hashes: one string of all their bytes.
pub mod hashes {
    use alloc::vec::Vec;
    use alloy_primitives::B256;
    use core::{fmt, marker::PhantomData};
    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    /// Serialises `hashes`.
    ///
    /// # Errors
    /// Those of `serializer`.
    pub fn serialize<T: Copy + Into<B256>, S: Serializer>(hashes: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(32 * hashes.len());
        hashes.iter().for_each(|hash| bytes.extend_from_slice((*hash).into().as_slice()));
        serializer.serialize_bytes(&bytes)
    }

    /// Deserialises hashes, none of which is cut short.
    ///
    /// # Errors
    /// Those of `deserializer`; a length that is no multiple of 32.
    pub fn deserialize<'de, T: From<B256>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        struct Hashes<T>(PhantomData<T>);
        impl<T: From<B256>> Visitor<'_> for Hashes<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hashes of 32 bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<T>, E> {
                let (hashes, rest) = bytes.as_chunks();
                let whole = rest.is_empty().then(|| hashes.iter().map(|hash| T::from(B256::new(*hash))).collect());
                whole.ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Hashes(PhantomData))
    }
}

/// Serde form of a 256-bit integer: a length and its big-endian bytes without leading zeros.
pub mod compact {
    use alloy_primitives::U256;
    use core::fmt;
    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    /// Serialises `value`.
    ///
    /// # Errors
    /// Those of `serializer`.
    pub fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = value.to_be_bytes::<32>();
        serializer.serialize_bytes(bytes.get(bytes.len() - value.byte_len()..).unwrap_or_default())
    }

    /// Deserialises a value of at most 32 bytes without leading zeros.
    ///
    /// # Errors
    /// Those of `deserializer`; more than 32 bytes or a leading zero.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        struct Compact;
        impl Visitor<'_> for Compact {
            type Value = U256;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("up to 32 bytes without leading zeros")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<U256, E> {
                if bytes.first() == Some(&0) {
                    return Err(E::invalid_value(serde::de::Unexpected::Bytes(bytes), &self));
                }
                U256::try_from_be_slice(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Compact)
    }
}

/// Serde form of an account's code hash: a length and its bytes, none of them if there is no code. Most accounts have none.
pub mod code_hash {
    use alloy_primitives::B256;
    use core::fmt;
    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    /// Serialises `hash`.
    ///
    /// # Errors
    /// Those of `serializer`.
    pub fn serialize<S: Serializer>(hash: &B256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(if hash.is_zero() { &[] } else { hash.as_slice() })
    }

    /// Deserialises 32 bytes that are not all zero, or none.
    ///
    /// # Errors
    /// Those of `deserializer`; another length, or "no code" spelled out.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<B256, D::Error> {
        struct CodeHash;
        impl Visitor<'_> for CodeHash {
            type Value = B256;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes that are not all zero, or none")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<B256, E> {
                if bytes.is_empty() {
                    return Ok(B256::ZERO);
                }
                let hash = B256::try_from(bytes).map_err(|_| E::invalid_length(bytes.len(), &self))?;
                let spelled_out = || E::invalid_value(serde::de::Unexpected::Bytes(bytes), &self);
                if hash.is_zero() { Err(spelled_out()) } else { Ok(hash) }
            }
        }
        deserializer.deserialize_bytes(CodeHash)
    }
}
