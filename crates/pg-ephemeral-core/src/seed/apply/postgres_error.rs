//! Errors that the server reports.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition};

/// An error that the server reports.
///
/// Displayed as the message, followed by a line each for detail, hint and context if there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresError {
    /// The SQLSTATE code, which has five characters.
    pub code: String,
    /// The message.
    pub message: String,
    /// More about the error.
    pub detail: Option<String>,
    /// The server's suggestion for what to do.
    pub hint: Option<String>,
    /// The place in the server's work, such as a line of a function.
    pub context: Option<String>,
    /// The position of the error in the SQL that was sent, in characters from 1.
    pub position: Option<u32>,
}

impl From<&DbError> for PostgresError {
    fn from(error: &DbError) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            // An internal position is in the body of a function. The context names that place.
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: own(error.detail()),
            hint: own(error.hint()),
            context: own(error.where_()),
            position,
        }
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (SQLSTATE {})", self.message, self.code)?;
        for (name, text) in [("detail", &self.detail), ("hint", &self.hint), ("context", &self.context)] {
            if let Some(text) = text {
                write!(formatter, "\n{name}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for PostgresError {}
