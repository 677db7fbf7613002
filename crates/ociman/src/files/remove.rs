//! Removes whole trees, including folders whose permissions deny access to their owner. Never follows a symbolic link.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// Removes a file, or a folder with its content. Does nothing if it does not exist.
pub(crate) fn tree(path: &Path) -> io::Result<()> {
    entry(CWD, path)
}

/// Removes a file, or the content of a folder. Does nothing if it does not exist.
#[cfg(target_os = "linux")]
pub(crate) fn file_or_content(path: &Path) -> io::Result<()> {
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => content(&open_folder(CWD, path)?),
        Err(error) => Err(error.into()),
    }
}

/// Like [`tree`], but only logs an error. Meant for a removal that a later call tries again.
pub(crate) fn tree_best_effort(path: &Path) {
    if let Err(error) = tree(path) {
        tracing::warn!(path = %path.display(), %error, "a leftover can't be removed");
    }
}

/// Removes one entry of an open folder, with its content.
pub(crate) fn entry<P: Arg + Copy>(parent: impl AsFd, name: P) -> io::Result<()> {
    let parent = parent.as_fd();
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // For a folder, Linux returns the first and POSIX specifies the second.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let folder = open_folder(parent, name)?;
    content(&folder)?;
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn content(folder: &OwnedFd) -> io::Result<()> {
    for item in Dir::read_from(folder)? {
        let item = item?;
        let name = item.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if item.file_type() == FileType::Directory {
            entry(folder, name)?;
            continue;
        }
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => entry(folder, name)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Opens a folder for reading and changing it. If its permissions deny that, they are changed first.
pub(crate) fn open_folder<P: Arg + Copy>(parent: impl AsFd, name: P) -> io::Result<OwnedFd> {
    let parent = parent.as_fd();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(folder) if has_rights(&folder) => Ok(folder),
        Ok(_) | Err(Errno::ACCESS) => {
            // So it is a folder: opening a link would have failed with another error.
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives the owner full access to an open folder that denies it.
pub(crate) fn open_up(folder: &OwnedFd) -> io::Result<()> {
    if !has_rights(folder) {
        rustix::fs::fchmod(folder, Mode::RWXU)?;
    }
    Ok(())
}

fn has_rights(folder: &OwnedFd) -> bool {
    rustix::process::geteuid().is_root()
        || rustix::fs::fstat(folder).is_ok_and(|stat| Mode::from_raw_mode(stat.st_mode).contains(Mode::RWXU))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_tree_with_closed_folders_is_removed_and_the_targets_of_its_links_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "x").unwrap();
        let tree_path = folder.path().join("tree");
        std::fs::create_dir_all(tree_path.join("a/b")).unwrap();
        std::fs::write(tree_path.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, tree_path.join("link")).unwrap();
        std::fs::set_permissions(tree_path.join("a/b"), std::fs::Permissions::from_mode(0o000)).unwrap();
        std::fs::set_permissions(tree_path.join("a"), std::fs::Permissions::from_mode(0o500)).unwrap();
        tree(&tree_path).unwrap();
        assert!(!tree_path.exists());
        assert!(kept.join("file").exists());
        tree(&tree_path).unwrap();
    }
}
