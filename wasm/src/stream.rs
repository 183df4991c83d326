//! The frames that verifiers follow.

use crate::{
    chain::decode,
    error::Failure,
    shapes::{Binary, StreamEvent, TaskList, to_js},
};
use ocelli_core::{attestation::SignedAttestation, certificate::Certificate, limits, message::StreamMessage, wire};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// Most bytes of a frame: the largest object that one carries, and its envelope.
const FRAME_BYTES: usize = limits::CERTIFICATE_BYTES + 64;

/// Decodes one frame of the stream.
///
/// # Errors
/// `MALFORMED`.
#[wasm_bindgen(js_name = decodeStreamMessage, unchecked_return_type = "StreamEvent")]
pub fn decode_stream_message(frame: &[u8]) -> Result<JsValue, Failure> {
    let message = decode("stream message", frame, FRAME_BYTES)?;
    to_js(&match message {
        StreamMessage::Sealed { signed, .. } => StreamEvent::Sealed {
            height: signed.header.height,
            term: signed.header.term,
            hash: signed.header.hash(),
            header: Binary(wire::encode(&signed)),
        },
        StreamMessage::Checked { attestation } => checked(attestation.into())?,
        StreamMessage::Attested { certificate } => attested(certificate.into())?,
        StreamMessage::Fault { height, evidence } => StreamEvent::Fault { height, evidence },
        StreamMessage::Lagged => StreamEvent::Lagged,
    })
}

fn checked(bytes: Vec<u8>) -> Result<StreamEvent, Failure> {
    let SignedAttestation { attestation, .. } = decode("attestation", &bytes, limits::ATTESTATION_BYTES)?;
    Ok(StreamEvent::Checked {
        attestation: Binary(bytes),
        height: attestation.height(),
        header: attestation.header(),
        blocks: TaskList::of(&attestation),
    })
}

fn attested(bytes: Vec<u8>) -> Result<StreamEvent, Failure> {
    let certificate: Certificate = decode("certificate", &bytes, limits::CERTIFICATE_BYTES)?;
    let (after, height, top) = (certificate.after, certificate.height, certificate.top());
    Ok(StreamEvent::Attested { certificate: Binary(bytes), after, height, top })
}
