//! Whether a session still is what the configuration says: a comparison of two lists, without any IO.

use std::fmt;

use crate::instance::SeedName;
use crate::layer::SeedHash;

/// One seed, as far as a comparison looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedState {
    /// Its name.
    pub name: SeedName,
    /// The key of the state after it.
    pub hash: SeedHash,
}

/// Whether a session matches the configuration. Displayed as `sync` and `diverged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeedStatus {
    /// It does.
    Sync,
    /// It does not.
    Diverged,
}

impl SeedStatus {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Diverged => "diverged",
        }
    }
}

impl fmt::Display for SeedStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What differs first between a session and the configuration. Positions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Divergence {
    /// The base image.
    Image {
        /// The session's.
        stored: String,
        /// The configuration's.
        current: String,
    },
    /// The configuration has a seed that the session has not.
    Added {
        /// Its place.
        position: usize,
        /// Its name.
        name: SeedName,
    },
    /// The session has a seed that the configuration has not.
    Removed {
        /// Its place.
        position: usize,
        /// Its name.
        name: SeedName,
    },
    /// A seed has another name.
    Renamed {
        /// Its place.
        position: usize,
        /// The session's name for it.
        stored: SeedName,
        /// The configuration's name for it.
        current: SeedName,
    },
    /// A seed of the same name has another content, or stands after something else.
    Changed {
        /// Its place.
        position: usize,
        /// Its name.
        name: SeedName,
    },
}

impl fmt::Display for Divergence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { stored, current } => write!(formatter, "image {stored} is now {current}"),
            Self::Added { position, name } => write!(formatter, "seed {name} added at position {position}"),
            Self::Removed { position, name } => write!(formatter, "seed {name} removed at position {position}"),
            Self::Renamed { position, stored, current } => {
                write!(formatter, "seed {stored} at position {position} is now {current}")
            }
            Self::Changed { position, name } => write!(formatter, "seed {name} at position {position} changed"),
        }
    }
}

/// Compares what a session was started with to what the configuration says now: diverged when the base image, the
/// number of seeds, or a name or a hash at any position differs.
///
/// ```
/// use pg_ephemeral_core::session::{SeedState, SeedStatus, compute_seed_status};
///
/// let seed = SeedState { name: "schema".parse()?, hash: "a".repeat(64).parse()? };
/// let seeds = std::slice::from_ref(&seed);
/// assert_eq!(compute_seed_status("postgres:17", seeds, "postgres:17", seeds), SeedStatus::Sync);
/// assert_eq!(compute_seed_status("postgres:17", seeds, "postgres:18", seeds), SeedStatus::Diverged);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn compute_seed_status(
    stored_image: &str,
    stored_seeds: &[SeedState],
    current_image: &str,
    current_seeds: &[SeedState],
) -> SeedStatus {
    match divergence(stored_image, stored_seeds, current_image, current_seeds) {
        None => SeedStatus::Sync,
        Some(_) => SeedStatus::Diverged,
    }
}

/// What differs first; `None` when nothing does.
///
/// ```
/// use pg_ephemeral_core::session::{SeedState, divergence};
///
/// let seed = SeedState { name: "schema".parse()?, hash: "a".repeat(64).parse()? };
/// let difference = divergence("postgres:17", &[], "postgres:17", &[seed]);
/// assert_eq!(difference.unwrap().to_string(), "seed schema added at position 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn divergence(
    stored_image: &str,
    stored_seeds: &[SeedState],
    current_image: &str,
    current_seeds: &[SeedState],
) -> Option<Divergence> {
    if stored_image != current_image {
        return Some(Divergence::Image { stored: stored_image.to_owned(), current: current_image.to_owned() });
    }
    let common = stored_seeds.iter().zip(current_seeds).enumerate();
    for (index, (stored, current)) in common {
        if stored != current {
            return Some(first_difference(index + 1, &stored_seeds[index..], &current_seeds[index..]));
        }
    }
    let position = stored_seeds.len().min(current_seeds.len()) + 1;
    match (stored_seeds.get(position - 1), current_seeds.get(position - 1)) {
        (Some(stored), None) => Some(Divergence::Removed { position, name: stored.name.clone() }),
        (None, Some(current)) => Some(Divergence::Added { position, name: current.name.clone() }),
        _ => None,
    }
}

/// Names the difference at the head of both lists, which are not empty there: a name that only one list has was added
/// or removed, names that changed while the lists kept their length were renamed.
fn first_difference(position: usize, stored: &[SeedState], current: &[SeedState]) -> Divergence {
    let (was, is) = (&stored[0].name, &current[0].name);
    if was == is {
        return Divergence::Changed { position, name: is.clone() };
    }
    let still_there = current.iter().any(|seed| seed.name == *was);
    let was_there = stored.iter().any(|seed| seed.name == *is);
    match (still_there, was_there) {
        (true, false) => Divergence::Added { position, name: is.clone() },
        (false, true) => Divergence::Removed { position, name: was.clone() },
        (true, true) | (false, false) => Divergence::Renamed { position, stored: was.clone(), current: is.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds from texts such as `name=content`.
    fn seeds(texts: &[&str]) -> Vec<SeedState> {
        let seed = |text: &&str| {
            let (name, content) = text.split_once('=').unwrap();
            SeedState { name: name.parse().unwrap(), hash: SeedHash::of_text(content) }
        };
        texts.iter().map(seed).collect()
    }

    fn difference(stored: &[&str], current: &[&str]) -> Option<String> {
        divergence("i", &seeds(stored), "i", &seeds(current)).map(|difference| difference.to_string())
    }

    #[test]
    fn the_same_image_and_seeds_are_in_sync() {
        let both = seeds(&["a=1", "b=2"]);
        assert_eq!(compute_seed_status("i", &both, "i", &both), SeedStatus::Sync);
        assert_eq!(compute_seed_status("i", &[], "i", &[]).to_string(), "sync");
    }

    #[test]
    fn another_image_is_the_first_difference() {
        let difference = divergence("15", &seeds(&["a=1"]), "17", &[]).unwrap();
        assert_eq!(difference.to_string(), "image 15 is now 17");
        assert_eq!(compute_seed_status("15", &[], "17", &[]).to_string(), "diverged");
    }

    #[test]
    fn each_kind_of_change_is_told_with_its_place() {
        let stored = ["a=1", "b=2", "c=3"];
        let cases: [(&[&str], &str); 7] = [
            (&["a=1", "b=2", "c=3", "d=4"], "seed d added at position 4"),
            (&["a=1", "x=9", "b=8", "c=7"], "seed x added at position 2"),
            (&["a=1", "b=2"], "seed c removed at position 3"),
            (&["a=1", "c=9"], "seed b removed at position 2"),
            (&["a=1", "x=2", "c=3"], "seed b at position 2 is now x"),
            (&["a=1", "c=9", "b=8"], "seed b at position 2 is now c"),
            (&["a=1", "b=9", "c=8"], "seed b at position 2 changed"),
        ];
        for (current, expected) in cases {
            assert_eq!(difference(&stored, current).as_deref(), Some(expected), "{current:?}");
        }
    }
}
