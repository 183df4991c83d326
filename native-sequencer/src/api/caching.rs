//! Answers in the core's encoding, with what caches may do with them.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NEVER: HeaderValue = HeaderValue::from_static("no-store");

/// Bytes that may differ the next time.
pub(super) fn changing(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, BINARY), (header::CACHE_CONTROL, NEVER)], Bytes::from(bytes)).into_response()
}

/// The strong tag of what the path names by a hash: unquoted, of characters that a tag may have.
#[derive(Clone, Debug)]
pub(super) struct Tag(HeaderValue);

impl Tag {
    pub(super) fn new(name: &str) -> Option<Self> {
        HeaderValue::from_str(&format!("\"{name}\"")).ok().map(Self)
    }

    /// Whether who asks has it already (RFC 9110, 13.1.2).
    pub(super) fn is_known(&self, asked: &HeaderMap) -> bool {
        let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
        let tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        let own = self.0.to_str().unwrap_or_default();
        tags.into_iter().any(|tag| tag == "*" || tag == own)
    }

    /// What is answered to who has it already.
    pub(super) fn not_modified(self) -> Response {
        (StatusCode::NOT_MODIFIED, [(header::ETAG, self.0), (header::CACHE_CONTROL, FOREVER)]).into_response()
    }

    /// Bytes that will never differ.
    pub(super) fn immutable(self, bytes: impl Into<Bytes>) -> Response {
        let headers = [(header::CONTENT_TYPE, BINARY), (header::CACHE_CONTROL, FOREVER), (header::ETAG, self.0)];
        (headers, bytes.into()).into_response()
    }
}
