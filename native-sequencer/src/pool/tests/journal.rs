//! The journal's file: what it holds after a crash at any point and after damage at any place.

use super::{kit::Node, *};
use ocelli_core::hash::keccak256;

fn entry(bytes: &[u8]) -> Entry<&[u8]> {
    Entry { bytes, hash: keccak256(bytes), promised: None }
}

fn read(bytes: &[u8]) -> Entry<Vec<u8>> {
    Entry { bytes: bytes.to_vec(), hash: keccak256(bytes), promised: None }
}

#[tokio::test]
async fn a_journal_that_ends_anywhere_keeps_what_is_whole() {
    let mut node = Node::new(1);
    let mut wallet = Wallet::new(0);
    let mut ends = vec![node.journal().len()];
    let sent: Vec<Recovered> = (0..3).map(|at| wallet.transfer(Address::ZERO, at)).collect();
    for transaction in &sent {
        node.submit(transaction).await.expect("accepted");
        ends.push(node.journal().len());
    }
    let whole = node.journal();
    for length in (ends[0]..=whole.len()).rev().step_by(7) {
        node.reopen_with_journal(&whole[..length]);
        let kept = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(node.pool.take(10, 7).transactions, sent[..kept], "{length} bytes");
    }
    let mut garbled = whole.clone();
    garbled[ends[1] + 20] ^= 1;
    node.reopen_with_journal(&garbled);
    assert_eq!(node.pool.take(10, 7).transactions, sent[..1]);
    node.submit(&sent[1]).await.expect("goes on after what was damaged");
    node.reopen();
    assert_eq!(node.pool.take(10, 7).transactions, sent, "what stood behind the damage was kept");
}

#[test]
fn damage_in_the_middle_of_a_journal_costs_the_entries_that_it_hits() {
    let texts: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];
    let written = |dir: &Path, entries: &[&[u8]]| {
        let (mut journal, _) = Journal::open(dir, B256::ZERO).expect("opens");
        journal.append(entries.iter().map(|text| entry(text))).expect("appends");
        fs::read(dir.join(store::POOL_FILE)).expect("is there")
    };
    let whole = written(tempfile::tempdir().expect("a folder").path(), &texts);
    let head = whole.len() - texts.iter().map(|text| 20 + text.len()).sum::<usize>();
    let second = head + 20 + texts[0].len();
    for at in second..second + 20 + texts[1].len() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(store::POOL_FILE);
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("writes");
        // What is appended afterwards is found as well: the damage is gone from the file.
        written(dir.path(), &[b"five"]);
        let (_, entries) = Journal::open(dir.path(), B256::ZERO).expect("opens");
        assert_eq!(entries, [texts[0], texts[2], texts[3], b"five"].map(read), "byte {at}");
        assert_eq!(fs::metadata(&path).expect("is there").len(), whole.len() as u64 + 1);
    }
}

#[test]
fn another_chains_journal_is_refused() {
    let (mut node, other) = (Node::new(1), Node::new(2));
    let journal = other.journal();
    let error = node.try_reopen_with_journal(&journal).expect_err("another chain's");
    assert!(error.to_string().contains("pool.journal"), "{error}");
}

#[tokio::test]
async fn a_journals_bytes_are_as_drawn() {
    let node = Node::new(1);
    let sent = Wallet::new(0).transfer(Address::ZERO, 1);
    node.submit(&sent).await.expect("accepted");
    let length = (sent.encoded().len() as u32).to_be_bytes();
    let head = [b"OCPOOL\x00\x02".as_slice(), node.chain.config.genesis_hash().as_slice()].concat();
    let first = [&head, &length[..], &[0; 8], sent.encoded(), &sent.hash()[..8]].concat();
    assert_eq!(node.journal(), first);
    node.pool.submit_all(vec![sent.encoded().clone()], true).await.pop().expect("one").expect("promised");
    let mut check = [0; 8];
    check.copy_from_slice(&sent.hash()[..8]);
    check[7] ^= limits::PROMISE_BLOCKS as u8;
    let height = limits::PROMISE_BLOCKS.to_be_bytes();
    assert_eq!(node.journal(), [&first, &length[..], &height, sent.encoded(), &check].concat());
}

#[test]
fn a_rewritten_journal_holds_what_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let genesis = B256::repeat_byte(1);
    let (mut journal, entries) = Journal::open(dir.path(), genesis).expect("opens");
    assert!(entries.is_empty());
    journal.append([b"one".as_slice(), b"two", b"three"].into_iter().map(entry)).expect("appends");
    journal.rewrite(&[entry(b"two")]).expect("rewrites");
    journal.append([b"four".as_slice()].into_iter().map(entry)).expect("appends");
    drop(journal);
    fs::write(dir.path().join(store::NEW_POOL_FILE), "half").expect("writes");
    let (mut journal, entries) = Journal::open(dir.path(), genesis).expect("opens");
    assert_eq!(entries, [read(b"two"), read(b"four")]);
    assert!(!journal.is_stale(0));
    let long = vec![7; 1 << 20];
    (0..=limits::POOL_JOURNAL_SLACK >> 20)
        .for_each(|_| journal.append([long.as_slice()].into_iter().map(entry)).expect("appends"));
    assert!(journal.is_stale(0) && !journal.is_stale(1 << 30));
}

#[test]
fn a_journal_that_cannot_be_rewritten_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut journal, _) = Journal::open(dir.path(), B256::ZERO).expect("opens");
    journal.append([b"one".as_slice()].into_iter().map(entry)).expect("appends");
    // Nothing can be written under the name of the new file.
    fs::create_dir(dir.path().join(store::NEW_POOL_FILE)).expect("makes a folder");
    assert!(journal.rewrite(&[entry(b"one")]).is_err());
    journal.append([b"two".as_slice()].into_iter().map(entry)).expect("appends");
    assert!(!journal.is_stale(0), "it is not tried again at once");
    drop(journal);
    let (_, entries) = Journal::open(dir.path(), B256::ZERO).expect("opens");
    assert_eq!(entries, [read(b"one"), read(b"two")]);
}
