//! `completions`: the script that makes a shell ask for completions, and the answer to a shell that asks.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::args::{Arguments, Shell};
use crate::output::{Failure, print_bytes};

/// Is set by a shell that asks, and says which one it is.
const VARIABLE: &str = "PG_EPHEMERAL_COMPLETE";

/// The program that a shell asks, and completes.
const PROGRAM: &str = "pg-ephemeral";

/// Answers a shell that asks; `None` when none does.
pub(crate) fn answer() -> Option<ExitCode> {
    let asked = CompleteEnv::with_factory(Arguments::command).var(VARIABLE).bin(PROGRAM).completer(PROGRAM);
    let folder = std::env::current_dir().ok();
    match asked.try_complete(std::env::args_os(), folder.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // In the middle of a line that somebody writes there is no place for a message.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Prints the script that makes a shell ask.
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
