//! Proofs of state, and of transactions with their receipts.

use super::{ApiError, Shared, caching};
use crate::{block::SealedBlock, limits};
use alloy_primitives::{Address, B256, Bytes, U256};
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use ocelli_core::{
    key::Key,
    limits::{PROOF_KEYS, ROW_BODY_BYTES_ANY},
    message::{ReceiptProof, StateProof},
    row::RowBody,
    wire,
};

/// What a proof of state is asked about.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// The head if none is named.
    height: Option<u64>,
    keys: Vec<Key>,
}

impl Asked {
    /// Parses `height=H&key=account:ADDRESS&key=slot:ADDRESS:SLOT`. Nothing in it needs percent encoding, but `%3A` for a colon
    /// is what form encoders make of it.
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut asked = Self { height: None, keys: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("height", height)) => {
                    let height = height.parse().map_err(|_| ApiError::malformed("height is a number in decimal"))?;
                    asked.height = Some(height);
                }
                Some(("key", key)) => asked.keys.push(parse_key(&key.replace("%3A", ":").replace("%3a", ":"))?),
                _ => return Err(ApiError::malformed("ask for proofs?height=H&key=KEY&key=KEY")),
            }
        }
        let count = asked.keys.len();
        if count == 0 || count > PROOF_KEYS {
            return Err(ApiError::malformed(format!("ask for 1 to {PROOF_KEYS} keys, not for {count}")));
        }
        Ok(asked)
    }
}

fn parse_key(key: &str) -> Result<Key, ApiError> {
    let address = |text: &str| text.strip_prefix("0x")?.parse::<Address>().ok();
    let slot = |text: &str| {
        let digits = text.strip_prefix("0x").filter(|digits| (1..=64).contains(&digits.len()))?;
        U256::from_str_radix(digits, 16).ok()
    };
    let mut parts = key.split(':');
    let parsed = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("account"), Some(of), None, None) => address(of).map(Key::Account),
        (Some("slot"), Some(of), Some(at), None) => address(of).zip(slot(at)).map(|(of, at)| Key::Slot(of, at)),
        _ => None,
    };
    parsed.ok_or(ApiError::malformed("a key is account:0xADDRESS or slot:0xADDRESS:0xSLOT, in hexadecimal"))
}

/// `GET /v1/proofs?height=&key=`: the encoded [`StateProof`] of the keys after that block.
pub(super) async fn state(State(api): Shared, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let asked = Asked::parse(query.as_deref().unwrap_or_default())?;
    let chain = api.chain.clone();
    api.gate
        .run(move || {
            let head = chain.head();
            let height = asked.height.unwrap_or(head.header.height);
            let state = if height == head.header.height {
                head.state.clone()
            } else {
                chain.snapshot_at(height).ok_or_else(|| no_state(head.header.height))?.tree
            };
            Ok(caching::changing(StateProof::new(height, &state, &asked.keys).encode()))
        })
        .await
}

fn no_state(head: u64) -> ApiError {
    let message = format!("state is kept of the last {} blocks; the head is block {head}", limits::HISTORY_BLOCKS);
    ApiError::new(axum::http::StatusCode::NOT_FOUND, "no_state", message)
}

/// `GET /v1/receipts/{transaction hash}`: the encoded [`ReceiptProof`].
pub(super) async fn receipt(State(api): Shared, Path(hash): Path<String>) -> Result<Response, ApiError> {
    let digits = hash.strip_prefix("0x").filter(|digits| digits.len() == 64);
    let hash: B256 = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(ApiError::malformed("a transaction is named by its hash: 0x and 64 hexadecimal digits"))?;
    let chain = api.chain.clone();
    api.gate
        .run(move || {
            let place = chain.place_of(&hash)?.ok_or_else(|| ApiError::not_found("no block has that transaction"))?;
            let block = chain.block(place.height)?;
            let proof = block.and_then(|block| proof_of(&block, (place.row, place.index)));
            let proof = proof.ok_or_else(|| ApiError::internal(&"a transaction is not where the index says"))?;
            Ok(caching::changing(proof.encode()))
        })
        .await
}

fn proof_of(block: &SealedBlock, place: (u32, u32)) -> Option<ReceiptProof> {
    let row = place.0 as usize;
    let body: RowBody = wire::decode(block.stored.row_bodies.get(row)?, ROW_BODY_BYTES_ANY).ok()?;
    let transactions: Vec<Bytes> = body.transactions;
    let receipts: Vec<_> = block.stored.results.get(row)?.iter().map(|(_, receipt)| receipt.clone()).collect();
    ReceiptProof::new(block.header().height, &block.stored.manifest, place, &transactions, &receipts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_in_one_way() {
        let address = Address::repeat_byte(0xab);
        let account = format!("account:{address}");
        let asked = Asked::parse(&format!("height=7&key={account}&key=slot%3A{address}%3A0x0a")).expect("parses");
        let keys = vec![Key::Account(address), Key::Slot(address, U256::from(10))];
        assert_eq!(asked, Asked { height: Some(7), keys });
        for wrong in [
            "",
            "height=7",
            "height=-1&key=account:0x0000000000000000000000000000000000000000",
            "key=account:abababababababababababababababababababab",
            "key=account:0xabab",
            "key=slot:0xabababababababababababababababababababab",
            "key=slot:0xabababababababababababababababababababab:0x",
            "key=slot:0xabababababababababababababababababababab:0x1:0x2",
            "key=code:0xabababababababababababababababababababab",
            "other=1&key=account:0xabababababababababababababababababababab",
        ] {
            assert!(Asked::parse(wrong).is_err(), "{wrong}");
        }
        let many = vec![format!("key={account}"); PROOF_KEYS + 1].join("&");
        assert!(Asked::parse(&many).is_err(), "too many");
    }
}
