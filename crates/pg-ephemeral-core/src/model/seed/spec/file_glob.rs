//! The globs in the key `files` of a seed.

use std::fmt;
use std::str::FromStr;

use glob::Pattern;

/// A glob that names files. A relative glob starts from the configuration's folder. A plain path is a glob too.
///
/// `*`, `?` and `[…]` match within one name and `**` matches any number of folders. Hidden files and folders are
/// matched only if the glob contains the leading dot. The files are looked up when a seed is loaded.
///
/// ```
/// use pg_ephemeral_core::seed::spec::{FileGlob, FileGlobError};
///
/// let migrations: FileGlob = "migrations/**/*.sql".parse()?;
/// assert_eq!(migrations.as_str(), "migrations/**/*.sql");
/// assert_eq!(FileGlob::of_path("pages/[id].sql")?.as_str(), "pages/[[]id[]].sql");
/// assert_eq!("migrations/".parse::<FileGlob>(), Err(FileGlobError::Folder));
/// # Ok::<(), FileGlobError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileGlob(String);

/// A part of a glob between two slashes.
#[derive(Debug, Clone)]
pub(crate) enum GlobPart {
    /// A plain name, which may be `..`.
    Name(String),
    /// A pattern for a single name.
    Pattern(Pattern),
    /// `**`: any number of folders.
    Folders,
}

impl FileGlob {
    /// Creates a glob that matches only this path.
    ///
    /// # Errors
    /// Returns an error if the path is empty, ends with a slash or contains the NUL character.
    pub fn of_path(path: &str) -> Result<Self, FileGlobError> {
        Pattern::escape(path).parse()
    }

    /// Returns the glob as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_absolute(&self) -> bool {
        self.0.starts_with('/')
    }

    /// Returns the parts between slashes. `**` at the end means every file below the folder, like `**/*`.
    pub(crate) fn parts(&self) -> Vec<GlobPart> {
        let mut parts: Vec<GlobPart> = parts(&self.0).filter_map(|(_, text)| GlobPart::new(text).ok()).collect();
        parts.dedup_by(|later, earlier| matches!((later, earlier), (GlobPart::Folders, GlobPart::Folders)));
        if let (Some(GlobPart::Folders), Ok(any)) = (parts.last(), Pattern::new("*")) {
            parts.push(GlobPart::Pattern(any));
        }
        parts
    }
}

impl GlobPart {
    fn new(text: &str) -> Result<Self, glob::PatternError> {
        if text == "**" {
            return Ok(Self::Folders);
        }
        let pattern = Pattern::new(text)?;
        let is_plain = !text.contains(['*', '?', '[']);
        Ok(if is_plain { Self::Name(text.to_owned()) } else { Self::Pattern(pattern) })
    }
}

/// Returns each part with its byte offset. Empty parts and `.` are left out.
fn parts(glob: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    let with_place = glob.split('/').map(move |part| {
        let place = next;
        next += part.len() + 1;
        (place, part)
    });
    with_place.filter(|(_, part)| !matches!(*part, "" | "."))
}

impl FromStr for FileGlob {
    type Err = FileGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(FileGlobError::Empty);
        }
        if text.contains('\0') {
            return Err(FileGlobError::Nul);
        }
        if text.ends_with('/') {
            return Err(FileGlobError::Folder);
        }
        for (place, part) in parts(text) {
            GlobPart::new(part).map_err(|error| {
                let within = part.char_indices().nth(error.pos).map_or(part.len(), |(offset, _)| offset);
                FileGlobError::Syntax { message: error.msg, offset: place + within }
            })?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FileGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The reason why a text is not a valid [`FileGlob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileGlobError {
    /// The text is empty or blank.
    #[error("a glob can't be empty")]
    Empty,
    /// The text contains the NUL character.
    #[error("a glob can't hold the NUL character")]
    Nul,
    /// The text ends with a slash, so it names a folder.
    #[error("a glob names files, not a folder; add `**/*` for all files in the folder")]
    Folder,
    /// The wildcards are malformed.
    #[error("{message} (at byte {offset})")]
    Syntax {
        /// The description of the fault.
        message: &'static str,
        /// The offset of the fault, in bytes from the start of the text.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_and_wildcards_are_accepted() {
        for text in ["a.sql", "./a b/ü", "../shared/*.sql", "/etc/*", "**/*.sql", "migrations/**", "V[0-9]?.sql"] {
            assert_eq!(text.parse::<FileGlob>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_glob_is_refused_with_the_offset_of_the_fault() {
        for (text, error) in [
            ("", FileGlobError::Empty),
            (" ", FileGlobError::Empty),
            ("a\0", FileGlobError::Nul),
            ("migrations/", FileGlobError::Folder),
            ("/", FileGlobError::Folder),
        ] {
            assert_eq!(text.parse::<FileGlob>(), Err(error), "{text:?}");
        }
        let place = |text: &str| match text.parse::<FileGlob>() {
            Err(FileGlobError::Syntax { offset, .. }) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(place("ü/[a"), 3);
        assert_eq!(place("a/b**/c"), 2);
    }
}
