#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| ociman::fuzzing::message(input));
