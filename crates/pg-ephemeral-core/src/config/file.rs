//! Finds and loads the file. The module `read` parses its text.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostics, Position};
use super::parsed::{Config, folder_of};
use super::trust::{self, UntrustedConfig};

/// The name of the file that [`find`] looks for.
pub const FILE_NAME: &str = "database.toml";

/// Finds the `database.toml` in `start` or its nearest parent. `None` if there is none.
///
/// A folder or a broken link of that name is found too, and is an error when it is loaded.
///
/// # Errors
/// Returns [`UntrustedConfig`] if the file is in a parent of `start` and other users may have written it: if the file
/// or its folder belongs to a user other than the caller and root, or if others can write to it. If root runs the
/// program by `sudo`, the user who called `sudo` is trusted too.
pub fn find(start: &Path) -> Result<Option<PathBuf>, UntrustedConfig> {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    let mut candidates = start.ancestors().map(|folder| folder.join(FILE_NAME));
    let found = candidates.find(|candidate| match candidate.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    });
    if let Some(path) = found.as_deref().filter(|path| path.parent() != Some(&start)) {
        trust::check(path)?;
    }
    Ok(found)
}

/// Reads a file. It may be a device such as `/dev/null`, but not a pipe: reading a pipe may block forever, and relative
/// paths would start from a folder such as `/dev/fd`.
fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    if path.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(LoadError::Pipe { path: path.to_owned() });
    }
    std::fs::read(path).map_err(failed)
}

impl Config {
    /// Reads and parses a file. [`Config::folder`] is made absolute, so that it stays valid if the working directory
    /// changes later.
    ///
    /// # Errors
    /// Returns an error if the file can't be read, is not UTF-8, or is not a valid configuration.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let path = path.into();
        let absolute = std::path::absolute(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let bytes = read(&path)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(not_utf8(path, &error)),
        };
        let mut config = Self::parse(&text, path)?;
        config.folder = folder_of(&absolute);
        Ok(config)
    }
}

fn not_utf8(path: PathBuf, error: &std::string::FromUtf8Error) -> LoadError {
    let offset = error.utf8_error().valid_up_to();
    let (valid, rest) = error.as_bytes().split_at(offset);
    let valid = String::from_utf8_lossy(valid);
    let byte = rest.first().copied().unwrap_or_default();
    LoadError::NotUtf8 { path, position: Position::of(&valid, offset), byte }
}

/// The reason why a configuration file could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read configuration {}", path.display())]
    Read {
        /// The path of the file, as it was passed to [`Config::load`].
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is a pipe: a named one, or one of a shell's process substitution.
    #[error("the configuration {} is a pipe, not a file", path.display())]
    Pipe {
        /// The path of the pipe, as it was passed to [`Config::load`].
        path: PathBuf,
    },
    /// The file is not UTF-8, which TOML requires.
    #[error("{}:{position}: byte 0x{byte:02x} is not UTF-8", path.display())]
    NotUtf8 {
        /// The path of the file, as it was passed to [`Config::load`].
        path: PathBuf,
        /// The position of the first invalid byte.
        position: Position,
        /// The invalid byte.
        byte: u8,
    },
    /// The file is not a valid configuration.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}
