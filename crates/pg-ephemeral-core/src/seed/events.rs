//! What applying a seed has to tell while it goes on. The library shows none of it.

use std::fmt;
use std::sync::Arc;

use super::UnkeyedFiles;
pub use crate::io::child::OutputStream;

/// Something that happened while a seed was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyEvent<'a> {
    /// A script, a command, psql or pg_restore wrote a line. Values that were given to it as secrets are struck out.
    Output {
        /// The stream it was written to.
        stream: OutputStream,
        /// The line, without its end.
        line: &'a str,
    },
    /// The seed is about to run, and it names files that its layer's key does not cover.
    Unkeyed(&'a UnkeyedFiles),
    /// Some of a file went to the server.
    Copied {
        /// Bytes so far.
        bytes: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// Some of the objects of an archive were restored.
    Restored {
        /// Objects so far.
        objects: u64,
        /// Objects in the archive.
        total: u64,
    },
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

    pub(crate) fn send(&self, event: ApplyEvent<'_>) {
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
