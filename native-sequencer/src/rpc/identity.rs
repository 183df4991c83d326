//! Who answers, and for which chain.

use super::methods::Methods;
use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use jsonrpsee::core::RegisterMethodError;

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.quick("eth_chainId", 0, |rpc, _| Ok(U64::from(rpc.chain.config().params.chain_id)))?;
    methods.quick("net_version", 0, |rpc, _| Ok(rpc.chain.config().params.chain_id.to_string()))?;
    methods.quick("net_listening", 0, |_, _| Ok(true))?;
    methods.quick("net_peerCount", 0, |_, _| Ok(U64::ZERO))?;
    methods.quick("web3_clientVersion", 0, |_, _| Ok(client_version()))?;
    methods
        .quick("web3_sha3", 1, |_, arguments| arguments.required::<Bytes>().map(|data| B256::from(keccak256(data))))?;
    methods.quick("eth_syncing", 0, |_, _| Ok(false))?;
    // The sequencer holds nobody's keys.
    methods.quick("eth_accounts", 0, |_, _| Ok(Vec::<Address>::new()))
}

/// Name, version and platform, in the form that Ethereum's clients use.
fn client_version() -> String {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("Ocelli/v{}/{os}-{arch}", env!("CARGO_PKG_VERSION"))
}
