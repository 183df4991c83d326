#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ocelli_tests::fuzzing::run("block", data));
