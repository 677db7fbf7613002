//! Finds and loads the file. What it means is read elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use super::{Config, Diagnostics, Position};

/// The name of the file that [`find`] looks for.
pub const FILE_NAME: &str = "database.toml";

/// The `database.toml` in `start` or its nearest parent, or `None`. A folder of that name is passed over.
#[must_use]
pub fn find(start: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    start
        .ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|candidate| candidate.metadata().is_ok_and(|metadata| !metadata.is_dir()))
}

pub(super) fn load(path: PathBuf) -> Result<Config, LoadError> {
    let absolute = std::path::absolute(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    let bytes = std::fs::read(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(path, &error)),
    };
    let mut config = Config::parse(&text, path)?;
    config.folder = folder_of(&absolute);
    Ok(config)
}

/// The folder of a file; the working directory for a bare name.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
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
pub enum LoadError {
    /// The file could not be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
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
