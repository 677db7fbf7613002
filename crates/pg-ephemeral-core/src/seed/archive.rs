//! Recognises the formats in which pg_dump writes an archive, by a file's first bytes. These formats are described in
//! PostgreSQL's source, in `src/bin/pg_dump/pg_backup_archiver.c` and `pg_backup_tar.c`.

use std::fmt;
use std::io;
use std::path::Path;

use crate::io::content::Content;

/// The number of bytes at the start of a file that are enough to recognise its format.
pub(super) const START: usize = 512;

/// The offset of the format's number in the header of an archive, and the number of the tar format.
const FORMAT_OFFSET: usize = 10;
const FORMAT_TAR: u8 = 3;

/// A format of pg_dump's archives. Only pg_restore can read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArchiveFormat {
    /// One file: `pg_dump --format=custom`.
    Custom,
    /// A folder with a file for each table: `pg_dump --format=directory`.
    Directory,
    /// The files of the directory format in a tar archive: `pg_dump --format=tar`.
    Tar,
}

impl ArchiveFormat {
    /// Returns the format of a file that starts with these bytes; `None` if it is not an archive. If it is
    /// [`Self::Directory`], the file is the table of contents of an archive in a folder.
    pub(super) fn of_start(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"PGDMP") {
            // The table of contents in a folder has the number of the tar format.
            let is_contents = start.get(FORMAT_OFFSET) == Some(&FORMAT_TAR);
            return Some(if is_contents { Self::Directory } else { Self::Custom });
        }
        // The first member of a tar archive is the table of contents.
        let is_tar = start.starts_with(b"toc.dat\0");
        (is_tar && start.get(257..262) == Some(b"ustar")).then_some(Self::Tar)
    }

    /// Returns the format of a file or folder; `None` if it is not an archive. This function blocks.
    pub(super) fn of_path(path: &Path) -> io::Result<Option<Self>> {
        if path.is_dir() {
            return Ok(path.join("toc.dat").is_file().then_some(Self::Directory));
        }
        Ok(Self::of_start(&Content::file(path)?.start(START as u64)?))
    }
}

/// A format that neither psql nor pg_restore can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignFormat {
    /// A tar archive that pg_dump did not write.
    Tar,
    /// A zip archive.
    Zip,
    /// Compressed by bzip2.
    Bzip2,
    /// Compressed by xz.
    Xz,
    /// Compressed by lz4.
    Lz4,
}

impl ForeignFormat {
    const ALL: [Self; 5] = [Self::Tar, Self::Zip, Self::Bzip2, Self::Xz, Self::Lz4];

    /// What the user can do about a file in such a format.
    pub(super) const HINT: &str =
        "unpack it first; files compressed by gzip or zstd, and folders that pg_dump wrote, are read as they are";

    /// Returns the format of a file that starts with these bytes; `None` if it is another one, or an archive of
    /// pg_dump.
    pub(super) fn of_start(start: &[u8]) -> Option<Self> {
        let is_archive = ArchiveFormat::of_start(start).is_some();
        Self::ALL.into_iter().find(|format| !is_archive && format.is_start(start))
    }

    fn is_start(self, start: &[u8]) -> bool {
        match self {
            Self::Tar => start.get(257..262) == Some(b"ustar"),
            Self::Zip => start.starts_with(b"PK\x03\x04"),
            Self::Bzip2 => start.starts_with(b"BZh") && start.get(4..10) == Some(b"1AY&SY"),
            Self::Xz => start.starts_with(b"\xfd7zXZ\0"),
            Self::Lz4 => start.starts_with(b"\x04\x22\x4d\x18"),
        }
    }
}

impl fmt::Display for ForeignFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Tar => "a tar archive, which pg_dump did not write",
            Self::Zip => "a zip archive",
            Self::Bzip2 => "compressed by bzip2",
            Self::Xz => "compressed by xz",
            Self::Lz4 => "compressed by lz4",
        })
    }
}

impl fmt::Display for ArchiveFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Custom => "custom",
            Self::Directory => "directory",
            Self::Tar => "tar",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_of_pg_dump_are_distinguished_from_files_that_have_to_be_unpacked() {
        let header = |format: u8| [b"PGDMP\x01\x0f\x00\x04\x08".as_slice(), &[format]].concat();
        assert_eq!(ArchiveFormat::of_start(&header(1)), Some(ArchiveFormat::Custom));
        assert_eq!(ArchiveFormat::of_start(&header(3)), Some(ArchiveFormat::Directory));
        let tar = |name: &str| {
            let mut start = vec![0; START];
            start[..name.len()].copy_from_slice(name.as_bytes());
            start[257..262].copy_from_slice(b"ustar");
            start
        };
        assert_eq!(ArchiveFormat::of_start(&tar("toc.dat")), Some(ArchiveFormat::Tar));
        assert_eq!(ForeignFormat::of_start(&tar("toc.dat")), None);
        assert_eq!(ForeignFormat::of_start(&tar("dump/")), Some(ForeignFormat::Tar));
        assert_eq!(ForeignFormat::of_start(b"BZh91AY&SY..."), Some(ForeignFormat::Bzip2));
        assert_eq!(ForeignFormat::of_start(b"create table t ();"), None);
        assert_eq!(ForeignFormat::of_start(b""), None);
    }
}
