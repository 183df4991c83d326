//! Transactions in bulk over one WebSocket: how many a second are taken, durable and with a verdict each.

use super::super::BenchError;
use alloy_primitives::Bytes;
use ocelli_core::message::{Submission, Verdict, Verdicts};
use std::{collections::VecDeque, time::Instant};
use tungstenite::Message;

/// Transactions of a frame.
const FRAME: usize = 1_000;
/// Frames that wait for their verdicts.
const AHEAD: usize = 4;

/// Sends all of `transactions`; how many a second were taken.
pub(super) fn send(address: &str, transactions: &[Bytes]) -> Result<f64, BenchError> {
    let failed = |reason: String| BenchError::Network { address: address.to_owned(), reason };
    let url = format!("ws://{address}/v1/transactions/stream");
    let (mut socket, _) = tungstenite::connect(url).map_err(|error| failed(error.to_string()))?;
    let mut frames: VecDeque<_> = transactions.chunks(FRAME).map(|frame| (frame.len(), encoded(frame))).collect();
    let mut under_way = VecDeque::new();
    let started = Instant::now();
    while !frames.is_empty() || !under_way.is_empty() {
        while under_way.len() < AHEAD
            && let Some((count, bytes)) = frames.pop_front()
        {
            socket.send(Message::Binary(bytes.into())).map_err(|error| failed(error.to_string()))?;
            under_way.push_back(count);
        }
        let answer = loop {
            match socket.read().map_err(|error| failed(error.to_string()))? {
                Message::Binary(answer) => break answer,
                Message::Close(frame) => return Err(failed(format!("closed: {frame:?}"))),
                _ => {}
            }
        };
        let verdicts = Verdicts::decode(&answer).map_err(|error| failed(error.to_string()))?.0;
        if under_way.pop_front() != Some(verdicts.len()) {
            return Err(failed("verdicts on something else".to_owned()));
        }
        // The pool has room for all of them, so whatever is refused is an error.
        if let Some(refused) = verdicts.iter().find(|one| !matches!(one, Verdict::Accepted { .. })) {
            return Err(failed(format!("{refused:?}")));
        }
    }
    Ok(transactions.len() as f64 / started.elapsed().as_secs_f64())
}

fn encoded(frame: &[Bytes]) -> Vec<u8> {
    Submission { promise: false, transactions: frame.to_vec() }.encode()
}
