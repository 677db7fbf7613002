#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| pg_ephemeral_core::fuzzing::names(input));
