//! What the server says when it refuses something.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition};

/// An error of the server, with everything that helps to understand it.
///
/// Its text is the message, and a line each for detail, hint and context when there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresError {
    /// The five characters that say what kind of error it is (SQLSTATE).
    pub code: String,
    /// The message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What the server suggests.
    pub hint: Option<String>,
    /// Where the server was, such as a line of a function.
    pub context: Option<String>,
    /// The character of the SQL that was sent at which the error is, from 1.
    pub position: Option<u32>,
}

impl From<&DbError> for PostgresError {
    fn from(error: &DbError) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            // That is a place in a function's body, which the context tells of.
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
