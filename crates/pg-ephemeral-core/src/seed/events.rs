//! The events that are sent while a seed is applied. The library does not display them.

use std::fmt;
use std::sync::Arc;

use super::UnkeyedFiles;
pub use crate::io::child::OutputStream;

/// Something that happened while a seed was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyEvent<'a> {
    /// A script, a command, psql or pg_restore wrote a line. Secrets that were passed to it are replaced in the line.
    Output {
        /// The stream that the line was written to.
        stream: OutputStream,
        /// The line, without its line break.
        line: &'a str,
    },
    /// The seed is about to run, and it names files that its layer's key does not cover.
    Unkeyed(&'a UnkeyedFiles),
    /// A part of a file was sent to the server.
    Copied {
        /// The number of bytes sent so far.
        bytes: u64,
        /// The size of the whole file, in bytes.
        total: u64,
    },
    /// Some of the objects of an archive were restored.
    Restored {
        /// The number of objects restored so far.
        objects: u64,
        /// The number of objects in the archive.
        total: u64,
    },
}

/// A function that is called with each [`ApplyEvent`] as it happens. By default there is none.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<Receive>>);

type Receive = dyn Fn(ApplyEvent<'_>) + Send + Sync;

impl EventSink {
    /// Creates a sink that calls a function with each event. The function should return at once.
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
