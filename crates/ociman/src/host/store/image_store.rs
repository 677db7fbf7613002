//! The images of a state folder: `images/<id>/{config.json, root/}`, and their names as links
//! `names/<domain>/<path>/:<tag>` to an identifier. Names change under one lock and each at once, so that an image is
//! there or is not, and never by half.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::image::{HostImageConfig, ImageRecord};
use crate::error::HostError;
use crate::files::{leftovers, remove};
use crate::host::folder::{self, StateFolder};
use crate::host::lockable::Lockable;
use crate::host::tree::entry::{survey, total_size};
use crate::process::boot_id;
use crate::{CommandError, Reference};

#[derive(Debug, Clone)]
pub(crate) struct ImageStore {
    images: PathBuf,
    names: PathBuf,
}

/// An image's files, open for reading. The image is not removed meanwhile.
#[derive(Debug)]
pub(crate) struct ImageRoot {
    pub(crate) root: OwnedFd,
    _lock: Lockable,
}

/// A folder in which an image is being made; it goes unless it is published.
#[derive(Debug)]
pub(crate) struct Draft {
    folder: PathBuf,
}

impl Draft {
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove::tree_best_effort(&self.folder);
    }
}

impl ImageStore {
    pub(crate) fn new(state: &StateFolder) -> Self {
        Self { images: state.images(), names: state.image_names() }
    }

    /// The image of this name.
    pub(crate) fn find(&self, reference: &Reference) -> Result<ImageRecord, CommandError> {
        let found = match self.id(reference) {
            Some(id) => self.load(&id)?,
            None => None,
        };
        found.ok_or_else(|| CommandError::ImageNotFound { image: reference.to_string() })
    }

    /// The image of this identifier. One that can't be relied on counts as none, so that it is made again.
    fn load(&self, id: &str) -> Result<Option<ImageRecord>, HostError> {
        let path = self.folder(id).join("config.json");
        match crate::files::read(&path) {
            Ok(_) if !settle(&self.folder(id)) => Ok(None),
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)
                .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "an image can't be read"))
                .ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(HostError::file("read", &path)(error)),
        }
    }

    /// Opens the files of an image; `None` when it has gone.
    pub(crate) fn open_root(&self, id: &str) -> Result<Option<ImageRoot>, HostError> {
        let path = self.folder(id);
        let open = || -> io::Result<Option<ImageRoot>> {
            let image = Lockable::open(&path)?;
            image.lock_shared()?;
            if !folder::leads_to(&path, &image) {
                return Ok(None);
            }
            Ok(Some(ImageRoot { root: folder::open(&path.join("root"))?, _lock: image }))
        };
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(HostError::file("open image", &path)),
        }
    }

    /// A place to make an image in, with no root yet.
    pub(crate) fn draft(&self) -> Result<Draft, HostError> {
        let path = leftovers::temporary(&self.images);
        folder::make_private(&path)?;
        Ok(Draft { folder: path })
    }

    /// Makes a draft an image and gives it a name, which an image that has it loses. That other image goes, unless it
    /// has another name; its identifier is returned then.
    pub(crate) fn publish(
        &self,
        draft: &Draft,
        config: HostImageConfig,
        name: &Reference,
    ) -> Result<Option<String>, HostError> {
        let root = draft.root();
        let entries =
            folder::open(&root).and_then(|root| survey(&root)).map_err(HostError::file("read folder", &root))?;
        let record = ImageRecord {
            id: folder::fresh_id()?,
            config,
            size: total_size(&entries),
            entries: entries.len().saturating_sub(1),
            created: Some(SystemTime::now()),
        };
        folder::write_json(&draft.folder.join("config.json"), &record)?;
        folder::write_private(&draft.folder.join(FRESH), boot_id().as_bytes())?;
        let _lock = self.lock_names()?;
        let place = self.folder(&record.id);
        folder::rename_new(&draft.folder, &place).map_err(HostError::file("publish image", &place))?;
        self.set_name(name, &record.id)
    }

    /// Gives an image one more name. What [`ImageStore::publish`] says of the name holds here too.
    pub(crate) fn tag(&self, image: &Reference, name: &Reference) -> Result<Option<String>, CommandError> {
        let _lock = self.lock_names()?;
        let record = self.find(image)?;
        Ok(self.set_name(name, &record.id)?)
    }

    /// Takes a name from an image. When it was the last one the image goes too, if `may_go` allows it, and its
    /// identifier is returned.
    pub(crate) fn remove(
        &self,
        reference: &Reference,
        may_go: impl FnOnce(&str) -> Result<(), CommandError>,
    ) -> Result<Option<String>, CommandError> {
        let _lock = self.lock_names()?;
        let record = self.find(reference)?;
        let last = self.names_of(&record.id).len() <= 1;
        if last {
            may_go(&record.id)?;
        }
        self.remove_name(reference)?;
        if last {
            self.discard(&record.id)?;
        }
        Ok(last.then_some(record.id))
    }

    /// All names with the identifiers of their images.
    pub(crate) fn names(&self) -> Vec<(Reference, String)> {
        let mut found = Vec::new();
        collect_names(&self.names, "", &mut found);
        found.retain(|(_, id)| self.exists(id));
        found.sort();
        found
    }

    pub(crate) fn names_of(&self, id: &str) -> Vec<Reference> {
        self.names().into_iter().filter(|(_, of)| of == id).map(|(name, _)| name).collect()
    }

    /// Removes images without a name and names without an image, which calls that were killed have left.
    pub(crate) fn sweep(&self) -> Result<(), HostError> {
        let _lock = self.lock_names()?;
        let mut names = Vec::new();
        collect_names(&self.names, "", &mut names);
        let (named, lost): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, id)| self.exists(id));
        for (name, _) in lost {
            self.remove_name(&name)?;
        }
        for path in folder::visible_entries(&self.images) {
            let id = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !named.iter().any(|(_, named)| named == id) {
                self.discard(id)?;
            }
        }
        Ok(())
    }

    /// Whether there is an image of this identifier that can be relied on.
    pub(crate) fn exists(&self, id: &str) -> bool {
        self.folder(id).is_dir() && settle(&self.folder(id))
    }

    pub(crate) fn id(&self, reference: &Reference) -> Option<String> {
        // There are no digests here to find an image by.
        if reference.digest().is_some() {
            return None;
        }
        std::fs::read_link(self.link(reference)).ok()?.into_os_string().into_string().ok()
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.images.join(id)
    }

    /// Where the name stands. A tag can't be taken for a part of the path, which never starts with a colon.
    fn link(&self, reference: &Reference) -> PathBuf {
        let reference = reference.canonical();
        let tag = reference.tag().map_or("latest", |tag| tag.as_str());
        self.names.join(reference.name()).join(format!(":{tag}"))
    }

    fn lock_names(&self) -> Result<Lockable, HostError> {
        Lockable::open(&self.names)
            .and_then(|names| names.lock().map(|()| names))
            .map_err(HostError::file("lock", &self.names))
    }

    fn set_name(&self, name: &Reference, id: &str) -> Result<Option<String>, HostError> {
        let link = self.link(name);
        let parent = link.parent().unwrap_or(&self.names);
        folder::make_private(parent)?;
        let before = self.id(name);
        let hidden = leftovers::temporary(parent);
        std::os::unix::fs::symlink(id, &hidden)
            .and_then(|()| std::fs::rename(&hidden, &link))
            .map_err(HostError::file("name image", &link))?;
        match before {
            Some(before) if before != id && self.names_of(&before).is_empty() => {
                self.discard(&before)?;
                Ok(Some(before))
            }
            _ => Ok(None),
        }
    }

    fn discard(&self, id: &str) -> Result<(), HostError> {
        let path = self.folder(id);
        let hidden = leftovers::temporary(&self.images);
        match std::fs::rename(&path, &hidden) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(HostError::file("remove image", &path)(error)),
        }
        // Whoever is copying from it may end; nobody can begin to.
        Lockable::open(&hidden)
            .and_then(|image| image.lock())
            .and_then(|()| remove::tree(&hidden))
            .map_err(HostError::file("remove image", &path))
    }

    fn remove_name(&self, name: &Reference) -> Result<(), HostError> {
        let link = self.link(name);
        std::fs::remove_file(&link).map_err(HostError::file("remove image name", &link))?;
        for parent in link.ancestors().skip(1).take_while(|parent| *parent != self.names) {
            // Works only when it is empty, which is when it should go.
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The mark of an image that may not have reached the disk yet: it holds the boot in which the image was made.
const FRESH: &str = "fresh";
/// When all systems have written it there, by their defaults and with time to spare.
const SETTLED_AGE: Duration = Duration::from_secs(120);

/// Whether an image can be relied on. Nothing is forced to disk here, for the sake of speed; but an image that was made
/// shortly before a crash of the machine may have lost any of its files, and then goes unused.
fn settle(image: &Path) -> bool {
    let mark = image.join(FRESH);
    let Ok(boot) = crate::files::read_to_string(&mark) else { return true };
    if boot != boot_id() {
        return false;
    }
    let age = std::fs::metadata(&mark).and_then(|file| file.modified()).ok().and_then(|made| made.elapsed().ok());
    if age.is_some_and(|age| age > SETTLED_AGE) {
        // If it stays, the image is made once more in the worst case.
        let _ = std::fs::remove_file(&mark);
    }
    true
}

fn collect_names(folder: &Path, name: &str, found: &mut Vec<(Reference, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(part) = entry.file_name().into_string() else {
            continue;
        };
        if part.starts_with('.') {
            continue;
        }
        if let Some(tag) = part.strip_prefix(':') {
            let id = std::fs::read_link(entry.path()).ok().and_then(|id| id.into_os_string().into_string().ok());
            if let (Ok(reference), Some(id)) = (format!("{name}:{tag}").parse(), id) {
                found.push((reference, id));
            }
            continue;
        }
        let name = if name.is_empty() { part } else { format!("{name}/{part}") };
        collect_names(&entry.path(), &name, found);
    }
}
