//! Names of databases: names that a caller chooses, and names that say which process a database belongs to. From the
//! latter, another process knows which databases a killed process has left behind, and drops them.

use std::fmt;
use std::str::FromStr;

use ociman::host::ProcessIdentity;

use crate::io::random::random_name;
use crate::model::{Liveness, Owner};

/// The longest name of a database, in bytes. PostgreSQL truncates longer names.
const MAX_LENGTH: usize = 63;
/// The prefix of the names of databases that belong to a process.
pub(super) const OWNED: &str = "pge_";

/// The name of a database that outlives the process that made it: 1 to 63 bytes of lower-case ASCII letters, digits,
/// `-` and `_`. The prefixes `pg_` and `pge_` are reserved for PostgreSQL and for this crate.
///
/// ```
/// use pg_ephemeral_core::database::Name;
///
/// assert_eq!("review_7".parse::<Name>()?.as_str(), "review_7");
/// assert!("Review".parse::<Name>().is_err());
/// # Ok::<(), pg_ephemeral_core::database::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("name is empty")]
    Empty,
    /// The text is too long.
    #[error("name is {length} bytes long, at most {MAX_LENGTH} are allowed")]
    TooLong {
        /// The length found, in bytes.
        length: usize,
    },
    /// The text has a character that is not allowed.
    #[error("name has {character:?} at byte {offset}, allowed are lower-case ASCII letters, digits, `-` and `_`")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// The byte offset of the character.
        offset: usize,
    },
    /// The text begins with a reserved prefix.
    #[error("name begins with {prefix:?}, which is reserved")]
    Reserved {
        /// The reserved prefix.
        prefix: &'static str,
    },
}

impl Name {
    /// Returns a random name: `db_` and sixteen hexadecimal digits.
    ///
    /// # Errors
    /// Returns an error if the system's random numbers can't be read.
    pub fn random() -> std::io::Result<Self> {
        Ok(Self(format!("db_{}", random_name()?)))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(NameError::TooLong { length: text.len() });
        }
        let is_wrong = |&(_, character): &(usize, char)| !matches!(character, 'a'..='z' | '0'..='9' | '-' | '_');
        if let Some((offset, character)) = text.char_indices().find(is_wrong) {
            return Err(NameError::Character { character, offset });
        }
        match ["pg_", OWNED].into_iter().find(|prefix| text.starts_with(prefix)) {
            Some(prefix) => Err(NameError::Reserved { prefix }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Returns a new name for a database of this process. It contains the machine, the boot, the process, and a random
/// part.
pub(super) fn owned() -> std::io::Result<String> {
    let owner = Owner::current();
    let (place, boot) = (place(&owner), short(&[&owner.boot]));
    Ok(format!("{OWNED}{place}_{boot}_{}_{}_{}", owner.pid, owner.start, random_name()?.get(..8).unwrap_or_default()))
}

/// Returns whether the process that a database belongs to is alive. Returns `None` if the name is not one of [`owned`].
pub(super) fn liveness(name: &str) -> Option<Liveness> {
    let mut parts = name.strip_prefix(OWNED)?.split('_');
    let (named_place, boot) = (parts.next()?, parts.next()?);
    let (pid, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let here = Owner::current();
    if named_place != place(&here) {
        return Some(Liveness::Foreign);
    }
    if boot != short(&[&here.boot]) {
        return Some(Liveness::Dead);
    }
    let process = ProcessIdentity { pid, start };
    Some(match process.is_alive() {
        true => Liveness::Alive,
        false if process.is_hidden() => Liveness::Foreign,
        false => Liveness::Dead,
    })
}

/// Returns a short hash of the machine and the process namespace.
fn place(owner: &Owner) -> String {
    short(&[&owner.host, &owner.namespace])
}

/// Returns the first eight hexadecimal digits of a hash of the texts.
fn short(texts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    hasher.finalize().to_hex().as_str().get(..8).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_name_is_an_error_that_says_why() {
        let parse = |text: &str| text.parse::<Name>();
        assert_eq!(parse(""), Err(NameError::Empty));
        assert_eq!(parse(&"n".repeat(64)), Err(NameError::TooLong { length: 64 }));
        assert_eq!(parse("aB"), Err(NameError::Character { character: 'B', offset: 1 }));
        assert_eq!(parse("pg_x"), Err(NameError::Reserved { prefix: "pg_" }));
        assert_eq!(parse("pge_x"), Err(NameError::Reserved { prefix: "pge_" }));
        assert_eq!(parse("a-1_b").unwrap().to_string(), "a-1_b");
    }

    #[test]
    fn a_name_of_this_process_is_short_enough_and_its_process_is_alive() {
        let name = owned().unwrap();
        assert!(name.len() <= MAX_LENGTH, "{name}");
        assert_eq!(liveness(&name), Some(Liveness::Alive));
        assert_ne!(owned().unwrap(), name);
    }

    #[test]
    fn a_name_with_the_longest_numbers_is_short_enough() {
        let longest = format!("{OWNED}12345678_12345678_{}_{}_12345678", 4_194_304, u64::from(u32::MAX) * 100);
        assert!(longest.len() <= MAX_LENGTH, "{}", longest.len());
    }

    #[test]
    fn names_of_ended_processes_other_boots_and_other_machines_are_told_apart() {
        let own = owned().unwrap();
        let with = |place: usize, value: &str| {
            let mut parts: Vec<&str> = own.split('_').collect();
            parts[place] = value;
            liveness(&parts.join("_"))
        };
        assert_eq!(with(1, "elsewhere"), Some(Liveness::Foreign));
        assert_eq!(with(2, "before"), Some(Liveness::Dead));
        assert_eq!(with(4, "1"), Some(Liveness::Dead));
        assert_eq!(with(4, "x"), None);
        assert_eq!(liveness("postgres"), None);
    }
}
