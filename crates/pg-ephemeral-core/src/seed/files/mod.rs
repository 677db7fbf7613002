//! Finds the files that globs match, and hashes their contents. This module knows neither seeds nor keys.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use super::spec::{FileGlob, GlobPart};
use crate::io::known_hashes::KnownHashes;

/// How names are compared: `*` and `?` match neither a slash nor a leading dot.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A file that a glob matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// The path relative to the folder that globs start from; absolute if an absolute glob matches outside of that
    /// folder.
    pub(crate) name: PathBuf,
    /// The path to open.
    pub(crate) path: PathBuf,
}

/// A file that a glob matches, with the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashedFile {
    /// The same as [`FoundFile::name`].
    pub(crate) name: PathBuf,
    /// The path to open.
    pub(crate) path: PathBuf,
    /// The BLAKE3 hash of the content.
    pub(crate) hash: blake3::Hash,
}

/// An error while finding or reading the files that globs match.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A glob matches no regular file.
    #[error("no file matches {glob:?}", glob = glob.as_str())]
    NoMatch {
        /// The glob.
        glob: FileGlob,
        /// Whether the glob is the path of a folder.
        is_folder: bool,
    },
    /// A folder could not be listed.
    #[error("failed to list the folder {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// A file could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
}

impl FilesError {
    pub(crate) const FOLDER_HINT: &str = "the glob names a folder; add `/**/*` to it for all files in the folder";

    /// Returns what the user can do about the error, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoMatch { is_folder: true, .. } => Some(Self::FOLDER_HINT),
            Self::NoMatch { .. } => Some(
                "globs start from the folder of database.toml, and match hidden files only where they name the leading dot",
            ),
            Self::List { .. } | Self::Read { .. } => None,
        }
    }
}

/// Finds the regular files that globs match, each once, sorted by name. Relative globs start from `folder`, and
/// symbolic links are followed. This function blocks.
///
/// # Errors
/// Returns an error if a glob matches no file, or if a folder can't be listed.
pub(crate) fn find(folder: &Path, globs: &[FileGlob]) -> Result<Vec<FoundFile>, FilesError> {
    let mut found = BTreeMap::new();
    for glob in globs {
        let mut matched = find_at_most(folder, glob, usize::MAX)?;
        if matched.is_empty() {
            let is_folder = folder.join(glob.as_str()).is_dir();
            return Err(FilesError::NoMatch { glob: glob.clone(), is_folder });
        }
        found.append(&mut matched);
    }
    Ok(found.into_iter().map(|(name, path)| FoundFile { name, path }).collect())
}

/// Finds files like [`find`], on a thread that may block.
///
/// # Errors
/// Returns the same errors as [`find`].
pub(crate) async fn find_on_a_thread(folder: &Path, globs: &[FileGlob]) -> Result<Vec<FoundFile>, FilesError> {
    on_a_thread(folder, globs, find).await
}

/// Returns `true` if a glob matches a regular file. This function blocks, and stops at the first match.
pub(crate) fn matches_any(folder: &Path, glob: &FileGlob) -> bool {
    find_at_most(folder, glob, 1).is_ok_and(|found| !found.is_empty())
}

/// Finds files like [`find`], and hashes the content of each. The files are read in constant memory, on another thread.
///
/// # Errors
/// Returns the same errors as [`find`], and an error if a file can't be read.
pub(crate) async fn hash(
    folder: &Path,
    globs: &[FileGlob],
    known: &KnownHashes,
) -> Result<Vec<HashedFile>, FilesError> {
    let known = known.clone();
    let hash = move |folder: &Path, globs: &[FileGlob]| {
        find(folder, globs)?.into_iter().map(|file| hash_file(file, &known)).collect()
    };
    on_a_thread(folder, globs, hash).await
}

async fn on_a_thread<T: Send + 'static>(
    folder: &Path,
    globs: &[FileGlob],
    work: impl FnOnce(&Path, &[FileGlob]) -> Result<Vec<T>, FilesError> + Send + 'static,
) -> Result<Vec<T>, FilesError> {
    if globs.is_empty() {
        return Ok(Vec::new());
    }
    let (start, globs) = (folder.to_owned(), globs.to_owned());
    let done = ociman::blocking::run(move || work(&start, &globs)).await;
    done.unwrap_or_else(|source| Err(FilesError::Read { path: folder.to_owned(), source }))
}

fn hash_file(file: FoundFile, known: &KnownHashes) -> Result<HashedFile, FilesError> {
    let FoundFile { name, path } = file;
    let read = || Ok(blake3::Hasher::new().update_reader(ociman::files::open(&path)?)?.finalize());
    match known.hash(&path, read) {
        Ok(hash) => Ok(HashedFile { name, path, hash }),
        Err(source) => Err(FilesError::Read { path, source }),
    }
}

/// Finds at most `limit` files that a glob matches. The keys are their names, the values their paths.
fn find_at_most(folder: &Path, glob: &FileGlob, limit: usize) -> Result<BTreeMap<PathBuf, PathBuf>, FilesError> {
    let start = if glob.is_absolute() { PathBuf::from("/") } else { PathBuf::new() };
    let mut walk = Walk { folder, limit, found: BTreeMap::new(), above: Vec::new() };
    walk.go(start, &glob.parts())?;
    Ok(walk.found)
}

/// The walk of one glob through folders.
struct Walk<'a> {
    folder: &'a Path,
    limit: usize,
    found: BTreeMap<PathBuf, PathBuf>,
    /// The device and inode of each folder that `**` has entered. A symbolic link back to one of them is not followed.
    above: Vec<(u64, u64)>,
}

impl Walk<'_> {
    /// Matches the remaining parts of the glob from `at` on, a path that is absolute or relative to the folder.
    fn go(&mut self, at: PathBuf, parts: &[GlobPart]) -> Result<(), FilesError> {
        if self.found.len() >= self.limit {
            return Ok(());
        }
        let Some((part, rest)) = parts.split_first() else {
            self.take(at);
            return Ok(());
        };
        match part {
            GlobPart::Name(name) => self.go(at.join(name), rest),
            GlobPart::Pattern(pattern) => {
                for name in self.list(&at)? {
                    if pattern.matches_with(&name.to_string_lossy(), MATCHING) {
                        self.go(at.join(name), rest)?;
                    }
                }
                Ok(())
            }
            GlobPart::Folders => self.go_deeper(at, parts, rest),
        }
    }

    /// Handles `**`: matches the rest of the glob in this folder, and in each folder below it that is not hidden.
    fn go_deeper(&mut self, at: PathBuf, parts: &[GlobPart], rest: &[GlobPart]) -> Result<(), FilesError> {
        let Ok(metadata) = self.folder.join(&at).metadata() else { return Ok(()) };
        let identity = (metadata.dev(), metadata.ino());
        if !metadata.is_dir() || self.above.contains(&identity) {
            return Ok(());
        }
        self.above.push(identity);
        self.go(at.clone(), rest)?;
        for name in self.list(&at)? {
            if !name.as_encoded_bytes().starts_with(b".") {
                self.go(at.join(name), parts)?;
            }
        }
        self.above.pop();
        Ok(())
    }

    fn take(&mut self, at: PathBuf) {
        let path = self.folder.join(&at);
        if path.metadata().is_ok_and(|metadata| metadata.is_file()) {
            let name = at.strip_prefix(self.folder).map(Path::to_owned).unwrap_or(at);
            self.found.insert(name, path);
        }
    }

    /// Returns the names in a folder, sorted; none if there is no such folder.
    fn list(&self, at: &Path) -> Result<Vec<OsString>, FilesError> {
        let path = self.folder.join(at);
        let listed = fs::read_dir(&path).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            names.collect::<io::Result<Vec<_>>>()
        });
        match listed {
            Ok(mut names) => {
                names.sort_unstable();
                Ok(names)
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
            // A symbolic link that points to itself has no files.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => Ok(Vec::new()),
            Err(source) => Err(FilesError::List { path, source }),
        }
    }
}

#[cfg(test)]
mod tests;
