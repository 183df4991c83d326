//! Writes the transcripts that `tests/verdicts` replays: the blocks of the realistic run, every lie about each of them that it
//! can be told of, and bodies with a bit flipped that the sequencer commits to.

use ocelli_tests::{
    chain::TestBlock,
    lies::{self, forge},
    realistic,
    transcript::Transcript,
    verdicts::Check,
};
use std::io::{self, Write};

/// Bits flipped of each body, as far apart as they can be.
const BITS_OF_A_BODY: usize = 8;

fn main() -> io::Result<()> {
    let (blocks, _) = realistic::blocks();
    let write = |name, transcript: Transcript| -> io::Result<()> {
        let path = transcript.write(name)?;
        let (checks, bytes) = (transcript.checks(), path.metadata()?.len());
        writeln!(io::stdout(), "{}: {checks} checks, {bytes} bytes", path.display())
    };
    write("honest", honest(&blocks))?;
    write("lies", lies(&blocks))?;
    write("flips", flips(&blocks))
}

fn honest(blocks: &[TestBlock]) -> Transcript {
    let mut transcript = Transcript::default();
    for block in blocks {
        transcript.add(&format!("block {}", block.signed.header.height), block);
    }
    transcript
}

fn lies(blocks: &[TestBlock]) -> Transcript {
    let mut transcript = Transcript::default();
    for lie in lies::all() {
        for block in blocks {
            let mut lying = block.clone();
            if (lie.apply)(&mut lying).is_some() {
                transcript.add(lie.name, &lying);
            }
        }
    }
    transcript
}

fn flips(blocks: &[TestBlock]) -> Transcript {
    let mut transcript = Transcript::default();
    let mut body = 0;
    for block in blocks {
        let rows = (0..block.assembled.row_bodies.len()).map(Check::Row);
        let columns = (0..block.assembled.column_bodies.len()).map(Check::Column);
        for check in rows.chain(columns) {
            flip(&mut transcript, block, check, body);
            body += 1;
        }
    }
    transcript
}

/// The `nth` body of all, with bits flipped at other places than in the one before.
fn flip(transcript: &mut Transcript, block: &TestBlock, check: Check, nth: usize) {
    let bytes = match check {
        Check::Row(index) => &block.assembled.row_bodies[index],
        Check::Column(index) => &block.assembled.column_bodies[index],
        Check::Block => return,
    };
    let stride = (bytes.len() * 8).div_ceil(BITS_OF_A_BODY);
    for bit in (nth % stride..bytes.len() * 8).step_by(stride) {
        let mut flipped = block.clone();
        let edit = |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
        let made = match check {
            Check::Row(index) => forge::row_bytes(&mut flipped, index, edit),
            Check::Column(index) => forge::column_bytes(&mut flipped, index, edit),
            Check::Block => None,
        };
        if made.is_some() {
            let name = format!("{check:?} of block {}", block.signed.header.height);
            transcript.add_checks(&name, &flipped, [check]);
        }
    }
}
