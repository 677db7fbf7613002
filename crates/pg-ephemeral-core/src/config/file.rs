//! Finds and loads the file. What it means is read elsewhere.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostics, Position};
use super::parsed::{Config, folder_of};
use super::trust::{self, UntrustedConfig};

/// The name of the file that [`find`] looks for.
pub const FILE_NAME: &str = "database.toml";

/// The `database.toml` in `start` or its nearest parent, or `None`. Whatever has that name counts: what can't be read as a
/// file is an error when it is loaded.
///
/// # Errors
/// The file is in a parent of `start`, and it or its folder belongs to neither the caller nor root, or others can write
/// to it: see [`UntrustedConfig`]. When root calls by `sudo`, it may also belong to the user who called that.
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

/// Reads a file that may be a device, such as `/dev/null`, but no pipe: reading one may wait without an end, and relative paths
/// would start from a folder such as `/dev/fd`.
fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    if path.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(LoadError::Pipe { path: path.to_owned() });
    }
    std::fs::read(path).map_err(failed)
}

impl Config {
    /// Reads a file. [`Config::folder`] is absolute afterwards, so a later change of the working directory does no harm.
    ///
    /// # Errors
    /// The file can't be read, is not UTF-8, or holds something wrong.
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

/// Why a configuration file could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a pipe, named or of a shell's process substitution.
    #[error("the configuration {} is a pipe, and only a file can be one", path.display())]
    Pipe {
        /// The pipe, as it was named.
        path: PathBuf,
    },
    /// The file is not UTF-8, which TOML has to be.
    #[error("{}:{position}: byte 0x{byte:02x} is not UTF-8", path.display())]
    NotUtf8 {
        /// The file, as it was named.
        path: PathBuf,
        /// Where the first wrong byte is.
        position: Position,
        /// The wrong byte.
        byte: u8,
    },
    /// The file holds something wrong.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}
