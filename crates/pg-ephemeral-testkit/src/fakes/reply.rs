//! [`Reply`]: the output and the exit status of an engine command.

/// The output and the exit status of a command that has ended.
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
