//! [`Violation`] and the checks that return it. Each check records the source line that called it.

use std::fmt;
use std::panic::Location;

use ociman::CommandError;

/// A requirement that a backend did not meet.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// An operation that must succeed returned an error.
    #[error("{location}: this must work")]
    Failed {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// The error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value differs from the expected value.
    #[error("{location}: {what}: expected {expected}, got {got}")]
    Different {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// The name of the value.
        what: String,
        /// The expected value.
        expected: String,
        /// The actual value.
        got: String,
    },
    /// A case did not end within its time limit.
    #[error("{location}: {what}: no end within {seconds} s")]
    TimedOut {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// The name of the case.
        what: String,
        /// The time limit, in seconds.
        seconds: u64,
    },
}

/// The result of a step of a case.
pub(super) type Outcome<T = ()> = Result<T, Violation>;

macro_rules! failed {
    ($($error:ty)*) => {
        $(impl From<$error> for Violation {
            #[track_caller]
            fn from(source: $error) -> Self {
                Self::Failed { location: Location::caller(), source: source.into() }
            }
        })*
    };
}

failed! {
    CommandError
    std::io::Error
    ociman::ContainerNameError
    ociman::ReferenceError
    ociman::label::KeyError
    ociman::label::ValueError
}

/// Returns a [`Violation`] if the two values differ.
#[track_caller]
pub(super) fn equal<T: fmt::Debug + PartialEq>(what: &str, got: T, expected: T) -> Outcome {
    if got == expected {
        return Ok(());
    }
    Err(otherwise(what, format!("{expected:?}"), format!("{got:?}")))
}

/// Returns a [`Violation`] if the bytes are not the expected text.
#[track_caller]
pub(super) fn text(what: &str, got: &[u8], expected: &str) -> Outcome {
    equal(what, String::from_utf8_lossy(got).as_ref(), expected)
}

/// Returns a [`Violation`] if the value is not one of the permitted values.
#[track_caller]
pub(super) fn one_of<T: fmt::Debug + PartialEq>(what: &str, got: &T, permitted: &[T]) -> Outcome {
    if permitted.contains(got) {
        return Ok(());
    }
    Err(otherwise(what, format!("one of {permitted:?}"), format!("{got:?}")))
}

/// Returns a [`Violation`] if the condition is false.
#[track_caller]
pub(super) fn holds(what: &str, condition: bool, got: &dyn fmt::Debug) -> Outcome {
    if condition {
        return Ok(());
    }
    Err(otherwise(what, "it to hold".to_owned(), format!("{got:?}")))
}

/// Returns a [`Violation`] if the result is not an error of the expected kind.
#[track_caller]
pub(super) fn refused<T: fmt::Debug>(
    what: &str,
    result: Result<T, CommandError>,
    expected: &str,
    is_expected: impl FnOnce(&CommandError) -> bool,
) -> Outcome {
    match result {
        Err(error) if is_expected(&error) => Ok(()),
        other => Err(otherwise(what, expected.to_owned(), format!("{other:?}"))),
    }
}

/// Returns the value, or a [`Violation`] if there is none.
#[track_caller]
pub(super) fn some<T>(what: &str, value: Option<T>) -> Outcome<T> {
    match value {
        Some(value) => Ok(value),
        None => Err(otherwise(what, "a value".to_owned(), "none".to_owned())),
    }
}

#[track_caller]
fn otherwise(what: &str, expected: String, got: String) -> Violation {
    let location = Location::caller();
    Violation::Different { location, what: what.to_owned(), expected: shorten(expected), got: shorten(got) }
}

/// Shortens a value for an error message.
fn shorten(text: String) -> String {
    const LIMIT: usize = 2000;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text,
    }
}
