//! Errors as the user sees them: the error, its causes, a hint, and the exit status.

use pg_ephemeral_core::choose::ChooseError;
use pg_ephemeral_core::config::{EffectiveError, INSTANCE_VARIABLE, InstanceVariableError, LoadError, UntrustedConfig};
use pg_ephemeral_core::host_image::FindError;
use pg_ephemeral_core::snapshot::SnapshotError;
use pg_ephemeral_core::{
    AttachError, CacheError, DatabaseError, FoldersError, LookError, SecretError, StartError, ToolError,
};
use std::error::Error;
use std::io::{ErrorKind, Write};

use super::spinner;
use super::stderr::{BOLD, BOLD_RED, RESET};

/// The exit status when a command fails.
pub(crate) const FAILED: u8 = 1;
/// The exit status when pg-ephemeral itself fails around a wrapped command.
pub(crate) const FAILED_AROUND: u8 = 125;
/// The exit status when the wrapped command can't be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The exit status when the wrapped command does not exist.
pub(crate) const NOT_FOUND: u8 = 127;

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error to print, with an optional hint.
    Error { error: Box<dyn Error + Send + Sync>, hint: Option<String> },
    /// A signal ended the command. Nothing is printed.
    Interrupted { signal: i32 },
}

impl Failure {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Error { error: Box::new(error), hint: None }
    }

    pub(crate) fn with_hint(error: impl Error + Send + Sync + 'static, hint: impl Into<String>) -> Self {
        Self::Error { error: Box::new(error), hint: Some(hint.into()) }
    }

    /// Replaces the hint if `hint` is `Some`.
    pub(crate) fn and_hint(self, hint: Option<String>) -> Self {
        match self {
            Self::Error { error, .. } if hint.is_some() => Self::Error { error, hint },
            failure => failure,
        }
    }

    /// Creates a failure that has no error type in the library.
    pub(crate) fn message(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error { error: text.into().into(), hint: Some(hint.into()) }
    }

    /// Creates the failure for a user's secret that can't be read.
    pub(crate) fn secret(error: SecretError) -> Self {
        let hint = error.hint();
        Self::with_hint(error, hint)
    }

    /// Creates a failure from an operating-system error in `step`.
    pub(crate) fn with_cause(step: &str, cause: std::io::Error) -> Self {
        Self::Error { error: format!("{step}: {cause}").into(), hint: None }
    }

    /// Returns the error and its causes on one line, or an empty string for [`Self::Interrupted`].
    pub(crate) fn in_one_line(&self) -> String {
        let Self::Error { error, .. } = self else { return String::new() };
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }

    /// Returns the hint: what the user can do about the failure.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Error { hint, .. } => hint.as_deref(),
            Self::Interrupted { .. } => None,
        }
    }

    /// Prints the failure on standard error.
    pub(crate) fn print(&self) {
        spinner::clear();
        // A closed standard error is ignored: there is no other place for the message.
        let _ = anstream::stderr().lock().write_all(self.styled().as_bytes());
    }

    /// Returns what [`Self::print`] would print, for a program that prints it on the same standard error.
    pub(crate) fn text(&self) -> String {
        match anstream::AutoStream::choice(&std::io::stderr()) {
            anstream::ColorChoice::Never => anstream::adapter::strip_str(&self.styled()).to_string(),
            _ => self.styled(),
        }
    }

    fn styled(&self) -> String {
        let Self::Error { error, hint } = self else { return String::new() };
        let mut text = format!("{BOLD_RED}error:{RESET} {error}\n");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!("{BOLD}caused by:{RESET} {error}\n"));
            cause = error.source();
        }
        if let Some(hint) = hint {
            text.push_str(&format!("{BOLD}hint:{RESET} {hint}\n"));
        }
        text
    }
}

/// Implements `From` for library errors that provide a hint. The first list has errors with an optional hint, the
/// second list has errors that always have one.
macro_rules! with_own_hint {
    ($($error:ty),*; $($hinted:ty),*) => {
        $(impl From<$hinted> for Failure {
            fn from(error: $hinted) -> Self {
                let hint = error.hint();
                Self::with_hint(error, hint)
            }
        })*
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let hint = error.hint();
                Self::Error { error: Box::new(error), hint }
            }
        })*
    };
}

with_own_hint!(StartError, ToolError, FindError, CacheError, SnapshotError, LookError, AttachError; ChooseError, FoldersError, UntrustedConfig);

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::Error { error: Box::new(error), hint }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                Self::with_hint(error, "`pg-ephemeral init` writes one to start from, also with --config-file")
            }
            LoadError::Pipe { .. } => Self::with_hint(
                error,
                "relative paths start from the folder of the configuration, which a pipe does not have: write it to a file and \
                 name that by --config-file",
            ),
            _ => Self::new(error),
        }
    }
}

impl From<InstanceVariableError> for Failure {
    fn from(error: InstanceVariableError) -> Self {
        Self::with_hint(error, "set it to the name of an instance, or unset it")
    }
}

impl From<EffectiveError> for Failure {
    fn from(error: EffectiveError) -> Self {
        let hint = match &error {
            EffectiveError::UnknownInstance { closest: Some(closest), .. } => {
                Some(format!("did you mean --instance {closest}?"))
            }
            EffectiveError::UnknownInstance { .. } => Some("instances are set up in database.toml".to_owned()),
            EffectiveError::SeveralInstances { .. } => Some(format!(
                "choose one by --instance, {INSTANCE_VARIABLE}, or default_instance at the top level of the configuration"
            )),
            EffectiveError::IcuLocaleWithoutIcu { .. } => {
                Some("set locale_provider to \"icu\" beside it, or leave icu_locale out".to_owned())
            }
            _ => None,
        };
        Self::Error { error: Box::new(error), hint }
    }
}

impl From<ociman::CommandError> for Failure {
    fn from(error: ociman::CommandError) -> Self {
        match &error {
            ociman::CommandError::Unreachable { .. } => {
                Self::with_hint(error, "`pg-ephemeral doctor` tells which backends work")
            }
            _ => Self::new(error),
        }
    }
}
