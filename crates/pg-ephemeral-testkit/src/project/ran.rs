//! [`Ran`]: what a command of a project left, and the checks on it.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::folder::Project;
use super::{redact, text};
use crate::support::fail;

/// How a command ended, with all that it printed.
///
/// An expected text is compared line by line with what was printed, in which the project's folder is `[ROOT]`. In it
/// `[..]` stands for anything within a line, and a line `...` for any lines; `[PORT]` stands for the port of an address
/// of this machine, `[HASH]` for 64 hexadecimal digits, `[PASSWORD]` for what `PGPASSWORD` is set to.
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

/// A test may write out what could be told by its looks.
fn compare(expected: &str, printed: &str) -> Result<(), String> {
    text::compare(expected, printed).or_else(|_| text::compare(expected, &redact::by_looks(printed)))
}

impl Ran<'_> {
    /// It exited by itself with this status.
    #[track_caller]
    pub fn status(&self, expected: i32) -> &Self {
        if self.status.and_then(|status| status.code()) != Some(expected) {
            self.fail(&format!("expected status {expected}"));
        }
        self
    }

    /// All of standard output.
    #[track_caller]
    pub fn stdout(&self, expected: &str) -> &Self {
        if let Err(difference) = compare(expected, &self.stdout_text()) {
            self.fail(&format!("standard output is not as expected\n{difference}"));
        }
        self
    }

    /// All of standard error.
    #[track_caller]
    pub fn stderr(&self, expected: &str) -> &Self {
        if let Err(difference) = compare(expected, &self.stderr_text()) {
            self.fail(&format!("standard error is not as expected\n{difference}"));
        }
        self
    }

    /// The command took no longer than this.
    #[track_caller]
    pub fn within(&self, limit: Duration) -> &Self {
        if self.took > limit {
            self.fail(&format!("it may take {} s", limit.as_secs_f32()));
        }
        self
    }

    /// What it printed on standard output, byte for byte.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// What it printed on standard output, with redactions.
    pub fn stdout_text(&self) -> String {
        self.project.redact(&String::from_utf8_lossy(&self.stdout))
    }

    /// What it printed on standard error, with redactions.
    pub fn stderr_text(&self) -> String {
        self.project.redact(&String::from_utf8_lossy(&self.stderr))
    }

    /// The status of its own, or 128 and the number of the signal that ended it.
    pub fn code(&self) -> i32 {
        let status = self.status.unwrap_or_default();
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// How it ended.
    pub fn exit_status(&self) -> std::process::ExitStatus {
        self.status.unwrap_or_default()
    }

    /// From its start to its end.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Ends the test and shows everything about this command.
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
