//! What gas costs: the base fee of the next block, the tips of the last ones.

use super::{
    Rpc,
    call::next_env,
    errors::RpcError,
    methods::{Arguments, Methods},
};
use crate::{
    block::{SealedBlock, SealedTransaction},
    limits,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{U64, U128};
use alloy_rpc_types_eth::FeeHistory;
use jsonrpsee::core::RegisterMethodError;
use ocelli_core::{evm::Env, header::Header};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.read("eth_gasPrice", 0, |rpc, _| Ok(U128::from(u128::from(rpc.next_base_fee()) + rpc.suggested_tip()?)))?;
    methods.read("eth_maxPriorityFeePerGas", 0, |rpc, _| rpc.suggested_tip().map(U128::from))?;
    methods.quick("eth_blobBaseFee", 0, |_, _| Ok(U64::from(1)))?;
    methods.heavy("eth_feeHistory", 3, fee_history)
}

impl Rpc {
    /// The base fee, in wei, of a block sealed now.
    fn next_base_fee(&self) -> u64 {
        next_env(self.chain.config(), &self.chain.head().header).base_fee
    }

    /// A tip, in wei, that three in five transactions of the last blocks did not exceed.
    fn suggested_tip(&self) -> Result<u128, RpcError> {
        let head = self.chain.head();
        // Held while it is found, so that those who ask at the same time do not all look for it.
        let mut known = self.tip.lock();
        match *known {
            Some((hash, tip)) if hash == head.hash => Ok(tip),
            _ => {
                let tip = self.find_tip(head.header.height)?;
                *known = Some((head.hash, tip));
                Ok(tip)
            }
        }
    }

    fn find_tip(&self, head: u64) -> Result<u128, RpcError> {
        let mut tips = Vec::new();
        for height in head.saturating_sub(limits::TIP_BLOCKS - 1).max(1)..=head {
            let Some(block) = self.chain.block(height)? else { continue };
            tips.extend(tips_of(&block).map(|(tip, _)| tip));
        }
        let at = tips.len() * 3 / 5;
        let middle = (at < tips.len()).then(|| *tips.select_nth_unstable(at).1);
        Ok(middle.unwrap_or_default().max(limits::TIP_AT_LEAST))
    }
}

/// For each transaction, its tip in wei and the gas it used.
fn tips_of(block: &SealedBlock) -> impl Iterator<Item = (u128, u64)> {
    let base_fee = block.header().base_fee;
    let tip = move |sealed: &SealedTransaction| sealed.transaction.effective_tip(base_fee).unwrap_or_default();
    block.transactions.iter().zip(block.receipts()).map(move |(sealed, receipt)| (tip(sealed), receipt.gas_used))
}

fn fee_history(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<FeeHistory, RpcError> {
    let count: U64 = arguments.required()?;
    let newest = arguments.required::<BlockNumberOrTag>()?;
    let percentiles = arguments.optional()?.filter(|percentiles: &Vec<f64>| !percentiles.is_empty());
    check_percentiles(percentiles.as_deref().unwrap_or_default())?;
    let newest = rpc.height_at(newest.into())?.ok_or(RpcError::UnknownBlock)?;
    if count.is_zero() {
        return Ok(FeeHistory::default());
    }
    // More than are given out is no error but fewer blocks, as other clients have it.
    let count = count.to::<u64>().min(limits::FEE_HISTORY_BLOCKS).min(newest + 1);
    let mut history = FeeHistory { oldest_block: newest + 1 - count, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    let mut last = None;
    for height in history.oldest_block..=newest {
        let block = rpc.block(height)?.ok_or(RpcError::UnknownBlock)?;
        let header = block.header();
        let gas_limit = rpc.chain.config().params_at(height).gas_limit;
        history.base_fee_per_gas.push(header.base_fee.into());
        history.gas_used_ratio.push(header.gas_used as f64 / gas_limit.max(1) as f64);
        if let Some(percentiles) = &percentiles {
            let tips = block.sealed().map(|sealed| tips_of(sealed).collect()).unwrap_or_default();
            rewards.push(at_percentiles(tips, percentiles));
        }
        last = Some(header.clone());
    }
    if let Some(last) = last {
        history.base_fee_per_gas.push(rpc.base_fee_after(&last)?.into());
        history.base_fee_per_blob_gas = vec![1; history.base_fee_per_gas.len()];
        history.blob_gas_used_ratio = vec![0.0; history.gas_used_ratio.len()];
    }
    history.reward = percentiles.map(|_| rewards);
    Ok(history)
}

impl Rpc {
    /// The base fee of the block after the one with this header, sealed now if it is not sealed yet.
    fn base_fee_after(&self, header: &Header) -> Result<u64, RpcError> {
        let next = self.chain.header(header.height + 1)?;
        let config = self.chain.config();
        Ok(next.map_or_else(|| next_env(config, header), |next| Env::of(config, &next)).base_fee)
    }
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > limits::FEE_PERCENTILES {
        return Err(RpcError::TooMuch(format!("more than {} percentiles", limits::FEE_PERCENTILES)));
    }
    let ascending = percentiles.is_sorted();
    if !ascending || percentiles.iter().any(|percentile| !(0.0..=100.0).contains(percentile)) {
        return Err(RpcError::InvalidParams("percentiles must ascend from 0 to 100".to_owned()));
    }
    Ok(())
}

/// For each percentile of the gas used, in order of tips, the tip it was used at.
fn at_percentiles(mut tips: Vec<(u128, u64)>, percentiles: &[f64]) -> Vec<u128> {
    tips.sort_unstable();
    let total: u64 = tips.iter().map(|(_, gas)| gas).sum();
    let mut tips = tips.into_iter();
    let (mut tip, mut gas_below) = tips.next().unwrap_or_default();
    let at = percentiles.iter().map(|percentile| {
        let wanted = (total as f64 * percentile / 100.0) as u64;
        while gas_below < wanted {
            let Some((next, gas)) = tips.next() else { break };
            (tip, gas_below) = (next, gas_below + gas);
        }
        tip
    });
    at.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_weigh_by_gas() {
        let tips = vec![(30, 10), (10, 80), (20, 10)];
        assert_eq!(at_percentiles(tips, &[0.0, 50.0, 80.0, 81.0, 95.0, 100.0]), [10, 10, 10, 20, 30, 30]);
        assert_eq!(at_percentiles(Vec::new(), &[10.0, 90.0]), [0, 0]);
    }

    #[test]
    fn percentiles_must_ascend_within_bounds() {
        assert!(check_percentiles(&[0.0, 50.0, 100.0]).is_ok());
        for wrong in [&[50.0, 10.0][..], &[-1.0], &[101.0], &[f64::NAN]] {
            assert_eq!(check_percentiles(wrong).unwrap_err().code(), -32602);
        }
        assert_eq!(check_percentiles(&[1.0; limits::FEE_PERCENTILES + 1]).unwrap_err().code(), -32602);
    }
}
