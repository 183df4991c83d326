//! A chain: what a verifier trusts, and the checks that need nothing else.

use crate::{
    block::Block,
    error::Failure,
    shapes::{EvidenceVerdict, RegisteredVerifier, to_js},
};
use alloy_primitives::B256;
use ocelli_core::{
    evidence::{Claim, Evidence},
    genesis::ChainConfig,
    limits,
    manifest::Manifest,
    message::BlockDocument,
    wire::{self, WireError},
};
use serde::{Serialize, de::DeserializeOwned};
use std::rc::Rc;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// Most bytes of an encoded header, signed or not: its fields at their longest, and a signature.
const HEADER_BYTES: usize = 1 << 10;
/// Most bytes of an encoded configuration: its verifiers, at an address and ten bytes each, and the rest.
const CONFIG_BYTES: usize = limits::VERIFIERS * 32 + (64 << 10);
/// Most bytes of an encoded block document: a manifest, a header and a log's peaks.
const DOCUMENT_BYTES: usize = limits::MANIFEST_BYTES + (8 << 10);

/// A chain, named by its configuration.
#[wasm_bindgen]
pub struct Chain {
    pub(crate) config: Rc<ChainConfig>,
    pub(crate) genesis: B256,
}

#[wasm_bindgen]
impl Chain {
    /// The chain with this encoded configuration. `genesis` pins its genesis hash: whoever does that need not trust where
    /// the configuration came from.
    ///
    /// # Errors
    /// `MALFORMED`, `UNSUPPORTED_CHAIN`, `OTHER_GENESIS`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        config: &[u8],
        #[wasm_bindgen(unchecked_param_type = "Hex | undefined")] genesis: Option<String>,
    ) -> Result<Chain, Failure> {
        let config: ChainConfig = decode("chain configuration", config, CONFIG_BYTES)?;
        config.params.validate().map_err(Failure::Params)?;
        let hash = config.genesis_hash();
        match genesis.map(|text| text.parse::<B256>()) {
            Some(Err(_)) => Err(Failure::NotHex("the genesis hash")),
            Some(Ok(pinned)) if pinned != hash => Err(Failure::OtherGenesis),
            _ => Ok(Self { config: Rc::new(config), genesis: hash }),
        }
    }

    /// The genesis hash.
    #[wasm_bindgen(getter, js_name = genesisHash, unchecked_return_type = "Hex")]
    pub fn genesis_hash(&self) -> String {
        self.genesis.to_string()
    }

    /// The chain id of EIP-155.
    #[wasm_bindgen(getter, js_name = chainId)]
    pub fn chain_id(&self) -> f64 {
        self.config.params.chain_id as f64
    }

    /// How many registered verifiers must have checked a task for it to be covered.
    #[wasm_bindgen(getter)]
    pub fn redundancy(&self) -> u16 {
        self.config.params.redundancy
    }

    /// The registered verifiers.
    ///
    /// # Errors
    /// None in practice.
    #[wasm_bindgen(unchecked_return_type = "RegisteredVerifier[]")]
    pub fn verifiers(&self) -> Result<JsValue, Failure> {
        let verifiers = self.config.params.verifiers.iter();
        let verifiers =
            verifiers.map(|verifier| RegisteredVerifier { owner: verifier.owner, weight: verifier.weight.to_string() });
        to_js(&verifiers.collect::<Vec<_>>())
    }

    /// The encoded header of height 0.
    #[wasm_bindgen(js_name = genesisHeader)]
    pub fn genesis_header(&self) -> Vec<u8> {
        wire::encode(&self.config.genesis_header())
    }

    /// Opens a block: checks its header and manifest against the encoded header of its parent (that of height 0 if none is
    /// given), which the caller must have from here too. The block's `verdict` says how that ended.
    ///
    /// # Errors
    /// `MALFORMED`.
    #[wasm_bindgen(js_name = openBlock)]
    pub fn open_block(&self, parent: Option<Vec<u8>>, document: &[u8]) -> Result<Block, Failure> {
        let parent = match parent {
            Some(bytes) => decode("header", &bytes, HEADER_BYTES)?,
            None => self.config.genesis_header(),
        };
        let document: BlockDocument = decode("block document", document, DOCUMENT_BYTES)?;
        Block::open(Rc::clone(&self.config), &parent, document)
    }

    /// A block whose parent is not known, to follow the chain from there on: whoever does trusts the sequencer, who signed
    /// it, for all that lies before. Its `verdict` is that the parent is missing.
    ///
    /// # Errors
    /// `MALFORMED`, or `OTHER_CHAIN` if the sequencer of this chain has not signed it.
    pub fn anchor(&self, document: &[u8]) -> Result<Block, Failure> {
        let document: BlockDocument = decode("block document", document, DOCUMENT_BYTES)?;
        let header = &document.signed.header;
        let sequencer = self.config.params_at(header.height).sequencer;
        let holds = header.genesis == self.genesis
            && header.manifest_root == document.manifest.root()
            && document.signed.signer() == Ok(sequencer);
        if holds { Ok(Block::unlinked(Rc::clone(&self.config), document)) } else { Err(Failure::NotOfChain) }
    }

    /// Whether bytes are evidence against a block of this chain.
    ///
    /// # Errors
    /// None in practice: a height above 2^53.
    #[wasm_bindgen(js_name = checkEvidence, unchecked_return_type = "EvidenceVerdict")]
    pub fn check_evidence(&self, evidence: &[u8]) -> Result<JsValue, Failure> {
        let checked = Evidence::decode(evidence).and_then(|evidence| {
            let fault = evidence.check(&self.config)?;
            Ok((evidence.signed.header, fault))
        });
        to_js(&match checked {
            Ok((header, fault)) => {
                EvidenceVerdict::Fault { height: header.height, block: header.hash(), description: fault.to_string() }
            }
            Err(reason) => EvidenceVerdict::NotEvidence { reason: reason.to_string() },
        })
    }

    /// Evidence that the sequencer signed two headers of one height and term; `undefined` if it did not.
    ///
    /// # Errors
    /// `MALFORMED`.
    pub fn equivocation(&self, one: &[u8], other: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let signed = decode("signed header", one, HEADER_BYTES)?;
        let other = decode("signed header", other, HEADER_BYTES)?;
        let evidence = Evidence { signed, manifest: Manifest::default(), claim: Claim::Equivocation { other } };
        Ok(evidence.check(&self.config).is_ok().then(|| evidence.encode()))
    }
}

/// Decodes an object whose kind is told in the error.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<T, Failure> {
    wire::decode(bytes, limit).map_err(|error: WireError| Failure::Wire(what, error))
}
