//! Accounts that sign transactions of every type.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy};
use alloy_eips::{eip2718::Encodable2718, eip2930::AccessList, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, Signature as AlloySignature, TxKind, U256, keccak256};
use ocelli_core::{
    params::Fork,
    signature::{SecretKey, Signature},
    transaction::{Recovered, Transaction},
};

use std::sync::Arc;

/// The chain id of test chains.
pub const CHAIN_ID: u64 = 31_337;
/// What test transactions offer for a unit of gas, in wei.
pub const MAX_FEE: u128 = 20_000_000_000;
/// What test transactions tip for a unit of gas, in wei.
pub const TIP: u128 = 1_000_000_000;

/// An account with a key.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// The key.
    pub key: Arc<SecretKey>,
    /// The nonce of the next transaction.
    pub nonce: u64,
}

/// A signature as alloy has it.
pub fn alloy_signature(signature: &Signature) -> AlloySignature {
    let bytes = signature.as_bytes();
    AlloySignature::new(U256::from_be_slice(&bytes[..32]), U256::from_be_slice(&bytes[32..64]), signature.y_odd())
}

impl Wallet {
    /// The wallet with the key that `seed` gives.
    pub fn new(seed: u64) -> Self {
        let secret = keccak256([b"wallet".as_slice(), &seed.to_be_bytes()].concat());
        Self { key: Arc::new(SecretKey::from_bytes(&secret.0).expect("a hash is a key")), nonce: 0 }
    }

    /// The wallet's address.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Signs `transaction` and takes it through the decoder, as the network would.
    pub fn sign<T: SignableTransaction<AlloySignature>>(&self, transaction: T) -> Recovered
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let decoded = Transaction::decode(&self.encode(transaction), CHAIN_ID, Fork::Osaka).expect("well formed");
        Recovered::new(decoded).expect("signed")
    }

    /// The EIP-2718 bytes of `transaction`, signed, whatever it is.
    pub fn encode<T: SignableTransaction<AlloySignature>>(&self, transaction: T) -> Bytes
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = alloy_signature(&self.key.sign(&transaction.signature_hash()));
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
    }

    fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce - 1
    }

    /// A fee-market transaction (EIP-1559).
    pub fn send(&mut self, to: TxKind, value: U256, input: Bytes, gas_limit: u64) -> Recovered {
        let nonce = self.next_nonce();
        self.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            value,
            access_list: AccessList::default(),
            input,
        })
    }

    /// A transfer by a fee-market transaction.
    pub fn transfer(&mut self, to: Address, wei: u64) -> Recovered {
        self.send(TxKind::Call(to), U256::from(wei), Bytes::new(), 21_000)
    }

    /// A transfer by a legacy transaction (EIP-155).
    pub fn transfer_legacy(&mut self, to: Address, wei: u64) -> Recovered {
        let nonce = self.next_nonce();
        self.sign(TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce,
            gas_price: MAX_FEE,
            gas_limit: 21_000,
            to: TxKind::Call(to),
            value: U256::from(wei),
            input: Bytes::new(),
        })
    }

    /// A transfer by an access list transaction (EIP-2930).
    pub fn transfer_2930(&mut self, to: Address, wei: u64) -> Recovered {
        let nonce = self.next_nonce();
        self.sign(TxEip2930 {
            chain_id: CHAIN_ID,
            nonce,
            gas_price: MAX_FEE,
            gas_limit: 30_000,
            to: TxKind::Call(to),
            value: U256::from(wei),
            access_list: AccessList::default(),
            input: Bytes::new(),
        })
    }

    /// A set code transaction (EIP-7702) by which `authority` delegates to `target`.
    pub fn delegate(&mut self, authority: &mut Self, target: Address) -> Recovered {
        let nonce = self.next_nonce();
        let authorization =
            Authorization { chain_id: U256::from(CHAIN_ID), address: target, nonce: authority.next_nonce() };
        let signature = alloy_signature(&authority.key.sign(&authorization.signature_hash()));
        self.sign(TxEip7702 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 100_000,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to: authority.address(),
            value: U256::ZERO,
            access_list: AccessList::default(),
            authorization_list: vec![authorization.into_signed(signature)],
            input: Bytes::new(),
        })
    }

    /// Deploys a contract whose runtime code is `runtime`.
    pub fn deploy(&mut self, runtime: &[u8]) -> (Recovered, Address) {
        let address = self.address().create(self.nonce);
        // PUSH2 length, DUP1, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 0, RETURN: twelve bytes, then the runtime code.
        let [high, low] = (runtime.len() as u16).to_be_bytes();
        let mut initcode = vec![0x61, high, low, 0x80, 0x60, 12, 0x5f, 0x39, 0x5f, 0xf3, 0, 0];
        initcode.extend_from_slice(runtime);
        (self.send(TxKind::Create, U256::ZERO, initcode.into(), 1_000_000), address)
    }
}

/// A storage slot's number as a word.
pub fn word(number: u64) -> B256 {
    U256::from(number).into()
}
