//! Attestations, the key that signs them, and certificates.

use crate::{
    chain::{Chain, decode},
    error::Failure,
    shapes::{CertificateSpan, CertificateVerdict, CertifiedBlockInfo, TaskList, VoterInfo, to_js},
};
use alloy_primitives::{Address, B256};
use ocelli_core::{
    attestation::{Attestation, BlockTasks, Delegation, SignedAttestation, SignedDelegation, TaskSet},
    certificate::{Certificate, CertifiedBlock},
    limits,
    signature::{SecretKey, Signature},
    typed_data::{DOMAIN_NAME, DOMAIN_VERSION, SigningDomain},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// The greatest integer up to which JavaScript's numbers are exact: 2^53 - 1.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

#[wasm_bindgen]
impl Chain {
    /// Whom an encoded attestation speaks for; `time_ms` is the time of the header voted for.
    ///
    /// # Errors
    /// `MALFORMED`; `NOT_ATTESTED` if nobody signed it, or under a delegation that does not hold.
    #[wasm_bindgen(unchecked_return_type = "VoterInfo")]
    pub fn voter(&self, attestation: &[u8], time_ms: f64) -> Result<JsValue, Failure> {
        let signed: SignedAttestation = decode("attestation", attestation, limits::ATTESTATION_BYTES)?;
        let voter = signed.verify(&self.domain(), integer("time", time_ms)?).map_err(Failure::Attestation)?;
        let registered = self.config.params.verifiers.weight(&voter.owner) > 0;
        to_js(&VoterInfo { owner: voter.owner, session: voter.session, registered })
    }

    /// Verifies an encoded certificate. Up to the height `certified` blocks are certified already, or were taken on trust;
    /// `blocks` are those of the chain above it, up to the certificate's `top`.
    ///
    /// # Errors
    /// `MALFORMED`; `INVALID_ARGUMENT` if `blocks` are no blocks.
    #[wasm_bindgen(js_name = verifyCertificate, unchecked_return_type = "CertificateVerdict")]
    pub fn verify_certificate(
        &self,
        certificate: &[u8],
        certified: f64,
        #[wasm_bindgen(unchecked_param_type = "readonly CertifiedBlockInfo[]")] blocks: JsValue,
    ) -> Result<JsValue, Failure> {
        let certificate: Certificate = decode("certificate", certificate, limits::CERTIFICATE_BYTES)?;
        let certified = integer("certified", certified)?;
        let blocks: Vec<CertifiedBlockInfo> = serde_wasm_bindgen::from_value(blocks)?;
        let blocks: Vec<CertifiedBlock> = blocks.into_iter().map(CertifiedBlock::from).collect();
        let params = self.config.params_at(certificate.height);
        let verified = certificate.verify(certified, &params.verifiers, params.redundancy, &self.domain(), &blocks);
        to_js(&match verified {
            Ok(()) => CertificateVerdict::Valid {
                after: certificate.after,
                height: certificate.height,
                block: certificate.header,
                attestations: certificate.attestations.len() as u32,
            },
            Err(reason) => CertificateVerdict::Invalid { reason: reason.to_string() },
        })
    }
}

/// What an encoded certificate says of itself; nothing of it is verified.
///
/// # Errors
/// `MALFORMED`.
#[wasm_bindgen(js_name = readCertificate, unchecked_return_type = "CertificateSpan")]
pub fn read_certificate(certificate: &[u8]) -> Result<JsValue, Failure> {
    let certificate: Certificate = decode("certificate", certificate, limits::CERTIFICATE_BYTES)?;
    let (after, height, top) = (certificate.after, certificate.height, certificate.top());
    to_js(&CertificateSpan { after, height, top })
}

impl Chain {
    fn domain(&self) -> SigningDomain {
        SigningDomain::new(self.config.params.chain_id, &self.genesis)
    }
}

/// A verifier's key: the owner's own, or a session key that an owner has delegated to.
#[wasm_bindgen]
pub struct VerifierKey {
    key: SecretKey,
    domain: SigningDomain,
    chain_id: u64,
    genesis: B256,
    delegation: Option<(SignedDelegation, Address)>,
}

#[wasm_bindgen]
impl VerifierKey {
    /// The key with these 32 bytes, for attestations of `chain`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if no key has these bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(chain: &Chain, secret: &[u8]) -> Result<VerifierKey, Failure> {
        let secret: &[u8; 32] = secret.try_into().map_err(|_| Failure::Shape("a key has 32 bytes".into()))?;
        let key = SecretKey::from_bytes(secret).map_err(|error| Failure::Shape(error.to_string()))?;
        let chain_id = chain.config.params.chain_id;
        Ok(Self { key, domain: chain.domain(), chain_id, genesis: chain.genesis, delegation: None })
    }

    /// The key's own address.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn address(&self) -> String {
        hex(&self.key.address())
    }

    /// For whom the key attests: whoever delegated to it, or itself.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn owner(&self) -> String {
        hex(&self.delegation.as_ref().map_or(self.key.address(), |(_, owner)| *owner))
    }

    /// What an owner's wallet has to sign (`eth_signTypedData_v4`) for the key to attest in its name until `expires`, in Unix
    /// seconds: EIP-712 typed data, as JSON.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `expires` is not a time.
    #[wasm_bindgen(js_name = delegationRequest)]
    pub fn delegation_request(&self, expires: f64) -> Result<String, Failure> {
        let expires = integer("expires", expires)?;
        let (chain_id, genesis, session) = (self.chain_id, self.genesis, self.address());
        Ok(format!(
            r#"{{"types":{{"EIP712Domain":[{{"name":"name","type":"string"}},{{"name":"version","type":"string"}},{{"name":"chainId","type":"uint256"}},{{"name":"salt","type":"bytes32"}}],"Delegation":[{{"name":"session","type":"address"}},{{"name":"expires","type":"uint64"}}]}},"primaryType":"Delegation","domain":{{"name":"{DOMAIN_NAME}","version":"{DOMAIN_VERSION}","chainId":{chain_id},"salt":"{genesis}"}},"message":{{"session":"{session}","expires":"{expires}"}}}}"#
        ))
    }

    /// Takes the signature that an owner's wallet made of [`Self::delegation_request`], and returns the owner.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it is no signature.
    #[wasm_bindgen(unchecked_return_type = "Hex")]
    pub fn delegate(&mut self, expires: f64, signature: &[u8]) -> Result<String, Failure> {
        let not_a_signature = |reason: String| Failure::Shape(format!("the delegation's signature: {reason}"));
        let signature: &[u8; 65] =
            signature.try_into().map_err(|_| not_a_signature("a wallet's signature has 65 bytes".into()))?;
        let signature = Signature::from_wallet(signature).map_err(|error| not_a_signature(error.to_string()))?;
        let delegation = Delegation { session: self.key.address(), expires: integer("expires", expires)? };
        let signed = SignedDelegation { delegation, signature };
        let owner = signed.owner(&self.domain).map_err(|error| not_a_signature(error.to_string()))?;
        self.delegation = Some((signed, owner));
        Ok(self.owner())
    }

    /// Signs a vote for the header with this height, term and hash, with the tasks that this verifier has checked in it and
    /// in blocks below it. Returns the encoded attestation.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if the tasks are not as those of an attestation have to be.
    pub fn attest(
        &self,
        height: f64,
        term: f64,
        #[wasm_bindgen(unchecked_param_type = "Hex")] header: &str,
        #[wasm_bindgen(unchecked_param_type = "readonly TaskList[]")] blocks: JsValue,
    ) -> Result<Vec<u8>, Failure> {
        let header: B256 = header.parse().map_err(|_| Failure::NotHex("the header's hash"))?;
        let blocks: Vec<TaskList> = serde_wasm_bindgen::from_value(blocks)?;
        let tasks = blocks.into_iter().map(checked_tasks).collect::<Result<Vec<_>, _>>()?;
        let attestation = Attestation::new(integer("height", height)?, integer("term", term)?, header, tasks)
            .map_err(|error| Failure::Shape(error.to_string()))?;
        let signed = match &self.delegation {
            None => SignedAttestation::by_owner(attestation, &self.key, &self.domain),
            Some((delegation, _)) => SignedAttestation::by_session(attestation, *delegation, &self.key, &self.domain),
        };
        Ok(signed.encode())
    }
}

fn checked_tasks(list: TaskList) -> Result<BlockTasks, Failure> {
    let mut tasks = TaskSet::default();
    for task in list.tasks {
        tasks.insert(task).map_err(|error| Failure::Shape(error.to_string()))?;
    }
    Ok(BlockTasks { height: list.height, tasks })
}

/// Lower case, so that two spellings of one address are equal as text too.
fn hex(address: &Address) -> String {
    format!("{address:#x}")
}

pub(crate) fn integer(what: &str, value: f64) -> Result<u64, Failure> {
    let holds = (0.0..=MAX_SAFE_INTEGER).contains(&value) && value.fract() == 0.0;
    if holds { Ok(value as u64) } else { Err(Failure::Shape(format!("{what} is not an integer from 0 to 2^53"))) }
}

impl TaskList {
    pub(crate) fn of(attestation: &Attestation) -> Vec<Self> {
        let lists = attestation.tasks().iter();
        lists.map(|block| Self { height: block.height, tasks: block.tasks.iter().collect() }).collect()
    }
}
