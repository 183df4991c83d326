//! What was given is not what the block commits to. It says nothing about the block, and is evidence of nothing.

use super::{
    Lie,
    forge::{assemble_over, execute_over, user_rows},
    not_committed,
};
use crate::chain::TestBlock;
use alloy_primitives::B256;
use ocelli_core::{merkle::Frontier, refusal::NotCommitted};

/// Makes the block anew on a parent that is the same but of another chain: all of it holds there.
fn on_another_chain(block: &mut TestBlock) -> Option<()> {
    block.parent.genesis = B256::repeat_byte(0x5a);
    block.assembled.header.parent = block.parent.hash();
    block.sign();
    block.rows = execute_over(block, block.before.clone(), &user_rows(block), |_| {});
    let before = block.before.tree.clone();
    assemble_over(block, &before)
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "supply: the body of another row",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| {
            let first = block.assembled.row_bodies[0].clone();
            *block.assembled.row_bodies.last_mut()? = first;
            Some(())
        },
    },
    Lie {
        name: "supply: a row's body cut short",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| {
            let body = &mut block.assembled.row_bodies[1];
            *body = body.slice(..body.len() - 1);
            Some(())
        },
    },
    Lie {
        name: "supply: no row's body",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| {
            block.assembled.row_bodies[0] = Default::default();
            Some(())
        },
    },
    Lie {
        name: "supply: the body of another column",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| {
            let columns = &mut block.assembled.column_bodies;
            let second = columns.get(1)?.clone();
            columns[0] = second;
            Some(())
        },
    },
    Lie {
        name: "supply: a column's body with something behind it",
        expect: not_committed!(NotCommitted::Body),
        apply: |block| {
            let body = &mut block.assembled.column_bodies[0];
            *body = [body, &[0][..]].concat().into();
            Some(())
        },
    },
    Lie {
        name: "supply: the cells of other rows",
        expect: not_committed!(NotCommitted::CellPath),
        apply: |block| {
            let cells = &mut block.assembled.cells[0];
            let mut leaves: Vec<B256> = (0..cells.len()).filter_map(|at| cells.leaf(at)).collect();
            leaves.rotate_left(1);
            *cells = ocelli_core::merkle::paths(&leaves);
            Some(())
        },
    },
    Lie {
        name: "supply: cells for fewer columns",
        expect: not_committed!(NotCommitted::CellPath),
        apply: |block| block.assembled.cells.pop().map(drop),
    },
    Lie {
        name: "supply: cells for more columns",
        expect: not_committed!(NotCommitted::CellPath),
        apply: |block| {
            let last = block.assembled.cells.last()?.clone();
            block.assembled.cells.push(last);
            Some(())
        },
    },
    Lie {
        name: "supply: code that the row asks for is missing",
        expect: not_committed!(NotCommitted::NoCode(_)),
        apply: |block| {
            let (used, _) = *block.rows.iter().flat_map(|row| &row.effects.codes_used).next()?;
            block.codes.remove(&used).map(drop)
        },
    },
    Lie {
        name: "supply: other code than the row asks for",
        expect: not_committed!(NotCommitted::NoCode(_)),
        apply: |block| {
            let (used, _) = *block.rows.iter().flat_map(|row| &row.effects.codes_used).next()?;
            let code = block.codes.get_mut(&used)?;
            *code = [code, &[0][..]].concat().into();
            Some(())
        },
    },
    Lie {
        name: "supply: another header as the parent",
        expect: not_committed!(NotCommitted::Parent),
        apply: |block| {
            block.parent.gas_used += 1;
            Some(())
        },
    },
    Lie {
        name: "supply: another history of the parent",
        expect: not_committed!(NotCommitted::Ancestors),
        apply: |block| {
            let size = block.parent_ancestors.size();
            let peaks = vec![B256::repeat_byte(7); size.count_ones() as usize];
            block.parent_ancestors = Frontier::new(size, peaks).filter(|_| size > 0)?;
            Some(())
        },
    },
    Lie {
        name: "supply: a shorter history of the parent",
        expect: not_committed!(NotCommitted::Ancestors),
        apply: |block| {
            (block.parent_ancestors.size() > 0).then_some(())?;
            block.parent_ancestors = Frontier::default();
            Some(())
        },
    },
    Lie {
        name: "supply: a history of the parent that counts twice as many, with the same root",
        expect: not_committed!(NotCommitted::Ancestors),
        apply: |block| {
            let log = &block.parent_ancestors;
            let twice = Frontier::new(2 * log.size(), log.peaks().to_vec())?;
            (twice.size() > 0).then(|| block.parent_ancestors = twice)
        },
    },
    Lie {
        name: "supply: a block of another chain, with its parent",
        expect: not_committed!(NotCommitted::OtherChain),
        apply: on_another_chain,
    },
    Lie {
        name: "supply: a parent of another chain",
        expect: not_committed!(NotCommitted::OtherChain),
        apply: |block| {
            on_another_chain(block)?;
            block.assembled.header.genesis = block.config.genesis_hash();
            block.sign();
            Some(())
        },
    },
];
