//! Reads the hash and the header of CSV files, a few pieces of the file at a time. The rows after the header are parsed
//! by PostgreSQL.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::spec::{CsvDelimiter, CsvTable};
use end_mark::EndMarkFinder;
use header::HeaderReader;

pub use header::CsvHeaderError;

mod end_mark;
mod header;

/// The size of the pieces in which a file is read, in bytes. A few pieces are in memory at a time.
const PIECE: usize = 256 * 1024;

/// A CSV file whose header and hash are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFile {
    path: PathBuf,
    shown: PathBuf,
    table: CsvTable,
    delimiter: CsvDelimiter,
    columns: Vec<String>,
    content: blake3::Hash,
    end_mark: Option<u64>,
}

/// An error while reading a CSV file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvFileError {
    /// The file could not be opened or read.
    #[error("failed to open {}", path.display())]
    Open {
        /// The file, by the path that the user gave.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
    /// The first row of the file does not name columns.
    #[error("failed to read the header of {}", path.display())]
    Header {
        /// The file, by the path that the user gave.
        path: PathBuf,
        /// The cause.
        #[source]
        source: CsvHeaderError,
    },
}

impl CsvFile {
    /// Reads a whole file, piece by piece, for its hash and its columns. `shown` is the path that errors name.
    ///
    /// # Errors
    /// Returns an error if the file can't be read, or if its first row does not name columns.
    pub async fn read(
        path: PathBuf,
        shown: PathBuf,
        table: CsvTable,
        delimiter: CsvDelimiter,
    ) -> Result<Self, CsvFileError> {
        let mut pieces = pieces(path.clone());
        let mut hasher = blake3::Hasher::new();
        let mut header = HeaderReader::new(delimiter);
        let mut has_backslash = false;
        while let Some(piece) = pieces.recv().await {
            let piece = piece.map_err(|source| CsvFileError::Open { path: shown.clone(), source })?;
            hasher.update(&piece);
            header.take(&piece);
            has_backslash |= piece.contains(&b'\\');
        }
        let columns = header.columns().map_err(|source| CsvFileError::Header { path: shown.clone(), source })?;
        let end_mark = if has_backslash { end_mark(&path, &shown).await? } else { None };
        Ok(Self { path, shown, table, delimiter, columns, content: hasher.finalize(), end_mark })
    }

    /// Returns the path of the file, as the user gave it.
    #[must_use]
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Returns the table that the rows are loaded into.
    #[must_use]
    pub fn table(&self) -> &CsvTable {
        &self.table
    }

    /// Returns the character between two fields.
    #[must_use]
    pub fn delimiter(&self) -> CsvDelimiter {
        self.delimiter
    }

    /// Returns the columns that the header names, in the order of the file.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns the line of a `\.` after which PostgreSQL before version 18 drops data.
    pub(super) fn end_mark(&self) -> Option<u64> {
        self.end_mark
    }

    /// Returns the hash of the whole file.
    pub(super) fn content(&self) -> &blake3::Hash {
        &self.content
    }

    /// Reads the file again: returns its current size in bytes, and its pieces.
    pub(super) fn pieces(&self) -> (u64, mpsc::Receiver<io::Result<Vec<u8>>>) {
        let size = std::fs::metadata(&self.path).map(|file| file.len()).unwrap_or_default();
        (size, pieces(self.path.clone()))
    }

    #[cfg(test)]
    pub(super) fn of_content(shown: &Path, table: CsvTable, delimiter: CsvDelimiter, content: blake3::Hash) -> Self {
        Self {
            path: shown.to_owned(),
            shown: shown.to_owned(),
            table,
            delimiter,
            columns: Vec::new(),
            content,
            end_mark: None,
        }
    }
}

/// Finds the line of an end mark that has data after it. This takes longer than a hash, because it examines every byte,
/// so it is only done for files that contain a backslash.
async fn end_mark(path: &Path, shown: &Path) -> Result<Option<u64>, CsvFileError> {
    let mut pieces = pieces(path.to_owned());
    let mut finder = EndMarkFinder::new();
    while let Some(piece) = pieces.recv().await {
        finder.take(&piece.map_err(|source| CsvFileError::Open { path: shown.to_owned(), source })?);
    }
    Ok(finder.found())
}

/// Returns the columns that the first row of a file names, which comes in pieces.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn columns_of<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    delimiter: CsvDelimiter,
) -> Result<Vec<String>, CsvHeaderError> {
    let mut header = HeaderReader::new(delimiter);
    pieces.into_iter().for_each(|piece| header.take(piece));
    header.columns()
}

/// Reads a file on a thread that may block, no faster than the receiver takes its pieces.
fn pieces(path: PathBuf) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(4);
    let refused = sender.clone();
    let started = ociman::blocking::start(move || {
        let read = ociman::files::open(&path).and_then(|file| send_pieces(file, &sender));
        if let Err(error) = read {
            // If the receiver is gone, the error is not needed.
            let _ = sender.blocking_send(Err(error));
        }
    });
    if let Err(error) = started {
        // The channel is empty, so it has room.
        let _ = refused.try_send(Err(error));
    }
    receiver
}

fn send_pieces(mut file: File, sender: &mpsc::Sender<io::Result<Vec<u8>>>) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || sender.blocking_send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<CsvFile, CsvFileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, bytes).unwrap();
        let table = CsvTable { schema: "public".parse().unwrap(), table: "t".parse().unwrap() };
        CsvFile::read(path, PathBuf::from("t.csv"), table, CsvDelimiter::default()).await
    }

    #[tokio::test]
    async fn a_file_of_many_pieces_is_hashed_whole() {
        let mut bytes = b"a,b\n".to_vec();
        bytes.resize(3 * PIECE + 17, b'x');
        let file = read(&bytes).await.unwrap();
        assert_eq!(file.columns(), ["a", "b"]);
        assert_eq!(file.content(), &blake3::hash(&bytes));
    }

    #[tokio::test]
    async fn the_error_for_a_bad_header_names_the_file_as_the_user_gave_it() {
        let error = read(b"").await.unwrap_err();
        assert_eq!(error.to_string(), "failed to read the header of t.csv");
    }
}
