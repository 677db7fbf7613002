#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pg_ephemeral_core::fuzzing::psql_script(input));
