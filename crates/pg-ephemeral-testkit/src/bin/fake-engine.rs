//! A fake Docker or Podman as a program. The name under which the program is called decides which engine it imitates.

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
