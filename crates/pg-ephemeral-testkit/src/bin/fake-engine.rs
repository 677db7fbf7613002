//! A Docker or a Podman that is not there, as a program: what it is called decides which of them it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    match pg_ephemeral_testkit::fake_engine() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fake-engine: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("caused by: {error}");
                cause = error.source();
            }
            ExitCode::from(125)
        }
    }
}
