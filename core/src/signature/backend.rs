//! What keys can be recovered with on this machine.

#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
use super::lanes;
#[cfg(feature = "libsecp256k1")]
use super::library;
use super::{Signature, SignatureError, portable};
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx512Ifma;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use crate::cpu::FusedMultiplyAdd;
use crate::hash::Batch;
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, B512};
use k256::elliptic_curve::bigint::Word;

/// One way to recover keys. All give the same answers; one that exists can run on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Backend(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Portable,
    #[cfg(feature = "libsecp256k1")]
    Libsecp256k1,
    #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
    OneLane,
    #[cfg(target_arch = "x86_64")]
    Avx512Ifma(Avx512Ifma),
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    RelaxedSimd(FusedMultiplyAdd),
}

impl Backend {
    /// Plain Rust, one signature after the other: what every machine can run, and the specification of the rest.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The names of all backends, whether this machine can run them or not, the fastest last.
    pub const NAMES: &'static [&'static str] = &["portable", "libsecp256k1", "one-lane", "relaxed-simd", "avx512-ifma"];

    /// The backends that this machine can run, the fastest last.
    pub fn available() -> Vec<Self> {
        [Some(Self::PORTABLE), Self::library(), Self::lanes()].into_iter().flatten().collect()
    }

    /// The one that takes least time for `count` signatures.
    pub fn fastest(count: usize) -> Self {
        let lanes = if count < LANES_PAY { None } else { Self::lanes() };
        lanes.or_else(Self::library).unwrap_or(Self::PORTABLE)
    }

    /// libsecp256k1, if it was compiled in.
    const fn library() -> Option<Self> {
        #[cfg(feature = "libsecp256k1")]
        return Some(Self(Kind::Libsecp256k1));
        #[cfg(not(feature = "libsecp256k1"))]
        return None;
    }

    /// The one that this machine fills lanes with, if any.
    fn lanes() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512Ifma::detect().map(|cpu| Self(Kind::Avx512Ifma(cpu)));
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        return FusedMultiplyAdd::detect().map(|cpu| Self(Kind::RelaxedSimd(cpu)));
        #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
        return Some(Self(Kind::OneLane));
        #[cfg(not(any(target_arch = "x86_64", target_arch = "wasm32")))]
        return None;
    }

    /// Its name, one of [`Self::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(feature = "libsecp256k1")]
            Kind::Libsecp256k1 => "libsecp256k1",
            #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
            Kind::OneLane => "one-lane",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Ifma(_) => "avx512-ifma",
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedSimd(_) => "relaxed-simd",
        }
    }

    /// The public key under which `signature` is one of `prehash`; see [`super::recover_public_key`].
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn recover_public_key(self, prehash: &B256, signature: &Signature) -> Result<B512, SignatureError> {
        match self.0 {
            Kind::Portable => portable::recover(prehash, signature).ok_or(SignatureError::NoKey),
            #[cfg(feature = "libsecp256k1")]
            Kind::Libsecp256k1 => library::recover(prehash, signature).ok_or(SignatureError::NoKey),
            #[allow(unreachable_patterns, reason = "where there are no lanes")]
            _ => self.recover_public_keys(&[(*prehash, *signature)]).pop().unwrap_or(Err(SignatureError::NoKey)),
        }
    }

    /// The public key of each of `signed`, in order; see [`super::recover_public_key`].
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn recover_public_keys(self, signed: &[(B256, Signature)]) -> Vec<Result<B512, SignatureError>> {
        let keys = match self.0 {
            Kind::Portable => portable::recover_many(signed),
            #[cfg(feature = "libsecp256k1")]
            Kind::Libsecp256k1 => signed.iter().map(|(prehash, one)| library::recover(prehash, one)).collect(),
            #[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
            Kind::OneLane => lanes::recover_many_one_lane(signed),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Ifma(cpu) => lanes::recover_many_avx512_ifma(cpu, signed),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Kind::RelaxedSimd(cpu) => lanes::recover_many_relaxed_simd(cpu, signed),
        };
        keys.into_iter().map(|key| key.ok_or(SignatureError::NoKey)).collect()
    }

    /// The signer of each of `signed`, in order; see [`super::recover`].
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn recover_many(self, signed: &[(B256, Signature)]) -> Vec<Result<Address, SignatureError>> {
        let keys = self.recover_public_keys(signed);
        let mut hashes = Batch::new();
        for key in keys.iter().flatten() {
            hashes.push(&[key.as_slice()]);
        }
        let mut addresses = hashes.drain().map(Address::from_word);
        let mut next = || addresses.next().ok_or(SignatureError::NoKey);
        keys.iter().map(|key| key.and_then(|_| next())).collect()
    }
}

/// The fewest signatures that lanes recover sooner than one after the other. In wasm even one pays, unless there is wide
/// arithmetic: then k256 has limbs of 64 bits, and one alone goes to it.
const LANES_PAY: usize = if cfg!(target_arch = "wasm32") && Word::BITS == 32 { 1 } else { 2 };
