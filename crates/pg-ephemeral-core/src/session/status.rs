//! Compares the image and seeds of a session with those of the configuration, without any IO.

use std::fmt;

use ociman::Reference;

use crate::model::{Image, SeedEntry, SeedHash, SeedName};
use crate::seed::LoadedSeeds;

/// The parts of a seed that are compared: its name, and the key of the state after it.
type SeedState<'s> = (&'s SeedName, Option<&'s SeedHash>);

/// Whether a session matches the configuration. The `Display` form is `sync` or `diverged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeedStatus {
    /// The image and the seeds of the session match the configuration.
    Sync,
    /// The image or the seeds of the session differ from the configuration.
    Diverged,
}

impl SeedStatus {
    /// Returns `sync` or `diverged`.
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

/// The first difference between a session and the configuration. Positions count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Divergence {
    /// The base images differ.
    Image {
        /// The image of the session.
        stored: Reference,
        /// The image of the configuration.
        current: Reference,
    },
    /// The configuration has a seed that the session does not have.
    Added {
        /// The position of the seed in the configuration.
        position: usize,
        /// The name of the seed.
        name: SeedName,
    },
    /// The session has a seed that the configuration does not have.
    Removed {
        /// The position of the seed in the session.
        position: usize,
        /// The name of the seed.
        name: SeedName,
    },
    /// The seeds at the same position have different names.
    Renamed {
        /// The position of the seed.
        position: usize,
        /// The name of the seed in the session.
        stored: SeedName,
        /// The name of the seed in the configuration.
        current: SeedName,
    },
    /// The seeds at the same position have the same name, but a different content or a different state before them.
    Changed {
        /// The position of the seed.
        position: usize,
        /// The name of the seed.
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

/// Compares the image and seeds that a session was started with to those of the configuration.
///
/// Returns [`SeedStatus::Diverged`] if the base image or the number of seeds differs, or if at any position the name of
/// the seed or the state after it differs. If the base image of the configuration is absent, the states after its
/// seeds are unknown, and count as different.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::session::{SeedStatus, compute_seed_status};
/// use pg_ephemeral_core::{Definition, Folders};
/// use pg_ephemeral_testkit::{FakeBackend, FakeImage};
///
/// let home = tempfile::tempdir()?;
/// let backend = FakeBackend::podman().with_image(FakeImage::postgres("17")).backend();
/// let definition = Definition::in_folders(Folders::at(home.path())).image("17".parse()?);
/// let seeds = definition.load_seeds(&backend).await?;
/// let stored_image = "docker.io/library/postgres:17".parse()?;
/// assert_eq!(compute_seed_status(&stored_image, &[], seeds.image(), &seeds), SeedStatus::Sync);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn compute_seed_status(
    stored_image: &Reference,
    stored_seeds: &[SeedEntry],
    current_image: &Image,
    current_seeds: &LoadedSeeds<'_>,
) -> SeedStatus {
    match divergence(stored_image, stored_seeds, current_image, current_seeds) {
        None => SeedStatus::Sync,
        Some(_) => SeedStatus::Diverged,
    }
}

/// Returns the first difference that [`compute_seed_status`] finds; `None` if there is no difference.
#[must_use]
pub fn divergence(
    stored_image: &Reference,
    stored_seeds: &[SeedEntry],
    current_image: &Image,
    current_seeds: &LoadedSeeds<'_>,
) -> Option<Divergence> {
    if stored_image != current_image.reference() {
        return Some(Divergence::Image { stored: stored_image.clone(), current: current_image.reference().clone() });
    }
    let stored: Vec<_> = stored_seeds.iter().map(|seed| (&seed.name, seed.state())).collect();
    let current: Vec<_> = current_seeds.iter_seeds().map(|seed| (seed.name(), seed.state())).collect();
    first_divergence(&stored, &current)
}

fn first_divergence(stored: &[SeedState<'_>], current: &[SeedState<'_>]) -> Option<Divergence> {
    let common = stored.iter().zip(current).enumerate();
    for (index, (was, is)) in common {
        if was != is {
            return Some(first_difference(index + 1, &stored[index..], &current[index..]));
        }
    }
    let position = stored.len().min(current.len()) + 1;
    match (stored.get(position - 1), current.get(position - 1)) {
        (Some((name, _)), None) => Some(Divergence::Removed { position, name: (*name).clone() }),
        (None, Some((name, _))) => Some(Divergence::Added { position, name: (*name).clone() }),
        _ => None,
    }
}

/// Classifies the difference between the first elements of two lists that are not empty. If the first name of `current`
/// is missing in `stored`, the seed was added. If the first name of `stored` is missing in `current`, the seed was
/// removed. If both or neither is missing, the seed was renamed.
fn first_difference(position: usize, stored: &[SeedState<'_>], current: &[SeedState<'_>]) -> Divergence {
    let (was, is) = (stored[0].0, current[0].0);
    if was == is {
        return Divergence::Changed { position, name: is.clone() };
    }
    let still_there = current.iter().any(|(name, _)| *name == was);
    let was_there = stored.iter().any(|(name, _)| *name == is);
    match (still_there, was_there) {
        (true, false) => Divergence::Added { position, name: is.clone() },
        (false, true) => Divergence::Removed { position, name: was.clone() },
        (true, true) | (false, false) => Divergence::Renamed { position, stored: was.clone(), current: is.clone() },
    }
}

#[cfg(test)]
mod tests {
    use crate::model::SeedKind;
    use crate::seed::{LoadedSeed, SeedCacheStatus};

    use super::*;

    /// Parses texts such as `name=content` into pairs of a name and a key. A text without `=` has no key.
    fn seeds(texts: &[&str]) -> Vec<(SeedName, Option<SeedHash>)> {
        let seed = |text: &&str| {
            let (name, content) = text.split_once('=').map_or((*text, None), |(name, content)| (name, Some(content)));
            (name.parse().unwrap(), content.map(SeedHash::of_text))
        };
        texts.iter().map(seed).collect()
    }

    fn compare(stored: (&str, &[&str]), current: (&str, &[&str])) -> Option<Divergence> {
        let entry = |(name, hash)| SeedEntry::new(name, SeedKind::SqlStatement, hash);
        let entries: Vec<_> = seeds(stored.1).into_iter().map(entry).collect();
        let named = seeds(current.1);
        let loaded = named.iter().map(|(name, hash)| match hash {
            Some(hash) => LoadedSeed::new(name, SeedCacheStatus::Cacheable { hash: hash.clone() }, Some(hash.clone())),
            None => LoadedSeed::new(name, SeedCacheStatus::Unknown, None),
        });
        let image: Image = current.0.parse().unwrap();
        let stored_image = stored.0.parse::<Image>().unwrap();
        let loaded = LoadedSeeds::new(image.clone(), loaded.collect());
        let status = compute_seed_status(stored_image.reference(), &entries, &image, &loaded);
        let difference = divergence(stored_image.reference(), &entries, &image, &loaded);
        assert_eq!(status, if difference.is_none() { SeedStatus::Sync } else { SeedStatus::Diverged });
        difference
    }

    #[test]
    fn the_same_image_and_seeds_are_in_sync() {
        assert_eq!(compare(("17", &["a=1", "b=2"]), ("17", &["a=1", "b=2"])), None);
        assert_eq!(compare(("17", &[]), ("docker.io/library/postgres:17", &[])), None);
        assert_eq!(
            (SeedStatus::Sync.to_string(), SeedStatus::Diverged.to_string()),
            ("sync".into(), "diverged".into())
        );
    }

    #[test]
    fn another_image_is_the_first_difference() {
        let difference = compare(("15", &["a=1"]), ("17", &[])).unwrap();
        assert_eq!(difference.to_string(), "image docker.io/library/postgres:15 is now docker.io/library/postgres:17");
    }

    #[test]
    fn seeds_on_an_image_that_is_not_there_have_changed() {
        let difference = compare(("17", &["a=1"]), ("17", &["a"])).unwrap();
        assert_eq!(difference.to_string(), "seed a at position 1 changed");
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
            let difference = compare(("17", &stored), ("17", current)).map(|difference| difference.to_string());
            assert_eq!(difference.as_deref(), Some(expected), "{current:?}");
        }
    }
}
