//! What is thrown: an `Error` whose `code` says whose fault it is. Codes are stable; messages are for people.

use js_sys::Reflect;
use ocelli_core::{attestation::AttestationError, params::ParamsError, wire::WireError};
use wasm_bindgen::JsValue;

/// Why a call was refused. Nothing is said about any block.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// Bytes are not an encoded object of the type.
    Wire(&'static str, WireError),
    /// This build cannot verify a chain with these parameters.
    Params(ParamsError),
    /// The configuration is of another chain than the caller pinned.
    OtherGenesis,
    /// The block is not of this chain, or its sequencer has not signed it.
    NotOfChain,
    /// An attestation is not anybody's.
    Attestation(AttestationError),
    /// Text is not a hash or an address in hexadecimal.
    NotHex(&'static str),
    /// A number does not fit JavaScript's integers, or an object lacks a field.
    Shape(String),
}

impl Failure {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Wire(..) => "MALFORMED",
            Self::Params(_) => "UNSUPPORTED_CHAIN",
            Self::OtherGenesis => "OTHER_GENESIS",
            Self::NotOfChain => "OTHER_CHAIN",
            Self::Attestation(_) => "NOT_ATTESTED",
            Self::NotHex(_) | Self::Shape(_) => "INVALID_ARGUMENT",
        }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wire(what, error) => write!(f, "not an encoded {what}: {error}"),
            Self::Params(error) => error.fmt(f),
            Self::OtherGenesis => f.write_str("the configuration has another genesis hash than the one expected"),
            Self::NotOfChain => f.write_str("the block is not of this chain, or its sequencer has not signed it"),
            Self::Attestation(error) => error.fmt(f),
            Self::NotHex(what) => write!(f, "{what} is not 0x and hexadecimal digits of the right length"),
            Self::Shape(what) => f.write_str(what),
        }
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = js_sys::Error::new(&failure.to_string());
        // A fresh `Error` takes any property, so this cannot fail.
        let _ = Reflect::set(&error, &"code".into(), &failure.code().into());
        error.into()
    }
}

impl From<serde_wasm_bindgen::Error> for Failure {
    fn from(error: serde_wasm_bindgen::Error) -> Self {
        Self::Shape(error.to_string())
    }
}
