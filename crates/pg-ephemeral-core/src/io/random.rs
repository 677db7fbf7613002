//! The system's source of random numbers.

use std::io::{self, Read};

/// Fills a buffer with random bytes.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}

/// Returns sixteen random hexadecimal digits, for names and nonces.
pub(crate) fn random_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
