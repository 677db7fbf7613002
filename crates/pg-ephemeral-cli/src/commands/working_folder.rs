//! The working directory, and whether it can be mounted at the same path in a container.

use crate::output::Failure;
use std::path::{Path, PathBuf};

/// Folders of an image that the working directory must not hide.
const SYSTEM_FOLDERS: [&str; 12] =
    ["bin", "boot", "dev", "etc", "lib", "lib64", "pg-ephemeral", "proc", "run", "sbin", "sys", "usr"];

pub(crate) fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::message(format!("find the working directory: {error}"), "change to a folder that exists")
    })
}

/// Returns the working directory, or `None` if mounting it would hide one of the image's own folders.
pub(crate) fn mountable_folder() -> Result<Option<PathBuf>, Failure> {
    let folder = current_folder()?;
    Ok(refuse_system_folder(&folder).is_ok().then_some(folder))
}

pub(crate) fn refuse_system_folder(folder: &Path) -> Result<(), Failure> {
    let first = folder.components().nth(1).map(|component| component.as_os_str().to_string_lossy().into_owned());
    match first {
        Some(first) if !SYSTEM_FOLDERS.contains(&first.as_str()) => Ok(()),
        _ => Err(Failure::message(
            format!("the working directory {} can't be mounted over the image's own", folder.display()),
            "change to another folder, or use the `host` or `container` form of the command",
        )),
    }
}
