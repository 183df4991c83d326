//! The demo page, inside the binary.

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

/// What the build made of `web-demo`; empty if it was not built.
#[derive(Embed)]
#[folder = "../web-demo/dist"]
#[allow_missing = true]
struct Files;

/// Everything from this origin, WebAssembly but no `eval`, and connections to wherever a chain is.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http: https: ws: wss:; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Serves the page at `/`.
pub fn router() -> Router {
    Router::new()
        .route("/", axum::routing::get(|| async { file("index.html") }))
        .fallback(|uri: Uri| async move { file(uri.path().trim_start_matches('/')) })
}

/// One file of the page.
pub fn file(path: &str) -> Response {
    let Some(found) = Files::get(path) else { return missing(path) };
    let EmbeddedFile { data, metadata } = found;
    // The build puts a hash into the names of its assets.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, metadata.mimetype().to_owned()),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, data).into_response()
}

fn missing(path: &str) -> Response {
    let text = if path == "index.html" {
        "This binary was built without the page. `npm start` builds it; JSON-RPC and /v1/ work without.\n"
    } else {
        "There is nothing here. JSON-RPC takes POST requests and WebSockets at /, the verifier API is under /v1/.\n"
    };
    (StatusCode::NOT_FOUND, text).into_response()
}
