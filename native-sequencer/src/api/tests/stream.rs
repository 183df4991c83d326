//! The stream from outside.

use super::served::{Served, Truth, verifier};
use crate::limits;
use ocelli_core::{limits::STREAM_MESSAGE_BYTES, message::StreamMessage, wire};
use std::{net::TcpStream, sync::Arc};
use tungstenite::{Message, WebSocket, stream::MaybeTlsStream};

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

fn connect(served: &Served, query: &str) -> Socket {
    let url = format!("{}/v1/stream{query}", served.url.replace("http", "ws"));
    tungstenite::connect(url).expect("connects").0
}

/// The next message, or the close code.
fn next(socket: &mut Socket) -> Result<StreamMessage, u16> {
    loop {
        match socket.read() {
            Ok(Message::Binary(frame)) => return Ok(wire::decode(&frame, STREAM_MESSAGE_BYTES).expect("decodes")),
            Ok(Message::Close(frame)) => return Err(frame.map_or(0, |frame| frame.code.into())),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn sealed(socket: &mut Socket) -> u64 {
    match next(socket) {
        Ok(StreamMessage::Sealed { signed, .. }) => signed.header.height,
        other => panic!("a block was expected, not {other:?}"),
    }
}

#[test]
fn a_reader_gets_every_block_once_from_where_it_is() {
    let mut served = Served::with_blocks(3);
    let mut socket = connect(&served, "?from=1");
    assert_eq!([sealed(&mut socket), sealed(&mut socket)], [2, 3]);
    served.seal(Truth::Honest);
    served.seal(Truth::Honest);
    assert_eq!([sealed(&mut socket), sealed(&mut socket)], [4, 5]);
    let mut later = connect(&served, "?from=4");
    served.seal(Truth::Honest);
    assert_eq!([sealed(&mut later), sealed(&mut later)], [5, 6], "resumed after the last one that arrived");
    assert_eq!(sealed(&mut socket), 6);
}

#[test]
fn a_sealed_message_says_how_many_tasks_there_are() {
    let served = Served::with_blocks(1);
    let block = served.block(1);
    let message = next(&mut connect(&served, "?from=0"));
    let (rows, columns) = (block.stored.manifest.rows.len() as u32, block.stored.manifest.columns.len() as u32);
    assert_eq!(message, Ok(StreamMessage::Sealed { signed: Box::new(block.stored.signed.clone()), rows, columns }));
}

#[test]
fn attestations_and_certificates_are_passed_on() {
    let served = Served::with_blocks(1);
    let mut socket = connect(&served, "?from=0");
    assert_eq!(sealed(&mut socket), 1);
    let attestation = served.attestation(&verifier(), 1, 1..=1).encode();
    assert_eq!(served.post("/v1/attestations", &attestation).status, 200);
    assert_eq!(next(&mut socket), Ok(StreamMessage::Checked { attestation: attestation.into() }));
    let certified = next(&mut socket);
    let Ok(StreamMessage::Attested { certificate }) = &certified else { panic!("not {certified:?}") };
    assert_eq!(certificate.as_ref(), served.get("/v1/certificates/latest").body);
    // Who comes later is told at once.
    assert_eq!(next(&mut connect(&served, "?from=1")), certified);
}

#[test]
fn a_reader_that_is_ahead_of_the_chain_is_told_so() {
    let served = Served::with_blocks(1);
    assert_eq!(next(&mut connect(&served, "?from=2")), Err(4_001));
}

#[test]
fn a_reader_that_falls_behind_is_told_and_closed() {
    let served = Served::with_blocks(1);
    let mut socket = connect(&served, "?from=0");
    assert_eq!(sealed(&mut socket), 1);
    let attestation = Arc::new(served.attestation(&verifier(), 1, 1..=1));
    let chain = served.chain.clone();
    // On the one thread that serves, so that nobody reads meanwhile.
    served.runtime.spawn(async move {
        for _ in 0..=limits::EVENT_QUEUE {
            chain.publish_attestation(attestation.clone());
        }
    });
    let lagged = loop {
        match next(&mut socket) {
            Ok(StreamMessage::Checked { .. }) => {}
            other => break other,
        }
    };
    assert_eq!(lagged, Ok(StreamMessage::Lagged));
    assert_eq!(next(&mut socket), Err(4_000));
}

#[test]
fn a_reader_that_talks_is_closed() {
    let served = Served::with_blocks(0);
    let mut socket = connect(&served, "");
    socket.send(Message::text("hello")).expect("sends");
    assert_eq!(next(&mut socket), Err(1_008));
}

#[test]
fn a_reader_is_told_that_the_sequencer_goes_down() {
    let served = Served::with_blocks(1);
    let mut socket = connect(&served, "?from=0");
    assert_eq!(sealed(&mut socket), 1);
    served.stopping.send(true).expect("the server listens");
    assert_eq!(next(&mut socket), Err(1001));
}
