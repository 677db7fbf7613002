//! The kinds of backends.

use std::fmt;
use std::str::FromStr;

/// A kind of backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The Docker engine, through its command line.
    Docker,
    /// Podman, through its command line.
    Podman,
    /// Plain processes of this machine.
    Host,
}

impl Kind {
    /// All kinds, in the order in which automatic selection tries them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Host];

    /// Returns the name that configuration uses: `docker`, `podman` or `host`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Error returned if a text is not one of `docker`, `podman`, `host`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a backend: docker, podman or host")]
pub struct UnknownKind {
    /// The invalid text.
    pub text: String,
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind { text: text.to_owned() })
    }
}
