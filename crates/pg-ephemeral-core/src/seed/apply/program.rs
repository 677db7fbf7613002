//! Runs scripts and commands on this machine, with environment variables that lead them to the server.

use std::collections::VecDeque;
use std::io;
use std::process::ExitStatus;

use ociman::{Variable, VariableValue};
use tokio::process::Command;

use crate::io::child::{self, Input, Lines, OutputStream};
use crate::postgres::client::PSQL_VARIABLES;
use crate::seed::events::{ApplyEvent, EventSink};
use crate::seed::process::Program;

/// How many lines of a failed program's output the error quotes.
const LAST_LINES: usize = 20;

/// The text that replaces a secret.
const REDACTED: &str = "[secret]";

/// The variables that a program gets in addition to the caller's environment. Variables of the caller that would lead
/// it to another server (`PG…`, `DATABASE_URL`) are removed first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChildEnvironment(Vec<Variable>);

impl ChildEnvironment {
    /// Creates an environment with these variables about a server, and no others.
    pub(crate) fn new(variables: Vec<Variable>) -> Self {
        Self(variables)
    }

    fn set_up(&self, command: &mut Command) {
        child::remove_server_variables(command);
        command.envs(PSQL_VARIABLES);
        for variable in &self.0 {
            command.env(&variable.name, variable.expose());
        }
    }

    /// Replaces the secrets in a line.
    fn redact_secrets(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for variable in &self.0 {
            if let VariableValue::Secret(secret) = &variable.value
                && !secret.expose().is_empty()
                && line.contains(secret.expose())
            {
                line = line.replace(secret.expose(), REDACTED);
            }
        }
        line
    }
}

/// An error while running a script or a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program could not be started.
    #[error("failed to start {program}")]
    Start {
        /// The program, described for the user.
        program: String,
        /// What the user can do about the error, if anything.
        hint: Option<&'static str>,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("{program} ended with {status}{}", quoted(output))]
    Failed {
        /// The program, described for the user.
        program: String,
        /// The exit status.
        status: ExitStatus,
        /// The last lines of its output, without secrets.
        output: Vec<String>,
    },
}

fn quoted(output: &[String]) -> String {
    if output.is_empty() { String::new() } else { format!("; its last words:\n{}", output.join("\n")) }
}

/// Runs a program in its folder until it ends. If the future is dropped, the program is killed with everything that it
/// started.
pub(super) async fn run_program(
    program: &Program,
    environment: &ChildEnvironment,
    events: &EventSink,
) -> Result<(), ProgramError> {
    let mut last = VecDeque::with_capacity(LAST_LINES);
    let mut emit = |stream, line: &str| {
        let line = environment.redact_secrets(line);
        events.send(ApplyEvent::Output { stream, line: &line });
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    };
    let mut command = program.command();
    environment.set_up(&mut command);
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    let ended = child::run(
        command,
        Input::Empty,
        |_| {},
        |stream, piece| {
            let lines = if stream == OutputStream::Stdout { &mut stdout } else { &mut stderr };
            lines.take(piece, |line| emit(stream, line));
        },
    );
    let status = ended.await.map_err(|error| ProgramError::Start {
        program: program.started(),
        hint: program.hint(),
        source: error.into_source(),
    })?;
    for (stream, lines) in [(OutputStream::Stdout, stdout), (OutputStream::Stderr, stderr)] {
        lines.finish(|line| emit(stream, line));
    }
    if status.success() {
        return Ok(());
    }
    Err(ProgramError::Failed { program: program.to_string(), status, output: last.into() })
}

#[cfg(test)]
mod tests {
    use ociman::Secret;

    use super::*;
    use crate::seed::process::ProgramText;

    fn script(text: &str) -> Program {
        Program { text: ProgramText::Script(text.to_owned()), folder: std::env::temp_dir() }
    }

    fn environment() -> ChildEnvironment {
        ChildEnvironment::new(vec![
            Variable::plain("PGHOST", "127.0.0.1"),
            Variable::secret("PGPASSWORD", Secret::new("hunter2")),
        ])
    }

    #[tokio::test]
    async fn secrets_are_struck_out_of_output_and_errors() {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = lines.clone();
        let events = EventSink::new(move |event| {
            if let ApplyEvent::Output { stream, line } = event {
                kept.lock().unwrap().push((stream, line.to_owned()));
            }
        });
        let program = script("echo $PGHOST; printf '%s' \"password $PGPASSWORD\" >&2; exit 4");
        let error = run_program(&program, &environment(), &events).await.unwrap_err();
        let error_chain = error.to_string();
        assert_eq!(error_chain, "the script ended with exit status: 4; its last words:\n127.0.0.1\npassword [secret]");
        let expected =
            [(OutputStream::Stdout, "127.0.0.1".to_owned()), (OutputStream::Stderr, "password [secret]".to_owned())];
        assert_eq!(*lines.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn only_the_last_lines_are_quoted() {
        let program = script("for i in $(seq 100); do echo line $i; done; exit 1");
        let error = run_program(&program, &environment(), &EventSink::default()).await.unwrap_err();
        let ProgramError::Failed { output, .. } = error else { panic!("{error}") };
        assert_eq!(output.len(), LAST_LINES);
        assert_eq!(output.last().unwrap(), "line 100");
    }
}
