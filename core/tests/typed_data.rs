//! What is signed is EIP-712: a wallet's `eth_signTypedData_v4` gives the same digest and the same signature.
//!
//! The expected values are those of viem 2.57.13 (`hashStruct`, `hashTypedData`, `signTypedData`) for this JSON, in which
//! `EIP712Domain` is `[name string, version string, chainId uint256, salt bytes32]`:
//!
//! ```text
//! domain:      { name: "Ocelli", version: "1", chainId: 7117, salt: "0x1111…11" }
//! key:         0x4646…46
//! Attestation: [height uint64, term uint64, header bytes32, tasks bytes]
//!              { height: 258, term: 3, header: "0x2222…22", tasks: "0x010000000000000101000205800000000000000102000103" }
//! Delegation:  [session address, expires uint64]
//!              { session: "0x3333…33", expires: 1800000000 }
//! Promise:     [transaction bytes32, sender address, nonce uint64, after uint64, height uint64, term uint64]
//!              { transaction: "0x4444…44", sender: "0x5555…55", nonce: 7, after: 290, height: 300, term: 3 }
//! ```

use alloy_primitives::{Address, B256, b256, hex};
use ocelli_core::{
    attestation::{Attestation, BlockTasks, Delegation, TaskSet},
    promise::Promise,
    signature::{SecretKey, Signature},
    typed_data::{DOMAIN_TYPE, SigningDomain, TypedData},
};

fn domain() -> SigningDomain {
    SigningDomain::new(7_117, &B256::repeat_byte(0x11))
}

fn tasks(tasks: &[u32]) -> TaskSet {
    let mut set = TaskSet::default();
    for task in tasks {
        set.insert(*task).unwrap();
    }
    set
}

fn assert_signs_like_a_wallet<T: TypedData>(message: &T, struct_hash: B256, digest: B256, signature: [u8; 65]) {
    assert_eq!(message.struct_hash(), struct_hash);
    assert_eq!(message.digest(&domain()), digest);
    let key = SecretKey::from_bytes(&[0x46; 32]).unwrap();
    assert_eq!(key.sign(&digest), Signature::from_wallet(&signature).unwrap());
}

#[test]
fn the_domain_separator_is_as_a_wallet_computes_it() {
    assert_eq!(domain().separator(), b256!("ae8fb36ae754a4d7aa83e509536b7b357f027f90a6e09072066c47a6646ac963"));
    assert_eq!(DOMAIN_TYPE, "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)");
}

#[test]
fn an_attestation_is_signed_as_a_wallet_signs_it() {
    let blocks =
        vec![BlockTasks { height: 257, tasks: tasks(&[0, 2, 15]) }, BlockTasks { height: 258, tasks: tasks(&[0, 1]) }];
    let attestation = Attestation::new(258, 3, B256::repeat_byte(0x22), blocks).unwrap();
    assert_eq!(attestation.encoded_tasks(), hex!("01 0000000000000101 0002 0580 0000000000000102 0001 03"));
    assert_signs_like_a_wallet(
        &attestation,
        b256!("d5a891283f1132cc9294ac046ed3457a5427495ce10e25d5d82e58812be83e0c"),
        b256!("acaedc9a7b05da48cb6d9d6b55f0fcc1b10d14756ab1885dd0ee22940b2a4a61"),
        hex!(
            "dc6772c888c5457331891f19609b972e207e87f6435086c6a874663c56cbbaf6
             0d21578f008a2e7fc5d82c8e7a0fadbbaec504be62981757bf02a16e90fe9400 1c"
        ),
    );
}

#[test]
fn an_attestation_without_tasks_still_names_their_layout() {
    let attestation = Attestation::new(u64::MAX, 0, B256::ZERO, vec![]).unwrap();
    assert_eq!(attestation.encoded_tasks(), [1]);
    let digest = b256!("0553c264c5ee14862d90af97f2daf75bfca6a064a7acd1e07d840494bd9b1e0a");
    assert_eq!(attestation.digest(&domain()), digest);
}

#[test]
fn a_delegation_is_signed_as_a_wallet_signs_it() {
    assert_signs_like_a_wallet(
        &Delegation { session: Address::repeat_byte(0x33), expires: 1_800_000_000 },
        b256!("6f69d2b5e0cf4fd037b4d5bb585e79fe91c44fbcb537118d0c12538f4934de89"),
        b256!("dd29dddea45cb5d85df19560519d4b828f5b739afc228bd1f1d8867dcb5b3e34"),
        hex!(
            "9223eb5866041882b3b8441499a3dd898dc3af3c45a937cd145efaaa8c54dc84
             7522f913e187e88e290db86ccff7e7442637709126bfacaf433afca47685a707 1c"
        ),
    );
}

#[test]
fn a_promise_is_signed_as_a_wallet_signs_it() {
    let promise = Promise {
        transaction: B256::repeat_byte(0x44),
        sender: Address::repeat_byte(0x55),
        nonce: 7,
        after: 290,
        height: 300,
        term: 3,
    };
    assert_signs_like_a_wallet(
        &promise,
        b256!("65e8c8c00cde7fbc882f9155d004b2faf09a3edb79b2dd8c0e3fece9457f74df"),
        b256!("aa68c570f4240e7df2885b78857daebfff847073e8e13060bdcb45bd2c8fe279"),
        hex!(
            "0bca880c017c7af8e78c35242eaac58c720e36ae0d5de719374274714f0cde21
             675a722dc44a776715b59d0b21feea32cf0997f0d31626b92b38e7ba90f8f469 1c"
        ),
    );
}

#[test]
fn a_digest_names_the_chain_by_its_id_and_by_its_genesis() {
    let message = Delegation { session: Address::ZERO, expires: 1 };
    let here = message.digest(&domain());
    assert_ne!(here, message.digest(&SigningDomain::new(7_118, &B256::repeat_byte(0x11))));
    assert_ne!(here, message.digest(&SigningDomain::new(7_117, &B256::repeat_byte(0x12))));
}
