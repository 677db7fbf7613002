//! What applying a seed has to tell while it goes on. The library shows none of it.

use std::fmt;
use std::sync::Arc;

/// Something that happened while a seed was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyEvent<'a> {
    /// A script or a command wrote a line. Values that were given to it as secrets are struck out.
    Output {
        /// The stream it was written to.
        stream: OutputStream,
        /// The line, without its end.
        line: &'a str,
    },
    /// Some of a CSV file went to the server.
    Copied {
        /// Bytes so far.
        bytes: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// Some of the statements were run.
    Ran {
        /// Statements so far.
        statements: usize,
        /// Statements of the whole seed.
        total: usize,
    },
}

/// A stream that a program writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes each [`ApplyEvent`] as it happens; by default nobody does.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<Receive>>);

type Receive = dyn Fn(ApplyEvent<'_>) + Send + Sync;

impl EventSink {
    /// Calls a function with each event. It should return at once.
    pub fn new(function: impl Fn(ApplyEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    pub(super) fn send(&self, event: ApplyEvent<'_>) {
        if let Some(function) = &self.0 {
            function(event);
        }
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EventSink")
    }
}
