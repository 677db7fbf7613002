//! The name of a session, and the container name that is derived from it. Both are checked when the name is created, so
//! no other code has to check them again.

use std::fmt;
use std::str::FromStr;

use ociman::{ContainerName, ContainerNameError};

/// The prefix of the name of a container that will take over a session, until it has done so. Its label
/// [`SESSION_KEY`](crate::label::SESSION_KEY) already names the session.
pub(crate) const PENDING_PREFIX: &str = "pg-ephemeral-pending-";

/// The name of a session. It follows the rules of [`ContainerName`], and is so short that the name of the session's
/// container, which has a prefix, follows them too.
///
/// ```
/// use pg_ephemeral_core::session::Name;
/// use pg_ephemeral_core::session_name;
///
/// const REVIEW: Name = session_name!("review");
/// assert_eq!(REVIEW.as_str(), "review");
/// assert_eq!(REVIEW.container_name().as_str(), "pg-ephemeral-session-review");
/// assert!("no spaces".parse::<Name>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    plain: ContainerName,
    container: ContainerName,
}

impl Name {
    /// The prefix of the name of each session's container.
    pub const OCI_PREFIX: &'static str = "pg-ephemeral-session-";

    /// Returns the name as the user gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.plain.as_str()
    }

    /// Returns the name of the session's container.
    #[must_use]
    pub fn container_name(&self) -> &ContainerName {
        &self.container
    }

    /// Creates the name of a session in a constant; see [`session_name!`](crate::session_name). There, an invalid name
    /// is a compile-time error. `container` must be [`Self::OCI_PREFIX`] followed by `plain`; this is not checked.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_literals(plain: &'static str, container: &'static str) -> Self {
        Self { plain: ContainerName::from_static(plain), container: ContainerName::from_static(container) }
    }
}

impl FromStr for Name {
    type Err = ContainerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { plain: text.parse()?, container: format!("{}{text}", Self::OCI_PREFIX).parse()? })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Creates a constant [`session::Name`](crate::session::Name). An invalid name is a compile-time error.
///
/// ```compile_fail
/// let name = pg_ephemeral_core::session_name!("not a name");
/// ```
#[macro_export]
macro_rules! session_name {
    ($name:literal) => {{
        const NAME: $crate::session::Name =
            $crate::session::Name::from_literals($name, concat!("pg-ephemeral-session-", $name));
        NAME
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_counts_towards_the_length_limit() {
        let longest = "a".repeat(255 - Name::OCI_PREFIX.len());
        assert_eq!(longest.parse::<Name>().unwrap().container_name().as_str().len(), 255);
        let too_long = format!("{longest}a");
        assert_eq!(too_long.parse::<Name>(), Err(ContainerNameError::TooLong { length: 256 }));
    }

    #[test]
    fn the_name_without_its_prefix_is_checked_too() {
        assert_eq!("".parse::<Name>(), Err(ContainerNameError::Empty));
        assert_eq!("-a".parse::<Name>(), Err(ContainerNameError::FirstCharacter { character: '-' }));
    }

    #[test]
    fn the_macro_uses_the_same_prefix_as_parsing() {
        let name = session_name!("x");
        assert_eq!(name, "x".parse().unwrap());
        assert_eq!(name.to_string(), "x");
    }
}
