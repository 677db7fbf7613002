//! Scripts and commands that work on the server from outside, and what they get to know of it.

use std::collections::VecDeque;
use std::io;
use std::process::ExitStatus;

use ociman::{Variable, VariableValue};
use tokio::process::Command;

use crate::seed::events::{ApplyEvent, EventSink, OutputStream};
use crate::seed::process::{Program, run};

/// How many lines of a failed program's output its error quotes.
const LAST_LINES: usize = 20;

/// The longest line that is kept whole, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// Stands in place of a secret.
const STRUCK_OUT: &str = "[secret]";

/// The variables a program gets on top of the caller's environment, from which everything that would lead it to
/// another server (`PG…`, `DATABASE_URL`) is taken out first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChildEnvironment(Vec<Variable>);

impl ChildEnvironment {
    /// These variables and no other about a server.
    #[must_use]
    pub fn new(variables: Vec<Variable>) -> Self {
        Self(variables)
    }

    /// The variables.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.0
    }

    fn set_up(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(leads_to_a_server) {
                command.env_remove(name);
            }
        }
        for variable in &self.0 {
            command.env(&variable.name, variable.expose());
        }
    }

    /// Strikes the secrets out of a line.
    fn strike_out(&self, mut line: String) -> String {
        for variable in &self.0 {
            if let VariableValue::Secret(secret) = &variable.value
                && !secret.expose().is_empty()
                && line.contains(secret.expose())
            {
                line = line.replace(secret.expose(), STRUCK_OUT);
            }
        }
        line
    }
}

/// Variables of libpq are `PG` and capital letters; `PG_…` is other programs' own.
fn leads_to_a_server(name: &str) -> bool {
    let of_libpq =
        name.strip_prefix("PG").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()));
    of_libpq || name == "DATABASE_URL"
}

/// Why a script or a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started.
    #[error("start {program}")]
    Start {
        /// What was run, in words.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{program} ended with {status}{}", quoted(output))]
    Failed {
        /// What was run, in words.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its output, without secrets.
        output: Vec<String>,
    },
}

fn quoted(output: &[String]) -> String {
    if output.is_empty() { String::new() } else { format!("; its last words:\n{}", output.join("\n")) }
}

/// Runs a program in its folder until it ends; when the future is dropped it is killed with everything it started.
pub(super) async fn run_program(
    program: &Program,
    environment: &ChildEnvironment,
    events: &EventSink,
) -> Result<(), ProgramError> {
    let mut last = VecDeque::with_capacity(LAST_LINES);
    let mut emit = |stream, line: String| {
        let line = environment.strike_out(line);
        events.send(ApplyEvent::Output { stream, line: &line });
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    };
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    let ended = run(
        program,
        |command| environment.set_up(command),
        |stream, piece| {
            let lines = if stream == OutputStream::Stdout { &mut stdout } else { &mut stderr };
            lines.take(piece, |line| emit(stream, line));
        },
    );
    let status = ended.await.map_err(|source| ProgramError::Start { program: program.to_string(), source })?;
    for (stream, lines) in [(OutputStream::Stdout, stdout), (OutputStream::Stderr, stderr)] {
        if let Some(line) = lines.finish() {
            emit(stream, line);
        }
    }
    if status.success() {
        return Ok(());
    }
    Err(ProgramError::Failed { program: program.to_string(), status, output: last.into() })
}

/// Makes lines of what a program writes.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    fn take(&mut self, piece: &[u8], mut emit: impl FnMut(String)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(part);
            if part.ends_with(b"\n") || self.pending.len() > LONGEST_LINE {
                emit(text(&self.pending));
                self.pending.clear();
            }
        }
    }

    fn finish(self) -> Option<String> {
        (!self.pending.is_empty()).then(|| text(&self.pending))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
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
        let story = error.to_string();
        assert_eq!(story, "the script ended with exit status: 4; its last words:\n127.0.0.1\npassword [secret]");
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

    #[test]
    fn libpq_s_variables_lead_to_a_server_and_our_own_do_not() {
        for name in ["PGHOST", "PGPASSWORD", "PGSERVICEFILE", "DATABASE_URL"] {
            assert!(leads_to_a_server(name), "{name}");
        }
        for name in ["PG_EPHEMERAL_BIN_DIR", "PG", "PATH", "OPGHOST"] {
            assert!(!leads_to_a_server(name), "{name}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_into_pieces() {
        let mut lines = Lines::default();
        let mut taken = Vec::new();
        for _ in 0..10 {
            lines.take(&[b'x'; 4096], |line| taken.push(line.len()));
        }
        assert!(taken.iter().all(|length| *length <= LONGEST_LINE + 4096));
        assert_eq!(taken.len(), 3);
    }
}
