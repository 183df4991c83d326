//! Whoever believes a header can believe what proofs say of its block; nothing altered, moved or renamed passes.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use ocelli_core::{
    key::Key,
    limits,
    message::{ReceiptProof, ReceiptProofError, StateProof, StateProofError},
    receipt::Log,
    tree::ProofError,
    value::{Account, Value},
    wire,
};
use ocelli_tests::{
    chain::{TestBlock, TestChain},
    wallet::Wallet,
};

/// A block with two rows of calls that log their first word, and the hash of a call in the second row.
fn block_with_logs() -> (TestChain, TestBlock, B256) {
    let mut wallets: Vec<Wallet> = (0..3).map(Wallet::new).collect();
    let mut chain = TestChain::new(&wallets);
    // MSTORE(0, CALLDATALOAD(0)); LOG1(0, 32, 0xaa).
    let (deploy, contract) = wallets[0].deploy(&hex!("5f35 5f52 60aa 6020 5f a1 00"));
    chain.block(&[&[deploy]]);
    let mut call = |at: usize, word: u64| {
        let input = U256::from(word).to_be_bytes_vec().into();
        wallets[at].send(TxKind::Call(contract), U256::ZERO, input, 100_000)
    };
    let calls = [call(0, 1), call(1, 2), call(2, 3)];
    let hash = calls[2].hash();
    let block = chain.block(&[&calls[..1], &calls[1..]]);
    (chain, block, hash)
}

fn receipt_proof(block: &TestBlock, place: (u32, u32)) -> Option<ReceiptProof> {
    let row = &block.rows[place.0 as usize];
    let height = block.signed.header.height;
    ReceiptProof::new(height, &block.assembled.manifest, place, &row.transactions, &row.receipts)
}

#[test]
fn present_and_absent_keys_are_proved() {
    let (chain, block, _) = block_with_logs();
    let header = &block.signed.header;
    let rich = Key::Account(Wallet::new(0).address());
    let nobody = Key::Account(Address::repeat_byte(0xee));
    let slot = Key::Slot(Wallet::new(1).address(), U256::from(7));
    let proof = StateProof::new(header.height, &chain.state.tree, &[nobody, slot, rich, rich]);
    let proof = StateProof::decode(&proof.encode()).expect("decodes");
    let proven = proof.verify(header).expect("holds");
    assert_eq!(proven.len(), 3, "each key once");
    for leaf in proven {
        let expected =
            chain.state.tree.get(&leaf.key.path()).map_or((0, Value::absent(&leaf.key)), |l| (l.version, l.value));
        assert_eq!((leaf.version, leaf.value), expected);
    }
}

#[test]
fn an_altered_proof_of_state_is_refused() {
    let (chain, block, _) = block_with_logs();
    let header = &block.signed.header;
    let rich = Key::Account(Wallet::new(0).address());
    let honest = StateProof::new(header.height, &chain.state.tree, &[rich]);

    let mut richer = honest.clone();
    if let Value::Account(account) = &mut richer.leaves[0].value {
        account.balance += U256::ONE;
    }
    assert_eq!(richer.verify(header), Err(StateProofError::Proof(ProofError::WrongRoot)));

    let mut renamed = honest.clone();
    renamed.leaves[0].key = Key::Account(Wallet::new(1).address());
    assert!(renamed.verify(header).is_err(), "another key's value");

    let mut gone = honest.clone();
    (gone.leaves[0].version, gone.leaves[0].value) = (0, Value::Account(Account::default()));
    assert!(gone.verify(header).is_err(), "a present key as absent");

    let mut other_kind = honest.clone();
    other_kind.leaves[0].value = Value::Slot(U256::ONE);
    assert_eq!(other_kind.verify(header), Err(StateProofError::NotAValue(rich)));

    assert_eq!(honest.verify(&block.parent), Err(StateProofError::OtherHeight(header.height)));
    let older = StateProof { height: block.parent.height, ..honest };
    assert_eq!(older.verify(&block.parent), Err(StateProofError::Proof(ProofError::WrongRoot)));
}

#[test]
fn a_proof_of_state_is_about_a_bounded_number_of_keys() {
    let (chain, block, _) = block_with_logs();
    let keys: Vec<Key> = (0..=limits::PROOF_KEYS as u64).map(|at| Key::Slot(Address::ZERO, U256::from(at))).collect();
    let prove = |keys: &[Key]| StateProof::new(block.signed.header.height, &chain.state.tree, keys);
    assert!(prove(&keys[1..]).verify(&block.signed.header).is_ok());
    assert!(StateProof::decode(&prove(&keys[1..]).encode()).is_ok());
    assert_eq!(prove(&keys).verify(&block.signed.header), Err(StateProofError::KeyCount(keys.len())));
    assert_eq!(prove(&[]).verify(&block.signed.header), Err(StateProofError::KeyCount(0)));
}

#[test]
fn a_receipt_is_proved_in_its_place() {
    let (_, block, hash) = block_with_logs();
    let proof = receipt_proof(&block, (2, 1)).expect("there is one");
    let proof = ReceiptProof::decode(&proof.encode()).expect("decodes");
    let receipt = proof.verify(&hash, &block.signed.header).expect("holds");
    assert_eq!(receipt.logs[0].data, Bytes::from(U256::from(3).to_be_bytes_vec()));
    assert!(receipt_proof(&block, (2, 2)).is_none());
}

#[test]
fn an_altered_proof_of_a_receipt_is_refused() {
    let (_, block, hash) = block_with_logs();
    let header = &block.signed.header;
    let honest = receipt_proof(&block, (2, 1)).expect("there is one");
    let altered = |alter: &dyn Fn(&mut ReceiptProof)| {
        let mut proof = honest.clone();
        alter(&mut proof);
        proof.verify(&hash, header).map(|_| ())
    };
    type Change<'a> = &'a dyn Fn(&mut ReceiptProof);
    let cases: [(Change<'_>, ReceiptProofError); 10] = [
        (&|proof| proof.height += 1, ReceiptProofError::OtherHeight(header.height + 1)),
        (&|proof| proof.row.index = 1, ReceiptProofError::Row),
        (&|proof| proof.row.rows += 1, ReceiptProofError::Row),
        (
            &|proof| (proof.row.rows, proof.row.columns) = (proof.row.rows + 1, proof.row.columns - 1),
            ReceiptProofError::Row,
        ),
        (&|proof| proof.row.header.gas_used += 1, ReceiptProofError::Row),
        (&|proof| _ = proof.row.path.pop(), ReceiptProofError::Row),
        (&|proof| proof.transaction = Bytes::from_static(b"another"), ReceiptProofError::OtherTransaction),
        (&|proof| proof.index = 0, ReceiptProofError::Transaction),
        (&|proof| proof.receipt.success = false, ReceiptProofError::Receipt),
        (&|proof| proof.receipt_path.clear(), ReceiptProofError::Receipt),
    ];
    for (at, (alter, expected)) in cases.iter().enumerate() {
        assert_eq!(altered(alter), Err(*expected), "case {at}");
    }
    assert_eq!(honest.verify(&B256::ZERO, header), Err(ReceiptProofError::OtherTransaction));
}

/// A leaf counts topics in one byte, so the bytes of a log whose data is chosen well are also those of a log with 256 topics
/// more. Such a log does not exist.
#[test]
fn a_receipt_that_reads_data_as_topics_is_refused() {
    let mut wallet = Wallet::new(0);
    let mut chain = TestChain::new([&wallet]);
    // LOG1(0, 8192, 0xaa): 8192 zeros.
    let (deploy, contract) = wallet.deploy(&hex!("60aa 612000 5f a1 00"));
    chain.block(&[&[deploy]]);
    let call = wallet.send(TxKind::Call(contract), U256::ZERO, Bytes::new(), 200_000);
    let hash = call.hash();
    let block = chain.block(&[&[call]]);
    let mut proof = receipt_proof(&block, (1, 0)).expect("there is one");
    let honest = proof.verify(&hash, &block.signed.header).expect("holds").clone();

    let log = honest.logs[0].clone();
    assert_eq!((log.topics.len(), log.data.len()), (1, 8_192));
    let mut topics = vec![B256::ZERO; 257];
    topics[0] = log.topics[0];
    topics[1][..4].copy_from_slice(&8_192_u32.to_be_bytes());
    proof.receipt.logs[0] = Log { topics, data: Bytes::new(), ..log };
    assert_eq!(proof.receipt.leaf(), honest.leaf(), "the same leaf");
    assert_eq!(proof.verify(&hash, &block.signed.header), Err(ReceiptProofError::Receipt));
}

#[test]
fn what_is_longer_than_a_proof_is_not_decoded() {
    let long = vec![wire::VERSION; limits::RECEIPT_PROOF_BYTES.max(limits::STATE_PROOF_BYTES) + 1];
    assert!(matches!(StateProof::decode(&long), Err(wire::WireError::TooLong { .. })));
    assert!(matches!(ReceiptProof::decode(&long), Err(wire::WireError::TooLong { .. })));
}
