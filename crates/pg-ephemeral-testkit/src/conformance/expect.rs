//! What was not as it must be, and the comparisons that find it. Every one knows the line of the case it stands on.

use std::fmt;
use std::panic::Location;

use ociman::CommandError;

/// What a backend did not do as it must.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// An operation that must work gave an error.
    #[error("{location}: this must work")]
    Failed {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// The error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something came out otherwise.
    #[error("{location}: {what}: expected {expected}, got {got}")]
    Otherwise {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// What it is about.
        what: String,
        /// What must have come.
        expected: String,
        /// What came.
        got: String,
    },
    /// A step took far longer than it may.
    #[error("{location}: {what}: no end within {seconds} s")]
    Endless {
        /// The step in the source of the case.
        location: &'static Location<'static>,
        /// What it is about.
        what: String,
        /// The time it had.
        seconds: u64,
    },
}

/// What a step of a case gives.
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

/// The two must be equal.
#[track_caller]
pub(super) fn equal<T: fmt::Debug + PartialEq>(what: &str, got: T, expected: T) -> Outcome {
    if got == expected {
        return Ok(());
    }
    Err(otherwise(what, format!("{expected:?}"), format!("{got:?}")))
}

/// Bytes as text must be equal.
#[track_caller]
pub(super) fn text(what: &str, got: &[u8], expected: &str) -> Outcome {
    equal(what, String::from_utf8_lossy(got).as_ref(), expected)
}

/// The value must be one of several.
#[track_caller]
pub(super) fn one_of<T: fmt::Debug + PartialEq>(what: &str, got: &T, permitted: &[T]) -> Outcome {
    if permitted.contains(got) {
        return Ok(());
    }
    Err(otherwise(what, format!("one of {permitted:?}"), format!("{got:?}")))
}

/// The condition must hold.
#[track_caller]
pub(super) fn holds(what: &str, condition: bool, got: &dyn fmt::Debug) -> Outcome {
    if condition {
        return Ok(());
    }
    Err(otherwise(what, "it to hold".to_owned(), format!("{got:?}")))
}

/// The operation must give an error of one kind.
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

/// There must be a value.
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
    Violation::Otherwise { location, what: what.to_owned(), expected: shorten(expected), got: shorten(got) }
}

/// A megabyte in a message helps nobody.
fn shorten(text: String) -> String {
    const LIMIT: usize = 2000;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text,
    }
}
