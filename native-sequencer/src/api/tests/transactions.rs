//! Transactions in bulk: a verdict on each, in order, over HTTP and over a WebSocket.

use super::{super::transactions::take, served::Served};
use crate::{limits, pool::Pool, promises::Promises};
use alloy_primitives::{Address, Bytes};
use axum::{extract::WebSocketUpgrade, routing::get};
use ocelli_core::{
    message::{Submission, Verdict, Verdicts},
    promise::{Promise, Window},
    transaction::Recovered,
    typed_data::SigningDomain,
};
use ocelli_tests::wallet::Wallet;
use std::{sync::Arc, time::Duration};
use tungstenite::{Message, WebSocket, stream::MaybeTlsStream};

fn submission<'a>(promise: bool, transactions: impl IntoIterator<Item = &'a Recovered>) -> Submission {
    let transactions = transactions.into_iter().map(|one| one.encoded().clone()).collect();
    Submission { promise, transactions }
}

fn transfers(seed: u64, count: u64) -> Vec<Recovered> {
    let mut wallet = Wallet::new(seed);
    (0..count).map(|_| wallet.transfer(Address::repeat_byte(9), 1)).collect()
}

fn posted(served: &Served, submission: &Submission) -> Vec<Verdict> {
    let answer = served.post("/v1/transactions", &submission.encode());
    assert_eq!((answer.status, answer.cache.as_deref()), (200, Some("no-store")));
    Verdicts::decode(&answer.body).expect("verdicts").0
}

fn accepted(transactions: &[Recovered]) -> Vec<Verdict> {
    transactions.iter().map(|one| Verdict::Accepted { hash: one.hash() }).collect()
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Refused { code, .. } => code,
        _ => "",
    }
}

#[test]
fn every_transaction_has_a_verdict_of_its_own() {
    let served = Served::with_blocks(0);
    let sent = transfers(0, 3);
    let mut submission = submission(false, &sent);
    submission.transactions.insert(1, Bytes::from_static(b"none"));
    submission.transactions.push(sent[0].encoded().clone());
    let verdicts = posted(&served, &submission);
    assert_eq!([&verdicts[..1], &verdicts[2..4]].concat(), accepted(&sent));
    assert_eq!((code(&verdicts[1]), code(&verdicts[4]), verdicts.len()), ("invalid", "already_known", 5));
}

#[test]
fn promises_are_given_if_asked_for() {
    let served = Served::with_blocks(0);
    let sent = transfers(0, 40);
    let config = &served.made.config;
    let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
    let verdicts = posted(&served, &submission(true, sent[..39].iter().chain(&transfers(1, 2)[1..])));
    for (verdict, one) in verdicts.iter().zip(&sent[..39]) {
        let Verdict::Promised(signed) = verdict else { panic!("{verdict:?}") };
        let window = Window { after: 0, height: limits::PROMISE_BLOCKS };
        assert_eq!(signed.verify(&domain, &config.params.sequencer), Ok(&Promise::new(one, window, 0)));
    }
    assert_eq!(code(&verdicts[39]), "no_promise", "it has a gap before it");
}

#[test]
fn what_is_no_submission_is_refused() {
    let served = Served::with_blocks(0);
    let too_many = Submission { promise: false, transactions: vec![Bytes::new(); 1_025] };
    for (body, expected) in [
        (Vec::new(), (400, "malformed")),
        (vec![1, 2, 0], (400, "malformed")),
        (too_many.encode(), (400, "malformed")),
        (vec![1; (1 << 20) + 1], (413, "too_large")),
    ] {
        assert_eq!(served.post("/v1/transactions", &body).error(), (expected.0, expected.1.to_owned()));
    }
    assert_eq!(served.get("/v1/transactions").error(), (405, "no_such_method".into()));
    assert_eq!(served.get("/v1/transactions/stream").error(), (426, "not_a_websocket".into()));
    assert_eq!(posted(&served, &submission(false, [])), []);
}

type Socket = WebSocket<MaybeTlsStream<std::net::TcpStream>>;

fn try_connect(served: &Served, path: &str) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}{path}", served.url.replace("http", "ws"));
    tungstenite::connect(url).map(|(socket, _)| socket)
}

fn connect(served: &Served) -> Socket {
    try_connect(served, "/v1/transactions/stream").expect("connects")
}

#[test]
fn one_address_has_so_many_sockets() {
    let served = Served::with_blocks(0);
    let sockets: Vec<Socket> = (0..limits::SUBMISSION_SOCKETS_A_PEER).map(|_| connect(&served)).collect();
    let refused = try_connect(&served, "/v1/transactions/stream").expect_err("one too many");
    assert!(matches!(&refused, tungstenite::Error::Http(answer) if answer.status() == 503), "{refused}");
    let sent = transfers(0, 1);
    assert_eq!(posted(&served, &submission(false, &sent)), accepted(&sent), "requests have places of their own");
    drop(sockets);
}

#[test]
fn a_socket_that_submits_nothing_is_closed() {
    let (of, folder) = (Served::with_blocks(0), tempfile::tempdir().expect("a folder"));
    let pool = Arc::new(Pool::open(folder.path(), of.chain.clone()).expect("opens"));
    let promises = Arc::new(Promises::new(&of.chain, pool, of.made.key.clone(), 0));
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let impatient = |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(|socket| take(socket, promises, stopping, Duration::ZERO))
    };
    let served = Served::behind(0, |router| router.route("/impatient", get(impatient)));
    let mut socket = try_connect(&served, "/impatient").expect("connects");
    let Message::Close(Some(frame)) = socket.read().expect("closed") else { panic!("not closed") };
    assert_eq!(u16::from(frame.code), 1_008);
}

#[test]
fn a_socket_answers_each_frame_in_order() {
    let served = Served::with_blocks(0);
    let mut socket = connect(&served);
    let sent = transfers(0, 60);
    // More frames than are under way at a time, and in the order of nonces.
    for frame in sent.chunks(6) {
        socket.send(Message::Binary(submission(false, frame).encode().into())).expect("sends");
    }
    for frame in sent.chunks(6) {
        let Message::Binary(answer) = socket.read().expect("an answer") else { panic!("not binary") };
        assert_eq!(Verdicts::decode(&answer).expect("verdicts").0, accepted(frame));
    }
}

#[test]
fn a_socket_that_sends_something_else_is_closed() {
    let served = Served::with_blocks(0);
    for message in [Message::Binary(vec![7].into()), Message::Text("hello".into())] {
        let mut socket = connect(&served);
        socket.send(message).expect("sends");
        let Message::Close(Some(frame)) = socket.read().expect("closed") else { panic!("not closed") };
        assert_eq!(u16::from(frame.code), 1_008);
    }
}
