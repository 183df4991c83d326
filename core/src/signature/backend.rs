//! What keys can be recovered with on this machine.

#[cfg(target_arch = "x86_64")]
use super::lanes;
use super::{Signature, SignatureError, portable};
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx512Ifma;
use crate::hash::Batch;
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, B512};

/// One way to recover keys. All give the same answers; one that exists can run on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Backend(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx512Ifma(Avx512Ifma),
}

impl Backend {
    /// Plain Rust, one signature after the other: what every machine can run, and the specification of the rest.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The names of all backends, whether this machine can run them or not, the fastest last.
    pub const NAMES: &'static [&'static str] = &["portable", "avx512-ifma"];

    /// The backends that this machine can run, the fastest last.
    pub fn available() -> Vec<Self> {
        [Some(Self::PORTABLE), Self::avx512_ifma()].into_iter().flatten().collect()
    }

    /// The one that takes least time for `count` signatures.
    pub fn fastest(count: usize) -> Self {
        if count < LANES_PAY { Self::PORTABLE } else { Self::avx512_ifma().unwrap_or(Self::PORTABLE) }
    }

    fn avx512_ifma() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512Ifma::detect().map(|cpu| Self(Kind::Avx512Ifma(cpu)));
        #[cfg(not(target_arch = "x86_64"))]
        return None;
    }

    /// Its name, one of [`Self::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Ifma(_) => "avx512-ifma",
        }
    }

    /// The public key of each of `signed`, in order; see [`super::recover_public_key`].
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn recover_public_keys(self, signed: &[(B256, Signature)]) -> Vec<Result<B512, SignatureError>> {
        let keys = match self.0 {
            Kind::Portable => portable::recover_many(signed),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Ifma(cpu) => lanes::recover_many_avx512_ifma(cpu, signed),
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

/// The fewest signatures that lanes recover sooner than one after the other.
const LANES_PAY: usize = 2;
