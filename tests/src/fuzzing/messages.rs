//! Everything else that travels: transactions, votes, proofs, and messages around them.

use super::{block_of, blocks, decoded, numbered, twice};
use crate::{
    chain::TestBlock,
    wallet::{CHAIN_ID, Wallet},
};
use ocelli_core::{
    attestation::{Attestation, BlockTasks, SignedAttestation, TaskSet},
    certificate::{Certificate, CertifiedBlock},
    column::ColumnBody,
    genesis::ChainConfig,
    header::SignedHeader,
    key::Key,
    limits,
    manifest::Manifest,
    message::{ReceiptProof, StateProof, StreamMessage, Submission, Verdict, Verdicts},
    params::Fork,
    promise::{Promise, SignedPromise},
    row::RowTask,
    transaction::{Recovered, Transaction},
    tree::Proof,
    typed_data::SigningDomain,
    verifiers::{Registered, VerifierSet},
    wire,
};

const FORKS: [Fork; 3] = [Fork::Cancun, Fork::Prague, Fork::Osaka];

/// A transaction, under each fork.
pub(super) fn transaction(data: &[u8]) {
    for fork in FORKS {
        let Ok(transaction) = twice(|| Transaction::decode(data, CHAIN_ID, fork)) else { continue };
        assert_eq!(transaction.encoded()[..], *data, "a second encoding");
        assert!(transaction.gas_limit() >= transaction.intrinsic_gas());
        let alone = twice(|| Recovered::new(transaction.clone()).map(|one| one.sender()));
        let among =
            Recovered::recover_many(vec![transaction.clone(), transaction]).pop().expect("as many as were given");
        assert_eq!(among.map(|one| one.sender()), alone, "alone and among others");
    }
}

pub(super) fn transaction_seeds() -> Vec<Vec<u8>> {
    let rows = blocks().iter().flat_map(|block| &block.rows);
    rows.flat_map(|row| &row.transactions).map(|bytes| bytes.to_vec()).collect()
}

fn domain(block: &TestBlock) -> SigningDomain {
    SigningDomain::new(CHAIN_ID, &block.config.genesis_hash())
}

/// Three verifiers of equal weight.
fn voters() -> Vec<Wallet> {
    let mut voters: Vec<Wallet> = (20..23).map(Wallet::new).collect();
    voters.sort_by_key(Wallet::address);
    voters
}

fn certified(block: &TestBlock) -> CertifiedBlock {
    let header = &block.signed.header;
    let tasks = block.assembled.manifest.task_count();
    CertifiedBlock { height: header.height, term: header.term, hash: header.hash(), time_ms: header.time_ms, tasks }
}

/// An attestation, or a certificate for blocks of the chain: one that is not theirs certifies nothing.
pub(super) fn votes(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    let domain = domain(block_of(0));
    if kind % 2 == 0 {
        let Ok(signed) = SignedAttestation::decode(bytes) else { return };
        assert_eq!(signed.encode(), bytes, "a second encoding");
        let _ = twice(|| signed.verify(&domain, 0));
        for list in signed.attestation.tasks() {
            assert_eq!(signed.attestation.tasks_at(list.height), Some(&list.tasks));
        }
        return;
    }
    let Ok(certificate) = Certificate::decode(bytes) else { return };
    assert_eq!(certificate.encode(), bytes, "a second encoding");
    let registered = voters().iter().map(|voter| Registered { owner: voter.address(), weight: 1 }).collect::<Vec<_>>();
    let set = VerifierSet::try_from(registered).expect("ascending");
    let above = blocks().iter().map(certified).filter(|block| block.height > certificate.after);
    let above: Vec<CertifiedBlock> = above.collect();
    if twice(|| certificate.verify(certificate.after, &set, 1, &domain, &above)).is_ok() {
        let last = above.iter().find(|block| block.height == certificate.height).expect("a block of the chain");
        assert_eq!(last.hash, certificate.header);
    }
}

pub(super) fn votes_seeds() -> Vec<Vec<u8>> {
    let attestation = |voter: &Wallet, block: &TestBlock| {
        let CertifiedBlock { height, term, hash, tasks: count, .. } = certified(block);
        let mut tasks = TaskSet::default();
        (0..count).for_each(|task| tasks.insert(task).expect("a task of a block"));
        let attestation = Attestation::new(height, term, hash, vec![BlockTasks { height, tasks }]).expect("one block");
        SignedAttestation::by_owner(attestation, &voter.key, &domain(block))
    };
    let of_block = |(_, block): (u8, &TestBlock)| {
        let CertifiedBlock { height, term, hash: header, .. } = certified(block);
        let attestations: Vec<_> = voters().iter().map(|voter| attestation(voter, block)).collect();
        let alone = [vec![0], attestations[0].encode()].concat();
        let certificate = Certificate { after: height - 1, height, term, header, attestations };
        [alone, [vec![1], certificate.encode()].concat()]
    };
    numbered().flat_map(of_block).collect()
}

/// A block, and a proof of a receipt or of state: one that holds says what is so.
pub(super) fn proofs(data: &[u8]) {
    let [kind, block, bytes @ ..] = data else { return };
    let block = block_of(*block);
    let header = &block.signed.header;
    if kind % 2 == 0 {
        let Ok(proof) = StateProof::decode(bytes) else { return };
        assert_eq!(proof.encode(), bytes, "a second encoding");
        for proven in twice(|| proof.verify(header).map(<[_]>::to_vec)).unwrap_or_default() {
            let leaf = block.assembled.state.get(&proven.key.path());
            let (version, value) =
                leaf.map_or((0, ocelli_core::value::Value::absent(&proven.key)), |leaf| (leaf.version, leaf.value));
            assert_eq!((proven.version, proven.value), (version, value), "a false proof of {:?}", proven.key);
        }
        return;
    }
    let Ok(proof) = ReceiptProof::decode(bytes) else { return };
    assert_eq!(proof.encode(), bytes, "a second encoding");
    let hash = ocelli_core::hash::keccak256(&proof.transaction);
    if let Ok(receipt) = twice(|| proof.verify(&hash, header).cloned()) {
        let row = &block.rows[proof.row.index as usize];
        assert_eq!(
            (&row.transactions[proof.index as usize], &row.receipts[proof.index as usize]),
            (&proof.transaction, &receipt)
        );
    }
}

pub(super) fn proofs_seeds() -> Vec<Vec<u8>> {
    let of_block = |(number, block): (u8, &'static TestBlock)| {
        let height = block.signed.header.height;
        let used = block.rows.iter().flat_map(|row| &row.effects.accesses).map(|access| access.key);
        let nobody = Key::Account(alloy_primitives::Address::repeat_byte(0xee));
        let keys: Vec<Key> = used.chain([nobody]).collect();
        let state =
            [&keys[..1], &keys[..], &[nobody]].map(|keys| StateProof::new(height, &block.assembled.state, keys));
        let receipts = (0..).zip(&block.rows).filter_map(move |(row, executed)| {
            ReceiptProof::new(height, &block.assembled.manifest, (row, 0), &executed.transactions, &executed.receipts)
        });
        let state = state.map(|proof| [vec![0, number], proof.encode()].concat()).into_iter();
        state.chain(receipts.map(move |proof| [vec![1, number], proof.encode()].concat()))
    };
    numbered().flat_map(of_block).collect()
}

/// One of the other things that are decoded.
pub(super) fn messages(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    match kind % 9 {
        0 => drop(decoded::<StreamMessage>(bytes, limits::STREAM_MESSAGE_BYTES)),
        1 => {
            let Ok(signed) = SignedPromise::decode(bytes) else { return };
            assert_eq!(signed.encode(), bytes, "a second encoding");
            let block = block_of(0);
            let _ = twice(|| signed.verify(&domain(block), &block.key.address()).copied());
        }
        2 => {
            let Some(config) = decoded::<ChainConfig>(bytes, 4 << 20) else { return };
            let _ = twice(|| (config.params.validate(), config.genesis_hash(), config.genesis_header()));
        }
        3 => drop(
            decoded::<SignedHeader>(bytes, 1 << 10).map(|signed| twice(|| (signed.header.hash(), signed.signer()))),
        ),
        4 => drop(decoded::<Manifest>(bytes, limits::MANIFEST_BYTES).map(|manifest| twice(|| manifest.root()))),
        5 => drop(decoded::<RowTask>(bytes, limits::EVIDENCE_BYTES)),
        6 => drop(decoded::<Submission>(bytes, limits::SUBMISSION_BYTES)),
        7 => drop(decoded::<Verdicts>(bytes, limits::VERDICTS_BYTES)),
        _ => drop(decoded::<Proof>(bytes, limits::STATE_PROOF_BYTES)),
    }
}

pub(super) fn messages_seeds() -> Vec<Vec<u8>> {
    let of_block = |(_, block): (u8, &'static TestBlock)| {
        let sealed = StreamMessage::Sealed { signed: Box::new(block.signed.clone()), rows: 3, columns: 4 };
        let attested = StreamMessage::Attested { certificate: vec![7; 40].into() };
        let hash = block.signed.header.hash();
        let fault = StreamMessage::Fault { height: 5, evidence: hash };
        let sender = block.key.address();
        let promise = Promise { transaction: hash, sender, nonce: 1, after: 7, height: 9, term: 1 };
        let promised = SignedPromise::new(promise, &block.key, &domain(block));
        let refused = Verdict::Refused { code: "full".into(), message: "txpool is full".into() };
        let verdicts = Verdicts(vec![Verdict::Accepted { hash }, Verdict::Promised(promised), refused]);
        let submission = Submission { promise: true, transactions: vec![vec![2; 9].into(), vec![7].into()] };
        let column: Option<ColumnBody> = wire::decode(&block.assembled.column_bodies[0], usize::MAX).ok();
        let seeds = [
            (0, wire::encode(&sealed)),
            (0, wire::encode(&attested)),
            (0, wire::encode(&fault)),
            (1, promised.encode()),
            (2, wire::encode(&block.config)),
            (3, wire::encode(&block.signed)),
            (4, wire::encode(&block.assembled.manifest)),
            (5, wire::encode(&block.row_task(1))),
            (6, submission.encode()),
            (7, verdicts.encode()),
            (8, wire::encode(&column.map(|body| body.proof).unwrap_or_default())),
        ];
        seeds.map(|(kind, bytes)| [vec![kind], bytes].concat())
    };
    numbered().flat_map(of_block).collect()
}
