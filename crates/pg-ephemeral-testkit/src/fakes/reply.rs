//! What an engine command leaves: both streams and an exit status.

/// A command that has run to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Reply {
    pub(super) fn success(stdout: impl Into<Vec<u8>>) -> Self {
        Self { status: 0, stdout: stdout.into(), stderr: Vec::new() }
    }

    pub(super) fn failure(status: i32, stderr: impl Into<Vec<u8>>) -> Self {
        Self { status, stdout: Vec::new(), stderr: stderr.into() }
    }
}
