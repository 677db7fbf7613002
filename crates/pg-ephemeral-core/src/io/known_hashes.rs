//! Remembers the hashes of large files, so that a start does not read a dump of many gigabytes again. A file is
//! recognised by its path and by its stamp, which every change of the file changes.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::io::content::Stamp;

/// The size in bytes from which on a hash is remembered. Smaller files are read faster than they are looked up.
const LARGE: u64 = 16 << 20;

/// How long ago a file must have been changed, in seconds. Another change within one tick of the file system's clock could
/// leave the stamp as it is.
const SETTLED: i64 = 2;

/// How many hashes are remembered.
const MOST: usize = 256;

/// The remembered hashes, as files of a folder that only this user can write to.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownHashes {
    folder: Option<PathBuf>,
}

/// What is known of the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownContent {
    #[serde(with = "hex")]
    pub(crate) hash: blake3::Hash,
    /// Whether the file was searched for names of other files, and names none.
    pub(crate) names_no_files: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    stamp: Stamp,
    content: KnownContent,
}

impl KnownHashes {
    /// Remembers hashes in this folder, which is created when it is needed.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// Returns what is known of a file with this stamp.
    pub(crate) fn find(&self, path: &Path, stamp: &Stamp) -> Option<KnownContent> {
        if stamp.size() < LARGE {
            return None;
        }
        let bytes = ociman::files::read(&self.file_of(path)?).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        (record.stamp == *stamp).then_some(record.content)
    }

    /// Remembers the content of a file whose stamp was taken before it was read.
    pub(crate) fn remember(&self, path: &Path, stamp: &Stamp, content: KnownContent) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let is_settled = i64::try_from(now).is_ok_and(|now| stamp.changed_in_seconds() < now - SETTLED);
        if stamp.size() < LARGE || !is_settled || Stamp::of(path).ok().as_ref() != Some(stamp) {
            return;
        }
        if let (Some(folder), Some(file)) = (&self.folder, self.file_of(path))
            && let Err(error) = write(folder, &file, &Record { stamp: *stamp, content })
        {
            // The file is read again the next time.
            tracing::debug!(%error, "a hash can't be remembered");
        }
    }

    /// Returns the hash of a file. This function blocks.
    pub(crate) fn hash(
        &self,
        path: &Path,
        read: impl FnOnce() -> io::Result<blake3::Hash>,
    ) -> io::Result<blake3::Hash> {
        let stamp = Stamp::of(path)?;
        if let Some(known) = self.find(path, &stamp) {
            return Ok(known.hash);
        }
        let hash = read()?;
        self.remember(path, &stamp, KnownContent { hash, names_no_files: false });
        Ok(hash)
    }

    fn file_of(&self, path: &Path) -> Option<PathBuf> {
        let name = blake3::hash(path.as_os_str().as_bytes()).to_hex();
        Some(self.folder.as_ref()?.join(name.as_str()))
    }
}

fn write(folder: &Path, file: &Path, record: &Record) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = ociman::host::temporary(folder);
    std::fs::write(&draft, serde_json::to_vec(record)?)?;
    std::fs::rename(&draft, file)?;
    ociman::host::sweep(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    for (_, oldest) in files.iter().take(files.len().saturating_sub(MOST)) {
        std::fs::remove_file(oldest)?;
    }
    Ok(())
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hash.to_hex().as_str())
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    fn large_file(folder: &Path, change: Duration) -> PathBuf {
        let path = folder.join("dump");
        File::create(&path).unwrap().set_len(LARGE).unwrap();
        std::thread::sleep(change);
        path
    }

    #[test]
    fn a_settled_large_file_is_read_once_and_again_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = large_file(folder.path(), Duration::from_secs(4));
        let known = KnownHashes::in_folder(folder.path().join("hashes"));
        let hash = |text: &'static str| known.hash(&path, move || Ok(blake3::hash(text.as_bytes()))).unwrap();
        let first = hash("first");
        assert_eq!(hash("not read"), first);
        // The size stays the same, but not the time of change.
        std::fs::write(&path, vec![1_u8; usize::try_from(LARGE).unwrap()]).unwrap();
        let second = hash("second");
        assert_ne!(second, first);
        // It was changed just now, so it is read again.
        assert_ne!(hash("third"), second);
    }

    #[test]
    fn a_small_file_a_damaged_record_and_no_folder_are_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let small = folder.path().join("small");
        std::fs::write(&small, "x").unwrap();
        let known = KnownHashes::in_folder(folder.path().join("hashes"));
        let hash = |known: &KnownHashes, path: &Path| known.hash(path, || Ok(blake3::hash(b"x"))).unwrap();
        hash(&known, &small);
        assert!(!folder.path().join("hashes").exists());
        let path = large_file(folder.path(), Duration::from_secs(4));
        hash(&KnownHashes::default(), &path);
        hash(&known, &path);
        let record = known.file_of(&path).unwrap();
        std::fs::write(&record, "{").unwrap();
        assert_eq!(known.find(&path, &Stamp::of(&path).unwrap()), None);
        hash(&known, &path);
        assert!(known.find(&path, &Stamp::of(&path).unwrap()).is_some());
    }
}
