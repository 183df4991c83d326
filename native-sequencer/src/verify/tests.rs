//! The verifier against real servers: honest ones, lying ones, and such that alter what they pass on.

mod line;

use super::{Event, FoundFault, Share, Summary, VerifyError, VerifyOptions, check_evidence, run};
use crate::api::{
    ApiError,
    tests::{
        served::{Served, Truth, verifier},
        wait_for,
    },
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use line::Line;
use ocelli_core::evidence::Fault;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Follows the chain at `url` to `to`, checking on two threads.
fn to(url: &str, to: u64) -> VerifyOptions {
    VerifyOptions { to: Some(to), workers: 2, ..VerifyOptions::new(url) }
}

fn attesting(options: VerifyOptions) -> VerifyOptions {
    VerifyOptions { key: Some(verifier()), attest_every: Duration::ZERO, ..options }
}

/// Runs, and returns the heights verified too.
fn run_quietly(options: VerifyOptions) -> (Result<Summary, VerifyError>, Vec<u64>) {
    let mut heights = Vec::new();
    let result = run(options, &mut |event| {
        if let Event::Verified(block) = event {
            heights.push(block.height);
        }
    });
    (result, heights)
}

fn expect_fault(result: Result<Summary, VerifyError>) -> FoundFault {
    match result {
        Err(VerifyError::Fault(found)) => *found,
        other => panic!("a fault was expected, not {other:?}"),
    }
}

#[test]
fn an_honest_chain_is_verified_and_attested() {
    let served = Served::with_blocks(6);
    let (result, heights) = run_quietly(attesting(VerifyOptions { once: true, ..VerifyOptions::new(&served.url) }));
    let summary = result.expect("it holds");
    assert_eq!(heights, [1, 2, 3, 4, 5, 6], "in order");
    let tasks: u32 = (1..=6).map(|height| served.block(height).stored.manifest.task_count()).sum();
    assert_eq!((summary.height, summary.hash), (6, served.chain.head().hash));
    assert_eq!((summary.tasks, summary.transactions), (u64::from(tasks), 18));
    assert!(summary.attestations > 0);
    wait_for(|| (served.chain.attested_height() == 6).then_some(()));
    assert!(served.chain.faults().is_empty());
}

#[test]
fn blocks_are_followed_as_they_are_sealed() {
    let mut served = Served::with_blocks(2);
    let url = served.url.clone();
    let (mut certified, mut connected) = (0, false);
    let summary = run(attesting(to(&url, 6)), &mut |event| match event {
        Event::Connected => connected = true,
        // The next block waits until this verifier's votes have come back to it as a certificate.
        Event::Certified { height } => {
            certified = height;
            served.seal(Truth::Honest);
        }
        _ => {}
    });
    assert_eq!(summary.expect("it holds").height, 6);
    assert!(connected, "over the stream");
    wait_for(|| (served.chain.attested_height() == 6).then_some(()));
    assert!((1..=6).contains(&certified), "certificates arrive and are verified");
}

#[test]
fn certificates_that_were_missed_are_fetched_before_a_later_one_counts() {
    let mut served = Served::with_blocks(2);
    let url = served.url.clone();
    run(attesting(to(&url, 2)), &mut |_| {}).expect("it holds");
    wait_for(|| (served.chain.attested_height() == 2).then_some(()));
    for _ in 3..=4 {
        served.seal(Truth::Honest);
    }
    run(attesting(VerifyOptions { from: 2, ..to(&url, 4) }), &mut |_| {}).expect("it holds");
    wait_for(|| (served.chain.attested_height() == 4).then_some(()));
    // The stream tells who comes now of the newest certificate only, which says nothing of blocks 1 and 2.
    let mut certified = Vec::new();
    run(to(&url, 5), &mut |event| {
        if let Event::Certified { height } = event {
            certified.push(height);
            if height == 4 {
                served.seal(Truth::Honest);
            }
        }
    })
    .expect("it holds");
    assert!(certified.is_sorted() && certified.contains(&2) && certified.last() == Some(&4), "{certified:?}");
}

#[test]
fn a_lie_is_found_proved_and_not_attested() {
    let mut served = Served::with_blocks(2);
    served.seal(Truth::WeiFromNowhere);
    served.seal(Truth::Honest);
    let (result, heights) = run_quietly(attesting(to(&served.url, 4)));
    let found = expect_fault(result);
    assert_eq!((found.height, found.hash), (3, served.block(3).hash));
    assert!(matches!(found.fault, Fault::Row { .. }), "{}", found.fault);
    assert!(heights.iter().all(|height| *height < 3), "nothing from there on is verified: {heights:?}");
    assert_eq!(found.submitted, [(served.url.clone(), Ok(()))]);
    assert_eq!(*served.faults.lock(), [3], "the sequencer is told");
    assert!(served.chain.attested_height() < 3);
    let (_, fault) = check_evidence(&served.made.config, &found.evidence).expect("evidence for anyone");
    assert_eq!(fault, found.fault);

    // Who comes later and checks another part hears of it, and checks the evidence itself.
    assert!(check_evidence(&Served::with_blocks(0).made.config, &found.evidence).is_ok(), "the same chain elsewhere");
    let mut altered = found.evidence.to_vec();
    altered.truncate(altered.len() - 1);
    assert!(check_evidence(&served.made.config, &altered).is_err());
}

#[test]
fn a_fault_that_others_proved_is_checked_and_believed() {
    let mut served = Served::with_blocks(1);
    let url = served.url.clone();
    // It checks one task of a million, so it finds nothing itself.
    let share = Share { index: 999_999, of: 1_000_000 };
    let mut told = false;
    let result = run(VerifyOptions { share, ..to(&url, 100) }, &mut |event| {
        if matches!(event, Event::Connected) && !told {
            told = true;
            served.seal(Truth::WeiFromNowhere);
            let (found, _) = run_quietly(to(&served.url, 2));
            assert!(!expect_fault(found).announced);
        }
    });
    let found = expect_fault(result);
    assert_eq!((found.height, found.announced), (2, true));
}

/// Something that stands before a server and may answer for it.
fn behind(
    alter: impl Fn(&str, Vec<u8>) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> impl FnOnce(Router) -> Router + Send {
    move |router: Router| {
        router.layer(from_fn(move |request: Request, next: Next| {
            let alter = alter.clone();
            async move {
                let path = request.uri().path().to_owned();
                let answer: Response = next.run(request).await;
                if answer.status() != StatusCode::OK || !(path.contains("/rows/") || path.contains("/columns/")) {
                    return answer;
                }
                let (parts, body) = answer.into_parts();
                let bytes = to_bytes(body, 1 << 24).await.expect("a body").to_vec();
                let length = bytes.len();
                let altered = alter(&path, bytes);
                assert_eq!(altered.len(), length, "the length is announced already");
                (parts, Body::from(altered)).into_response()
            }
        }))
    }
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    bytes
}

#[test]
fn a_body_that_was_altered_on_the_way_is_asked_for_again() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let served = Served::behind(
        1,
        behind(
            move |path, bytes| if seen.lock().expect("no panic").insert(path.to_owned()) { flip(bytes) } else { bytes },
        ),
    );
    let (result, heights) = run_quietly(to(&served.url, 1));
    assert_eq!((result.expect("it holds").height, heights), (1, vec![1]));
    assert!(served.chain.faults().is_empty());
}

#[test]
fn a_body_that_one_server_alters_is_asked_of_another() {
    let altering = Served::behind(1, behind(|_, bytes| flip(bytes)));
    let honest = Served::with_blocks(1);
    assert_eq!(altering.chain.head().hash, honest.chain.head().hash, "the same chain");
    let urls = vec![altering.url.clone(), honest.url.clone()];
    let (result, _) = run_quietly(VerifyOptions { urls, ..to("", 1) });
    assert_eq!(result.expect("it holds").height, 1);
}

/// Answers as a server that keeps no columns any more.
fn forgetful(router: Router) -> Router {
    router.layer(from_fn(|request: Request, next: Next| async move {
        if request.uri().path().contains("/columns/") {
            return ApiError::not_kept(1).into_response();
        }
        next.run(request).await
    }))
}

#[test]
fn what_one_server_does_not_keep_any_more_is_asked_of_another() {
    let (forgetful, honest) = (Served::behind(1, forgetful), Served::with_blocks(1));
    let urls = vec![forgetful.url.clone(), honest.url.clone()];
    let (result, _) = run_quietly(VerifyOptions { urls, ..to("", 1) });
    assert_eq!(result.expect("it holds").height, 1);
    let (result, _) = run_quietly(to(&forgetful.url, 1));
    assert!(matches!(result, Err(VerifyError::NotKept { height: 1, .. })), "{result:?}");
    assert!(forgetful.chain.faults().is_empty(), "nobody is accused");
}

#[test]
fn a_body_that_cannot_be_had_is_neither_verified_nor_a_fault() {
    let served = Served::behind(1, behind(|path, bytes| if path.ends_with("/rows/1") { flip(bytes) } else { bytes }));
    let (result, heights) = run_quietly(attesting(to(&served.url, 1)));
    let Err(VerifyError::Withheld { height, what, .. }) = result else { panic!("withheld, not {result:?}") };
    assert_eq!((height, what.as_str()), (1, "row 1"));
    assert!(heights.is_empty());
    assert_eq!(served.chain.attested_height(), 0);
    assert!(served.chain.faults().is_empty(), "nobody is accused");
}

#[test]
fn a_pinned_genesis_refuses_another_chain() {
    let served = Served::with_blocks(1);
    let genesis = Some(alloy_primitives::B256::repeat_byte(1));
    let result = run(VerifyOptions { genesis, ..to(&served.url, 1) }, &mut |_| {});
    assert!(matches!(result, Err(VerifyError::OtherGenesis { .. })), "{result:?}");
    let genesis = Some(served.made.config.genesis_hash());
    assert!(run(VerifyOptions { genesis, ..to(&served.url, 1) }, &mut |_| {}).is_ok());
}

#[test]
fn a_run_can_begin_at_a_trusted_block() {
    let served = Served::with_blocks(5);
    let (result, heights) = run_quietly(VerifyOptions { from: 3, ..to(&served.url, 5) });
    assert_eq!((result.expect("it holds").height, heights), (5, vec![4, 5]));
    let result = run(VerifyOptions { from: 9, ..to(&served.url, 10) }, &mut |_| {});
    assert!(matches!(result, Err(VerifyError::Begin { height: 9, .. })), "{result:?}");
}

#[test]
fn shares_add_up_to_every_task() {
    let served = Served::with_blocks(3);
    let all = run(to(&served.url, 3), &mut |_| {}).expect("it holds").tasks;
    let part = |index| run(VerifyOptions { share: Share { index, of: 3 }, ..to(&served.url, 3) }, &mut |_| {});
    let parts: u64 = (0..3).map(|index| part(index).expect("it holds").tasks).sum();
    assert_eq!(parts, all);
    let wrong = run(VerifyOptions { share: Share { index: 3, of: 3 }, ..to(&served.url, 3) }, &mut |_| {});
    assert!(matches!(wrong, Err(VerifyError::Options(_))));
}

#[test]
fn a_lost_connection_is_opened_again_where_it_was() {
    let mut served = Served::with_blocks(2);
    let line = Line::to(&served.url);
    let (mut lost, mut heights) = (0, Vec::new());
    let result = run(to(&line.url, 5), &mut |event| match event {
        Event::Disconnected { .. } => lost += 1,
        Event::Verified(block) => {
            heights.push(block.height);
            if (2..5).contains(&block.height) {
                line.lead_to(&served.url);
                served.seal(Truth::Honest);
            }
        }
        _ => {}
    });
    assert_eq!(result.expect("it holds").height, 5);
    assert_eq!(heights, [1, 2, 3, 4, 5], "each once");
    assert!(lost > 0, "it was cut");
}

#[test]
fn two_headers_of_one_height_are_evidence() {
    let mut one = Served::with_blocks(1);
    let mut other = Served::with_blocks(1);
    // The same sequencer signs a second block 2, with other transactions in it.
    other.wallets.swap(0, 2);
    one.seal(Truth::Honest);
    other.seal(Truth::Honest);
    other.seal(Truth::Honest);
    assert_ne!(one.block(2).hash, other.block(2).hash);
    let line = Line::to(&one.url);
    let result = run(to(&line.url, 9), &mut |event| {
        if matches!(event, Event::Verified(block) if block.height == 2) {
            line.lead_to(&other.url);
        }
    });
    let found = expect_fault(result);
    assert_eq!((found.height, found.fault), (2, Fault::Equivocation));
}

#[test]
fn a_server_that_is_none_is_named() {
    let result = run(VerifyOptions::new("http://127.0.0.1:1"), &mut |_| {});
    let Err(VerifyError::Server { url, .. }) = result else { panic!("{result:?}") };
    assert_eq!(url, "http://127.0.0.1:1");
}
