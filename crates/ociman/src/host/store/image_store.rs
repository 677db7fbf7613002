//! The images of a state folder: `images/<id>/{config.json, root/}`. Their names are links
//! `names/<domain>/<path>/:<tag>` to an ID. Names change under one lock and each change is atomic, so that an image
//! either exists completely or does not exist.

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

/// An image's files, open for reading. The image is not removed while this value exists.
#[derive(Debug)]
pub(crate) struct ImageRoot {
    pub(crate) root: OwnedFd,
    _lock: Lockable,
}

/// An image that was published.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) id: String,
    /// The image that had the name before and was removed because it had no other name.
    pub(crate) replaced: Option<String>,
}

/// A folder in which an image is being created. It is removed when it is dropped, unless it has been published.
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

    /// Returns the image with this name.
    pub(crate) fn find(&self, reference: &Reference) -> Result<ImageRecord, CommandError> {
        let found = match self.id(reference) {
            Some(id) => self.load(&id)?,
            None => None,
        };
        found.ok_or_else(|| CommandError::ImageNotFound { image: reference.to_string() })
    }

    /// Returns the image with this ID. An image that can't be relied on counts as missing, so that it is created again.
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

    /// Opens the files of an image. Returns `None` if the image no longer exists.
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

    /// Returns a new folder in which to create an image, without a root yet.
    pub(crate) fn draft(&self) -> Result<Draft, HostError> {
        let path = leftovers::temporary(&self.images);
        folder::make_private(&path)?;
        Ok(Draft { folder: path })
    }

    /// Turns a draft into an image and gives it a name, which an existing image with that name loses. If that was the
    /// last name of the existing image, the existing image is removed and its ID is returned.
    pub(crate) fn publish(
        &self,
        draft: &Draft,
        config: HostImageConfig,
        name: &Reference,
    ) -> Result<Published, HostError> {
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
        let replaced = self.set_name(name, &record.id)?;
        Ok(Published { id: record.id, replaced })
    }

    /// Adds a name to an image. An existing image with that name is treated as in [`ImageStore::publish`].
    pub(crate) fn tag(&self, image: &Reference, name: &Reference) -> Result<Option<String>, CommandError> {
        let _lock = self.lock_names()?;
        let record = self.find(image)?;
        Ok(self.set_name(name, &record.id)?)
    }

    /// Removes a name from an image. If it is the image's last name and `may_go` allows it, the image is removed too
    /// and its ID is returned.
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

    /// Returns all names with the IDs of their images.
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

    /// Removes images without a name and names without an image, which killed calls left behind.
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

    /// Returns `true` if there is an image with this ID that can be relied on.
    pub(crate) fn exists(&self, id: &str) -> bool {
        self.folder(id).is_dir() && settle(&self.folder(id))
    }

    pub(crate) fn id(&self, reference: &Reference) -> Option<String> {
        // Images of the host backend have no digests by which to find them.
        if reference.digest().is_some() {
            return None;
        }
        std::fs::read_link(self.link(reference)).ok()?.into_os_string().into_string().ok()
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.images.join(id)
    }

    /// Returns the path of the link for a name. A tag can't be confused with a part of the path, which never starts
    /// with a colon.
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
        // A process that is copying from the image may finish; no other process can begin to.
        Lockable::open(&hidden)
            .and_then(|image| image.lock())
            .and_then(|()| remove::tree(&hidden))
            .map_err(HostError::file("remove image", &path))
    }

    fn remove_name(&self, name: &Reference) -> Result<(), HostError> {
        let link = self.link(name);
        std::fs::remove_file(&link).map_err(HostError::file("remove image name", &link))?;
        for parent in link.ancestors().skip(1).take_while(|parent| *parent != self.names) {
            // This succeeds only if the folder is empty, and only then should it be removed.
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The marker file of an image that may not have reached the disk yet. It contains the boot in which the image was
/// created.
const FRESH: &str = "fresh";
/// The age from which an image has reached the disk on all systems with their default settings, with time to spare.
const SETTLED_AGE: Duration = Duration::from_secs(120);

/// Returns `true` if an image can be relied on. For speed, nothing is forced to disk here. So an image that was created
/// shortly before a crash of the machine may have lost any of its files, and must not be used.
fn settle(image: &Path) -> bool {
    let mark = image.join(FRESH);
    let Ok(boot) = crate::files::read_to_string(&mark) else { return true };
    if boot != boot_id() {
        return false;
    }
    let age = std::fs::metadata(&mark).and_then(|file| file.modified()).ok().and_then(|made| made.elapsed().ok());
    if age.is_some_and(|age| age > SETTLED_AGE) {
        // If the marker stays, the image is created once more in the worst case.
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
