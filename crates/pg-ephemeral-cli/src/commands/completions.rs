//! `completions`: prints the script with which a shell requests completions, and answers such requests.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::args::{Arguments, Shell};
use crate::output::{Failure, print_bytes};

/// The variable by which a shell requests completions. Its value is the name of the shell.
const VARIABLE: &str = "PG_EPHEMERAL_COMPLETE";

/// The program that the shell completes and from which it requests completions.
const PROGRAM: &str = "pg-ephemeral";

/// Answers a shell that requests completions. Returns `None` if this is no such request.
pub(crate) fn answer() -> Option<ExitCode> {
    let asked = CompleteEnv::with_factory(Arguments::command).var(VARIABLE).bin(PROGRAM).completer(PROGRAM);
    let folder = std::env::current_dir().ok();
    match asked.try_complete(std::env::args_os(), folder.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // A message would appear in the middle of the command line that the user is editing.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Prints the script with which a shell requests completions.
pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).map_err(Failure::new)?;
    print_bytes(&script)
}
