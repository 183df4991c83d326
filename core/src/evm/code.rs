//! Code whose owners are counted apart.
//!
//! [`Code`] is shared by a count of its owners, which each call changes several times, also the call of an account without code.
//! Cores that share one count wait for one another at it.

use super::state::Code;

/// The same code with a count of its own, for one core.
#[allow(unsafe_code)]
pub fn unshared(code: &Code) -> Code {
    let Some(jumps) = code.legacy_jump_table() else {
        return code.eip7702_address().map_or_else(|| code.clone(), Code::new_eip7702);
    };
    // SAFETY: these are the parts of code that was analysed, as they are, and so padded as the interpreter needs it. The length
    // and the table belong together, and code without bytes is padded to one, so it does not panic either.
    unsafe { Code::new_analyzed(code.bytes(), code.len(), jumps.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, bytes};

    #[test]
    fn it_is_the_same_code() {
        // PUSH32 that the code ends in, behind a JUMPDEST.
        let contract = Code::new_legacy(bytes!("5b7f01"));
        for code in [Code::default(), contract, Code::new_eip7702(Address::repeat_byte(7))] {
            let own = unshared(&code);
            assert_eq!((own.kind(), own.bytes(), own.len()), (code.kind(), code.bytes(), code.len()));
            assert_eq!((own.legacy_jump_table(), own.hash_slow()), (code.legacy_jump_table(), code.hash_slow()));
        }
    }

    #[test]
    fn no_code_is_counted_apart_too() {
        assert!(Code::default().is_default());
        assert!(!unshared(&Code::default()).is_default());
    }
}
