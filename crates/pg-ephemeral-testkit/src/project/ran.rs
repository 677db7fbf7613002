//! [`Ran`]: the output and status of a command of a project, and checks on them.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::folder::Project;
use super::{redact, text};
use crate::support::fail;

/// The output and the exit status of a command that has ended. Its checks panic if they fail.
///
/// An expected text is compared with the output line by line. In the output, the project's folder is replaced by
/// `[ROOT]`. In the expected text, `[..]` matches any text within a line, and a line `...` matches any number of lines.
/// `[PORT]` matches the port of a local address, `[HASH]` 64 hexadecimal digits, and `[PASSWORD]` the value of
/// `PGPASSWORD`.
#[derive(Debug)]
pub struct Ran<'a> {
    pub(super) project: &'a Project,
    pub(super) line: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) took: Duration,
}

/// Compares the output as it is, and then with ports, passwords and hashes replaced, because a test may expect either.
fn compare(expected: &str, printed: &str) -> Result<(), String> {
    text::compare(expected, printed).or_else(|_| text::compare(expected, &redact::by_looks(printed)))
}

impl Ran<'_> {
    /// Checks that the command exited by itself with this status.
    #[track_caller]
    pub fn status(&self, expected: i32) -> &Self {
        if self.status.and_then(|status| status.code()) != Some(expected) {
            self.fail(&format!("expected status {expected}"));
        }
        self
    }

    /// Checks the complete standard output.
    #[track_caller]
    pub fn stdout(&self, expected: &str) -> &Self {
        if let Err(difference) = compare(expected, &self.stdout_text()) {
            self.fail(&format!("standard output is not as expected\n{difference}"));
        }
        self
    }

    /// Checks the complete standard error.
    #[track_caller]
    pub fn stderr(&self, expected: &str) -> &Self {
        if let Err(difference) = compare(expected, &self.stderr_text()) {
            self.fail(&format!("standard error is not as expected\n{difference}"));
        }
        self
    }

    /// Checks that the command took no longer than this.
    #[track_caller]
    pub fn within(&self, limit: Duration) -> &Self {
        if self.took > limit {
            self.fail(&format!("it may take {} s", limit.as_secs_f32()));
        }
        self
    }

    /// Returns the standard output as bytes, without redactions.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Returns the standard output, with redactions.
    pub fn stdout_text(&self) -> String {
        self.project.redact(&String::from_utf8_lossy(&self.stdout))
    }

    /// Returns the standard error, with redactions.
    pub fn stderr_text(&self) -> String {
        self.project.redact(&String::from_utf8_lossy(&self.stderr))
    }

    /// Returns the exit status, or 128 plus the number of the signal that ended the command.
    pub fn code(&self) -> i32 {
        let status = self.status.unwrap_or_default();
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// Returns the exit status as reported by the system.
    pub fn exit_status(&self) -> std::process::ExitStatus {
        self.status.unwrap_or_default()
    }

    /// Returns the time between the start and the end of the command.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Panics with a message that shows everything about this command.
    #[track_caller]
    pub fn fail(&self, why: &str) -> ! {
        let status = match self.status {
            Some(status) => status.to_string(),
            None => "still running".to_owned(),
        };
        fail(format!(
            "{why}\n--- command\n{}\n--- in {}\n{}--- {status} after {:.3} s\n--- standard output\n{}\n--- standard error\n{}\n---",
            self.line.join(" "),
            self.folder.display(),
            self.project.listing(),
            self.took.as_secs_f32(),
            self.stdout_text(),
            self.stderr_text(),
        ))
    }
}
