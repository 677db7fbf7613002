//! Reads a file as it was at a git revision. The file can be in any working tree.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::model::seed::spec::GitRevision;

/// The variables that git sets for its hooks. They name a repository, which may not be the one of the file.
const REPOSITORY_VARIABLES: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"];

/// An error while reading a file of a git revision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// git could not be started.
    #[error("failed to start git")]
    Start(#[source] io::Error),
    /// The temporary file for the file's content could not be created or read.
    #[error("failed to make a temporary file")]
    Temporary(#[source] io::Error),
    /// The file is not in a git repository.
    #[error("failed to find the git repository of {}: {message}", folder.display())]
    NotARepository {
        /// The folder that git ran in.
        folder: PathBuf,
        /// The message of git.
        message: String,
    },
    /// The repository has no such revision.
    #[error("the repository of {} has no commit {revision}", folder.display())]
    UnknownRevision {
        /// The revision.
        revision: GitRevision,
        /// A folder of the repository.
        folder: PathBuf,
    },
    /// The revision has no such file.
    #[error("commit {revision} has no such file: {message}")]
    NoSuchFile {
        /// The revision.
        revision: GitRevision,
        /// The message of git.
        message: String,
    },
}

impl GitError {
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Temporary(_) => None,
            Self::Start(_) => Some("install git, or leave out `git_revision`"),
            Self::NotARepository { .. } => Some("`git_revision` is for files of a git working tree"),
            Self::UnknownRevision { .. } => Some("a shallow clone lacks most commits: `git fetch --unshallow`"),
            Self::NoSuchFile { .. } => Some("`path` is where the file was at that commit, seen from database.toml"),
        }
    }
}

/// The number of symbolic links that are followed to a file at most.
const MOST_LINKS: usize = 40;

/// The maximum length of a symbolic link's target, in bytes.
const LONGEST_LINK: u64 = 4096;

/// Copies the file at an absolute path, as it was at a revision, to a temporary file without a name. Neither the file
/// nor its folder has to exist now. Symbolic links of the revision are followed.
pub(in crate::seed) async fn file(path: &Path, revision: &GitRevision) -> Result<File, GitError> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let copy = blob(&path, revision).await?;
        let Some(target) = link_target(&path, revision, &copy).await? else { return Ok(copy) };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    let message = "too many symbolic links".to_owned();
    Err(GitError::NoSuchFile { revision: revision.clone(), message })
}

/// Returns the target of a symbolic link of a revision; `None` for a file.
async fn link_target(path: &Path, revision: &GitRevision, copy: &File) -> Result<Option<PathBuf>, GitError> {
    let length = copy.metadata().map_err(GitError::Temporary)?.len();
    if length > LONGEST_LINK {
        return Ok(None);
    }
    let (folder, rest) = existing_folder(path);
    let listed = git(&folder, &["ls-tree", revision.as_str(), "--"], rest.as_os_str(), Stdio::piped()).await?;
    if !listed.stdout.starts_with(LINK_MODE) {
        return Ok(None);
    }
    let mut target = vec![0; usize::try_from(length).unwrap_or_default()];
    copy.read_exact_at(&mut target, 0).map_err(GitError::Temporary)?;
    Ok(Some(OsString::from_vec(target).into()))
}

/// The start of a symbolic link's line in the output of `git ls-tree`.
const LINK_MODE: &[u8] = b"120000 ";

/// Copies the blob at a path to a temporary file. The blob of a symbolic link is the link's target.
async fn blob(path: &Path, revision: &GitRevision) -> Result<File, GitError> {
    let (folder, rest) = existing_folder(path);
    let Some(id) = object_id(&folder, revision.as_str()).await? else {
        return Err(why_no_commit(folder, revision).await?);
    };
    let mut name = OsString::from(format!("{id}:./"));
    name.push(&rest);
    let copy = tempfile::tempfile().map_err(GitError::Temporary)?;
    let stdout = copy.try_clone().map_err(GitError::Temporary)?;
    let blob = git(&folder, &["cat-file", "blob"], &name, stdout.into()).await?;
    if blob.status.success() {
        return Ok(copy);
    }
    // `git rev-parse` accepts every complete ID, even if there is no object with this ID.
    if object_id(&folder, &format!("{id}^{{commit}}")).await?.is_none() {
        return Err(why_no_commit(folder, revision).await?);
    }
    Err(GitError::NoSuchFile { revision: revision.clone(), message: message(&blob) })
}

async fn object_id(folder: &Path, name: &str) -> Result<Option<String>, GitError> {
    let found = git(folder, &["rev-parse", "--verify", "--quiet"], OsStr::new(name), Stdio::piped()).await?;
    Ok(found.status.success().then(|| String::from_utf8_lossy(&found.stdout).trim().to_owned()))
}

/// Splits a path into the deepest of its parent folders that exists, and the rest.
fn existing_folder(path: &Path) -> (PathBuf, PathBuf) {
    let mut folder = path;
    while let Some(parent) = folder.parent() {
        folder = parent;
        if folder.is_dir() {
            break;
        }
    }
    let mut rest = PathBuf::new();
    for component in path.strip_prefix(folder).unwrap_or(path).components() {
        match component {
            Component::ParentDir => {
                rest.pop();
            }
            other => rest.push(other),
        }
    }
    (folder.to_owned(), rest)
}

async fn why_no_commit(folder: PathBuf, revision: &GitRevision) -> Result<GitError, GitError> {
    let found = git(&folder, &["rev-parse"], OsStr::new("--git-dir"), Stdio::piped()).await?;
    if found.status.success() {
        return Ok(GitError::UnknownRevision { revision: revision.clone(), folder });
    }
    Ok(GitError::NotARepository { folder, message: message(&found) })
}

async fn git(folder: &Path, arguments: &[&str], last: &OsStr, stdout: Stdio) -> Result<Output, GitError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).arg(last);
    for variable in REPOSITORY_VARIABLES {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(GitError::Start)?;
    child.wait_with_output().await.map_err(GitError::Start)
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("fatal: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_the_deepest_folder_that_exists() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("db")).unwrap();
        let split = |path: &str| {
            let (folder, rest) = existing_folder(&root.path().join(path));
            (folder.strip_prefix(root.path()).unwrap().to_owned(), rest)
        };
        assert_eq!(split("db/a.sql"), ("db".into(), "a.sql".into()));
        assert_eq!(split("db/../db/a.sql"), ("db/../db".into(), "a.sql".into()));
        assert_eq!(split("gone/deep/a.sql"), ("".into(), "gone/deep/a.sql".into()));
        assert_eq!(split("gone/../a.sql"), ("".into(), "a.sql".into()));
    }
}
