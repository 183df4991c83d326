//! A sequencer commits to whatever it likes; the checks answer, without a panic and within bounded work.

use alloy_consensus::{SignableTransaction, TxEip7702, TxEnvelope};
use alloy_eips::{eip2718::Encodable2718, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use ocelli_core::{
    block::{BlockFault, verify_block},
    column::{CellAccess, ColumnBody, ColumnFault, ColumnKey, RowCell, verify_column},
    evidence::{Claim, Evidence, Fault, NotEvidence},
    evm::StateError,
    genesis::{GenesisAccount, GenesisError, genesis_state},
    key::Key,
    limits, merkle,
    prefix::{Prefix, path_bit},
    refusal::Refusal,
    row::{CellProof, CodeRef, RowBody, RowFault, RowTask, transaction_leaves, verify_row},
    tree::{NodeHash, Proof, ProofError},
    value::Value,
    wire::{self, WireError},
};
use ocelli_tests::{
    chain::{TestBlock, TestChain},
    lies::forge::{self, OpenProof},
    wallet::{CHAIN_ID, MAX_FEE, Wallet},
};

/// The row that the tests below rewrite.
const ROW: usize = 1;

/// A block with one row of one transfer.
fn block() -> TestBlock {
    let mut wallet = Wallet::new(0);
    let transfer = wallet.transfer(Address::repeat_byte(9), 1);
    TestChain::new([&wallet]).block(&[&[transfer]])
}

/// Rewrites the body of [`ROW`] and commits to it.
fn rewrite(block: &mut TestBlock, edit: impl FnOnce(&mut RowBody)) {
    let mut body: RowBody = wire::decode(&block.assembled.row_bodies[ROW], usize::MAX).expect("a body");
    edit(&mut body);
    let bytes = wire::encode(&body);
    block.assembled.manifest.rows[ROW].body_hash = wire::body_hash(&bytes);
    block.assembled.row_bodies[ROW] = bytes.into();
    block.commit();
}

fn verify(block: &TestBlock) -> Refusal<RowFault> {
    let code = |hash: &B256| block.codes.get(hash).cloned();
    verify_row(&block.env(), &block.assembled.manifest, ROW, &block.row_task(ROW), code).expect_err("a lie")
}

#[test]
fn code_that_only_looks_like_a_delegation() {
    // 0xef01 begins a delegation (EIP-7702): a version of zero and an address follow, 23 bytes in all.
    let cut_short = vec![0xef, 0x01];
    let without_address = vec![0xef, 0x01, 0x00];
    let too_long = [vec![0xef, 0x01], vec![0; 22]].concat();
    let other_version = [vec![0xef, 0x01, 0x01], vec![0; 20]].concat();
    for code in [cut_short, without_address, too_long, other_version] {
        let (hash, code) = (keccak256(&code), Bytes::from(code));
        let mut block = block();
        rewrite(&mut block, |body| body.codes = vec![CodeRef { hash, length: code.len() as u32 }]);
        block.codes.insert(hash, code.clone());
        assert_eq!(verify(&block), Refusal::Fault(RowFault::NotCode(hash)));
        let claim = Claim::Row { index: ROW as u32, task: block.row_task(ROW), codes: vec![code] };
        let fault = Fault::Row { index: ROW as u32, fault: RowFault::NotCode(hash) };
        assert_eq!(block.evidence(claim).check(&block.config), Ok(fault));
    }
}

#[test]
fn of_several_keys_left_out_always_the_same_is_named() {
    // A constructor that writes slots 1 to 8 without reading them: SSTORE(n, n), then no code.
    let initcode: Vec<u8> = (1..=8).flat_map(|slot| [0x60, slot, 0x80, 0x55]).collect();
    let mut wallet = Wallet::new(0);
    let create = wallet.send(TxKind::Create, U256::ZERO, initcode.into(), 1_000_000);
    let mut block = TestChain::new([&wallet]).block(&[&[create]]);
    rewrite(&mut block, |body| body.slots.clear());
    let first = Key::Slot(wallet.address().create(0), U256::ONE);
    for _ in 0..32 {
        let fault = RowFault::NotListed(Some(0), StateError::KeyNotListed(first));
        assert_eq!(verify(&block), Refusal::Fault(fault));
    }
}

#[test]
fn who_spends_from_what_somebody_else_held_is_found_by_the_cells() {
    // The body lists the sender's account without its key, and execution takes it for that of whoever signed.
    let (owner, mut thief) = (Wallet::new(0), Wallet::new(1));
    let mut block = block();
    let theft = thief.transfer(Address::repeat_byte(9), 1);
    let bytes = theft.transaction().encoded().clone();
    assert_ne!(theft.sender(), owner.address());
    block.assembled.manifest.rows[ROW].txs_root = merkle::root(&transaction_leaves(core::slice::from_ref(&bytes)));
    rewrite(&mut block, |body| body.transactions = vec![bytes]);
    assert!(matches!(verify(&block), Refusal::Fault(RowFault::Cell(_))), "{:?}", verify(&block));
}

#[test]
fn genesis_code_that_only_looks_like_a_delegation() {
    let address = Address::repeat_byte(1);
    let account = GenesisAccount { code: Bytes::from_static(&[0xef, 0x01]), ..Default::default() };
    assert_eq!(genesis_state(&[(address, account)].into()).err(), Some(GenesisError::NotCode(address)));
}

#[test]
fn a_row_that_pays_for_more_than_fits_is_refused_before_a_signer_is_recovered() {
    // A recovery costs a tab most of what a row costs, so no more may be asked for than the row's gas pays.
    let authorization = || {
        let authorization = Authorization { chain_id: U256::ZERO, address: Address::ZERO, nonce: 0 };
        authorization.into_signed(Signature::new(U256::ONE, U256::ONE, false))
    };
    let transaction = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 2_000_000,
        max_fee_per_gas: MAX_FEE,
        max_priority_fee_per_gas: 0,
        to: Address::ZERO,
        value: U256::ZERO,
        access_list: Default::default(),
        authorization_list: (0..60).map(|_| authorization()).collect(),
        input: Bytes::new(),
    };
    // No point has x = 5: recovering this signer would be the first fault.
    let unsigned = TxEnvelope::from(transaction.into_signed(Signature::new(U256::from(5), U256::ONE, false)));
    let mut block = block();
    rewrite(&mut block, |body| body.transactions = vec![unsigned.encoded_2718().into(); 100]);
    // Each costs 21,000 and 60 times 25,000 before anything runs.
    assert_eq!(verify(&block), Refusal::Fault(RowFault::Gas(11)));
}

#[test]
fn a_body_with_more_codes_than_a_row_may_ask_for() {
    let mut block = block();
    let code = |at: usize| CodeRef { hash: B256::from(U256::from(at)), length: 0 };
    rewrite(&mut block, |body| body.codes = (0..=limits::ROW_CODES).map(code).collect());
    assert_eq!(verify(&block), Refusal::Fault(RowFault::Malformed(WireError::Malformed)));
}

#[test]
fn a_block_with_more_rows_than_there_may_be() {
    let verdict = |rows: usize| {
        let mut block = block();
        let manifest = &mut block.assembled.manifest;
        let mut idle = manifest.rows[ROW].clone();
        (idle.gas_used, idle.access_count) = (0, 0);
        let more = rows - manifest.rows.len();
        manifest.rows.splice(ROW..ROW, vec![idle; more]);
        block.commit();
        let mut ancestors = block.parent_ancestors.clone();
        verify_block(&block.config, &block.parent, &mut ancestors, &block.signed, &block.assembled.manifest)
    };
    assert_eq!(verdict(limits::BLOCK_ROWS), Ok(()));
    assert_eq!(verdict(limits::BLOCK_ROWS + 1), Err(Refusal::Fault(BlockFault::RowKind(0))));
}

#[test]
fn evidence_with_more_codes_than_a_row_may_ask_for_is_not_decoded() {
    let block = block();
    let evidence = |codes| {
        let claim = Claim::Row { index: ROW as u32, task: block.row_task(ROW), codes: vec![Bytes::new(); codes] };
        Evidence::decode(&block.evidence(claim).encode()).map(|_| ())
    };
    assert_eq!(evidence(limits::ROW_CODES), Ok(()));
    assert_eq!(evidence(limits::ROW_CODES + 1), Err(NotEvidence::Wire(WireError::Malformed)));
}

#[test]
fn evidence_against_any_task_of_the_largest_block_can_be_encoded() {
    let mut block = block();
    let manifest = &mut block.assembled.manifest;
    let mut row = manifest.rows[ROW].clone();
    (row.tx_count, row.log_count, row.access_count) = (u32::MAX, u32::MAX, u32::MAX);
    (row.gas_used, row.work, row.base_fees, row.tips) = (u64::MAX, u64::MAX, U256::MAX, U256::MAX);
    let mut column = manifest.columns[0].clone();
    (column.prefix, column.access_count) = (Prefix::new(256, B256::repeat_byte(1)).expect("a path"), u32::MAX);
    manifest.rows = vec![row; limits::BLOCK_ROWS];
    manifest.columns = vec![column; limits::BLOCK_COLUMNS];
    assert!(wire::encode(manifest).len() <= limits::MANIFEST_BYTES);

    let cell = CellProof { leaf: B256::ZERO, path: vec![B256::ZERO; limits::BLOCK_ROWS.ilog2() as usize] };
    let task = RowTask { body: vec![0; limits::ROW_BODY_BYTES_ANY].into(), cells: vec![cell; limits::BLOCK_COLUMNS] };
    let codes = vec![Bytes::from(vec![0; limits::ROW_CODE_BYTES / limits::ROW_CODES]); limits::ROW_CODES];
    let evidence = block.evidence(Claim::Row { index: ROW as u32, task, codes });
    assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));

    let body = vec![0; limits::COLUMN_BODY_BYTES_ANY].into();
    let evidence = block.evidence(Claim::Column { index: 0, body });
    assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));
}

/// A column body of `keys` keys whose proof leads to each of them through as many inner nodes as there can be, most with an
/// empty half, which takes one bit.
fn deep_proof(keys: usize) -> ColumnBody {
    let mut keys: Vec<ColumnKey> = (0..keys as u64)
        .map(|slot| Key::Slot(Address::ZERO, U256::from(slot)))
        .map(|key| ColumnKey { key, version: 0, value: Value::absent(&key) })
        .collect();
    keys.sort_by_key(|key| key.key.path());
    let paths: Vec<B256> = keys.iter().map(|key| key.key.path()).collect();
    let mut shape = Shape::default();
    shape.descend(&paths, 0);
    let siblings = vec![NodeHash(B256::repeat_byte(1)); keys.len()];
    let open = OpenProof { shape: shape.bytes(), siblings, leaves: vec![] };
    let accesses = (0..keys.len() as u32).map(|key| CellAccess { key, after: None }).collect();
    let cells = vec![RowCell { row: 0, accesses }];
    let mut body = ColumnBody { keys, cells, proof: Proof::default() };
    forge::proof(&mut body.proof, |proof| *proof = open);
    body
}

/// The bits of a proof's shape.
#[derive(Default)]
struct Shape(Vec<bool>);

impl Shape {
    /// The walk to `paths`, which agree in their first `depth` bits. Each ends at depth 255, absent, beside a hash.
    fn descend(&mut self, paths: &[B256], depth: u16) {
        if depth == 255 {
            // An inner node, of which one half is empty and the other is the hash.
            let right = path_bit(&paths[0], depth);
            let halves = if right { vec![true, false, false] } else { vec![false, false, true] };
            return self.0.extend([vec![true, true], halves].concat());
        }
        self.0.extend([true, true]);
        let middle = paths.partition_point(|path| !path_bit(path, depth));
        for half in [&paths[..middle], &paths[middle..]] {
            if half.is_empty() {
                self.0.push(false);
            } else {
                self.descend(half, depth + 1);
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().map(|(at, bit)| u8::from(*bit) << (7 - at)).sum();
        self.0.chunks(8).map(byte).collect()
    }
}

#[test]
fn a_proof_as_deep_as_can_be_takes_memory_in_proportion() {
    let mut block = block();
    let body = wire::encode(&deep_proof(limits::COLUMN_ACCESSES));
    assert!(body.len() < limits::COLUMN_BODY_BYTES);
    let column = &mut block.assembled.manifest.columns[0];
    (column.body_hash, column.access_count) = (wire::body_hash(&body), limits::COLUMN_ACCESSES as u32);
    let mut verdict = None;
    let memory = allocation_counter::measure(|| {
        verdict = Some(verify_column(&block.env(), &block.assembled.manifest, 0, &body));
    });
    // Every hash of it was computed: nothing but the root gives it away.
    assert_eq!(verdict, Some(Err(Refusal::Fault(ColumnFault::Proof(ProofError::WrongRoot)))));
    let most = 200 * body.len() as u64;
    assert!(memory.bytes_max < most, "{} bytes of memory for a body of {}", memory.bytes_max, body.len());
}

#[test]
fn a_proof_whose_shape_goes_on_and_on_takes_no_memory_for_it() {
    let mut block = block();
    let mut body: ColumnBody = wire::decode(&block.assembled.column_bodies[0], usize::MAX).expect("a body");
    body.keys.truncate(1);
    body.cells.truncate(1);
    body.cells[0].accesses = vec![CellAccess { key: 0, after: None }];
    // A column of one key may have a body of any length that the format can hold.
    forge::proof(&mut body.proof, |proof| proof.shape = vec![0; limits::COLUMN_BODY_BYTES_ANY - (1 << 16)]);
    let body = wire::encode(&body);
    let column = &mut block.assembled.manifest.columns[0];
    (column.body_hash, column.access_count) = (wire::body_hash(&body), 1);
    let mut verdict = None;
    let memory = allocation_counter::measure(|| {
        verdict = Some(verify_column(&block.env(), &block.assembled.manifest, 0, &body));
    });
    assert!(matches!(verdict, Some(Err(Refusal::Fault(ColumnFault::Proof(_))))), "{verdict:?}");
    // Decoded, and encoded again while that is compared.
    let most = 8 * body.len() as u64;
    assert!(memory.bytes_max < most, "{} bytes of memory for a body of {}", memory.bytes_max, body.len());
}
