//! A file as it was at a git revision, from whatever folder of whatever working tree.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::model::seed::spec::GitRevision;

/// Variables by which git tells its hooks about one repository, which need not be the one of the file.
const REPOSITORY_VARIABLES: [&str; 5] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"];

/// Why a file of a git revision could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// git could not be started.
    #[error("start git")]
    Start(#[source] io::Error),
    /// The temporary file for the file's content could not be made.
    #[error("failed to make a temporary file")]
    Temporary(#[source] io::Error),
    /// The file is in no repository.
    #[error("find the git repository of {}: {message}", folder.display())]
    NotARepository {
        /// The folder that was looked from.
        folder: PathBuf,
        /// What git said.
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
        /// What git said.
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

/// How many symbolic links lead to a file at the most.
const MOST_LINKS: usize = 40;

/// The longest path that a symbolic link holds, in bytes.
const LONGEST_LINK: u64 = 4096;

/// A file, by its absolute path, as it was at a revision: a copy without a name. The file need not exist now, nor need its
/// folder. Symbolic links of the revision are followed.
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

/// The path that a symbolic link of a revision holds; `None` for a file.
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

/// What the entry of a symbolic link starts with in a listing of git's.
const LINK_MODE: &[u8] = b"120000 ";

/// What git keeps for a path, which of a symbolic link is the path that it holds.
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
    // git takes every complete ID for one of an object, whether there is any.
    if object_id(&folder, &format!("{id}^{{commit}}")).await?.is_none() {
        return Err(why_no_commit(folder, revision).await?);
    }
    Err(GitError::NoSuchFile { revision: revision.clone(), message: message(&blob) })
}

async fn object_id(folder: &Path, name: &str) -> Result<Option<String>, GitError> {
    let found = git(folder, &["rev-parse", "--verify", "--quiet"], OsStr::new(name), Stdio::piped()).await?;
    Ok(found.status.success().then(|| String::from_utf8_lossy(&found.stdout).trim().to_owned()))
}

/// The deepest folder on the way to a path that there is, and the rest of the path.
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
    fn a_path_is_split_at_the_last_folder_that_is_there() {
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
