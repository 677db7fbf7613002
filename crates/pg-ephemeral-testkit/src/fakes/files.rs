//! Copies and compares the files of images and containers: folders, files and symbolic links with their permissions.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Component, Path, PathBuf};

/// Returns a path of a container as a path relative to the container's root.
pub(super) fn in_container(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Copies a folder with its content to a new folder. `left_out` are paths relative to the folder that are not copied.
pub(super) fn copy(from: &Path, to: &Path, left_out: &[PathBuf]) -> io::Result<()> {
    copy_in(from, to, Path::new(""), left_out)
}

fn copy_in(from: &Path, to: &Path, inside: &Path, left_out: &[PathBuf]) -> io::Result<()> {
    fs::create_dir(to.join(inside))?;
    for entry in fs::read_dir(from.join(inside))? {
        let entry = entry?;
        let inside = inside.join(entry.file_name());
        if left_out.contains(&inside) {
            continue;
        }
        let (source, target) = (from.join(&inside), to.join(&inside));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_in(from, to, &inside, left_out)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
            keep_owner(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
            keep_owner(&source, &target)?;
        }
        // Sockets and pipes are not copied: they belong to processes, and an image has none.
    }
    let (source, target) = (from.join(inside), to.join(inside));
    keep_owner(&source, &target)?;
    fs::set_permissions(target, fs::metadata(source)?.permissions())
}

/// Gives the copy the owner of the original. Only root copies files of other users, and only root can change an owner.
fn keep_owner(source: &Path, target: &Path) -> io::Result<()> {
    let (was, is) = (fs::symlink_metadata(source)?, fs::symlink_metadata(target)?);
    if (was.uid(), was.gid()) == (is.uid(), is.gid()) {
        return Ok(());
    }
    if was.is_symlink() {
        lchown(target, Some(was.uid()), Some(was.gid()))
    } else {
        chown(target, Some(was.uid()), Some(was.gid()))
    }
}

/// Returns the path, permissions and content of everything in a folder, except the paths in `left_out`.
pub(super) fn listing(folder: &Path, left_out: &[PathBuf]) -> io::Result<Vec<(PathBuf, u32, Vec<u8>)>> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let path = inside.join(entry?.file_name());
            if left_out.contains(&path) {
                continue;
            }
            let full = folder.join(&path);
            let metadata = fs::symlink_metadata(&full)?;
            let content = if metadata.is_symlink() {
                fs::read_link(&full)?.into_os_string().into_encoded_bytes()
            } else if metadata.is_file() {
                fs::read(&full)?
            } else {
                Vec::new()
            };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            all.push((path, metadata.permissions().mode(), content));
        }
    }
    all.sort();
    Ok(all)
}

/// Returns the total size of all files in a folder, in bytes.
pub(super) fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    let sizes = sizes.map(|(path, metadata)| match metadata.is_dir() {
        true => size(&path),
        false if metadata.is_file() => metadata.len(),
        false => 0,
    });
    sizes.sum()
}

/// Creates a folder that any user can read.
pub(super) fn create_open_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
