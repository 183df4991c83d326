//! Lies in the proofs of columns.

use super::{
    Lie,
    columns::{column_where, other, used, writes},
    forge::{Made, OpenProof, column_body, proof, read_column},
    only,
};
use crate::chain::TestBlock;
use alloy_primitives::B256;
use ocelli_core::{
    column::{ColumnBody, ColumnFault},
    evidence::Fault,
    tree::{NodeHash, ProofError},
};

/// Changes the proof of the first column whose proof is like this.
fn proof_where<M: Made>(
    block: &mut TestBlock,
    holds: impl Fn(&OpenProof) -> bool,
    edit: impl FnOnce(&mut OpenProof) -> M,
) -> Option<()> {
    let fits = |body: &ColumnBody| {
        let mut fits = false;
        proof(&mut body.proof.clone(), |open| {
            fits = holds(open);
            Some(())
        });
        fits
    };
    let index = column_where(block, fits)?;
    column_body(block, index, |body| proof(&mut body.proof, edit))
}

/// A proof that does not open, for this reason.
macro_rules! proof {
    ($error:pat) => {
        only!(Fault::Column { fault: ColumnFault::Proof($error), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "proof: of the state after the block",
        expect: proof!(_),
        apply: |block| {
            let stale = |body: &ColumnBody| writes(&mut body.clone()).next().is_some();
            let index = column_where(block, stale)?;
            let (after, prefix) = (block.assembled.state.clone(), block.assembled.manifest.columns[index].prefix);
            let honest = read_column(block, index)?.proof;
            column_body(block, index, |body| {
                let paths: Vec<B256> = body.keys.iter().map(|key| key.key.path()).collect();
                body.proof = after.prove(&prefix, &paths);
                (body.proof != honest).then_some(())
            })
        },
    },
    Lie { name: "proof: none", expect: proof!(_), apply: |block| used(block, |body| body.proof = Default::default()) },
    Lie {
        name: "proof: its shape cut short",
        expect: proof!(ProofError::CutShort),
        apply: |block| proof_where(block, |open| !open.shape.is_empty(), |open| open.shape.pop().map(drop)),
    },
    Lie {
        name: "proof: its shape with a byte more",
        expect: proof!(ProofError::LeftOver),
        apply: |block| proof_where(block, |open| !open.shape.is_empty(), |open| open.shape.push(0)),
    },
    Lie {
        name: "proof: its shape filled up with ones",
        expect: proof!(ProofError::LeftOver),
        apply: |block| {
            let filled =
                |open: &OpenProof| open.shape.last().is_some_and(|last| last.trailing_zeros() > 1 && *last > 0);
            proof_where(block, |open| filled(open) && open.shape.len() == 1, |open| open.shape[0] |= 1)
        },
    },
    Lie {
        name: "proof: another hash",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| proof_where(block, |open| !open.siblings.is_empty(), |open| open.siblings[0].0.0[31] ^= 1),
    },
    Lie {
        name: "proof: a hash of zero",
        expect: proof!(ProofError::NoHash),
        apply: |block| proof_where(block, |open| !open.siblings.is_empty(), |open| open.siblings[0] = NodeHash::EMPTY),
    },
    Lie {
        name: "proof: a hash left out",
        expect: proof!(ProofError::NoHash),
        apply: |block| proof_where(block, |open| !open.siblings.is_empty(), |open| open.siblings.pop().map(drop)),
    },
    Lie {
        name: "proof: a hash too many",
        expect: proof!(ProofError::LeftOver),
        apply: |block| {
            proof_where(block, |open| !open.siblings.is_empty(), |open| open.siblings.push(open.siblings[0]))
        },
    },
    Lie {
        name: "proof: another leaf with another value",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| {
            proof_where(
                block,
                |open| !open.leaves.is_empty(),
                |open| open.leaves[0].value = other(&open.leaves[0].value),
            )
        },
    },
    Lie {
        name: "proof: another leaf that was never written",
        expect: proof!(ProofError::OtherLeaf),
        apply: |block| proof_where(block, |open| !open.leaves.is_empty(), |open| open.leaves[0].version = 0),
    },
    Lie {
        name: "proof: another leaf where it cannot stand",
        expect: proof!(ProofError::OtherLeaf),
        apply: |block| {
            proof_where(
                block,
                |open| !open.leaves.is_empty(),
                |open| {
                    open.leaves[0].path.0[0] ^= 0x80;
                    Some(())
                },
            )
        },
    },
    Lie {
        name: "proof: another leaf left out",
        expect: proof!(ProofError::CutShort),
        apply: |block| proof_where(block, |open| !open.leaves.is_empty(), |open| open.leaves.pop().map(drop)),
    },
    Lie {
        name: "proof: another leaf too many",
        expect: proof!(ProofError::LeftOver),
        apply: |block| proof_where(block, |open| !open.leaves.is_empty(), |open| open.leaves.push(open.leaves[0])),
    },
];
