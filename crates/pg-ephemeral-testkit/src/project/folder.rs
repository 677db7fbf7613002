//! [`Project`]: a temporary folder with everything that its commands read or write, and their environment.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::redact::Redactions;
use crate::support::must;
use crate::support::short_folder::create_short_folder;

/// The environment variable that keeps the folders of projects. If it is set to any value, each project prints the path
/// of its folder and does not remove the folder.
pub const KEEP_VARIABLE: &str = "PG_EPHEMERAL_KEEP_LEFTOVERS";

/// The variables of the caller's environment that commands inherit.
const INHERITED: &str = "\
    PATH PG_EPHEMERAL_BIN_DIR DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG CONTAINER_HOST \
    CONTAINER_CONNECTION LLVM_PROFILE_FILE RUST_BACKTRACE TERM";

/// A temporary folder with everything that its commands read or write. [`project()`] creates one.
#[derive(Debug)]
pub struct Project {
    binary: PathBuf,
    root: Root,
    variables: Vec<(String, PathBuf)>,
    redactions: Redactions,
    cleanup: Vec<fn(&Path)>,
}

/// The folder of a project, which is removed with the project or kept.
#[derive(Debug)]
enum Root {
    Passing(TempDir),
    Kept(PathBuf),
}

/// Creates an empty project whose commands run this binary.
///
/// ```
/// let project = pg_ephemeral_testkit::project("/bin/sh").file("greeting", "hello\n");
/// project.command(["-c", "cat greeting; exit 3"]).run().status(3).stdout("hello\n").stderr("");
/// ```
#[track_caller]
pub fn project(binary: impl Into<PathBuf>) -> Project {
    let made = must(create_short_folder("pge-"), "make a temporary folder");
    let root = if std::env::var_os(KEEP_VARIABLE).is_some() {
        let kept = made.keep();
        eprintln!("the project stays at {}", kept.display());
        Root::Kept(kept)
    } else {
        Root::Passing(made)
    };
    let mut redactions = Redactions::default();
    redactions.add(&root.path().to_string_lossy(), "[ROOT]");
    let project = Project { binary: binary.into(), root, variables: Vec::new(), redactions, cleanup: Vec::new() };
    // Servers of another user need access to folders below.
    must(fs::set_permissions(project.root(), Permissions::from_mode(0o755)), "open the project's folder");
    for name in ["work", "home", "state", "config", "cache", "run", "t"] {
        must(fs::create_dir(project.root().join(name)), "make the project's folders");
    }
    must(fs::set_permissions(project.root().join("run"), Permissions::from_mode(0o700)), "close the run folder");
    project.with_variables()
}

impl Root {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Project {
    fn with_variables(mut self) -> Self {
        let root = self.root().to_owned();
        self.variables = [
            ("HOME", "home"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "t"),
        ]
        .map(|(name, folder)| (name.to_owned(), root.join(folder)))
        .to_vec();
        self
    }

    /// Gives commands access to the engines of the current user. Engines of a user other than root find their images by
    /// `HOME`, `XDG_RUNTIME_DIR` and `XDG_DATA_HOME`, so these variables are inherited. For root this changes nothing.
    #[must_use]
    pub fn with_the_users_engines(mut self) -> Self {
        if !rustix::process::geteuid().is_root() {
            self.variables.retain(|(name, _)| !matches!(name.as_str(), "HOME" | "XDG_RUNTIME_DIR"));
            for name in ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"] {
                self.variables.extend(std::env::var_os(name).map(|value| (name.to_owned(), PathBuf::from(value))));
            }
        }
        self
    }

    /// Adds a file to the working folder.
    #[must_use]
    #[track_caller]
    pub fn file(self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    /// Adds `database.toml` to the working folder.
    #[must_use]
    #[track_caller]
    pub fn database_toml(self, text: &str) -> Self {
        self.file("database.toml", text)
    }

    /// Sets an environment variable for every command.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.to_owned(), PathBuf::from(value.as_ref())));
        self
    }

    /// Puts a program at the front of `PATH` under the given name.
    #[must_use]
    #[track_caller]
    pub fn program(self, name: &str, program: impl AsRef<Path>) -> Self {
        let folder = self.programs();
        must(fs::create_dir_all(&folder), "make the folder of programs");
        must(symlink(program, folder.join(name)), "put a program on PATH");
        self
    }

    /// Replaces a text in output by another, such as `[NAME]`, before the output is compared.
    #[must_use]
    pub fn redact_text(mut self, text: &str, shown: &str) -> Self {
        self.redactions.add(text, shown);
        self
    }

    /// Writes a file in the working folder.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.folder().join(path);
        if let Some(parent) = path.parent() {
            must(fs::create_dir_all(parent), "make the file's folder");
        }
        must(fs::write(&path, text), "write the project's file");
    }

    /// Returns the project's root folder, which has all other folders. In compared output it is shown as `[ROOT]`.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the working folder.
    pub fn folder(&self) -> PathBuf {
        self.root().join("work")
    }

    /// Returns the state folder, `XDG_STATE_HOME`.
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// Returns the configuration folder, `XDG_CONFIG_HOME`.
    pub fn config(&self) -> PathBuf {
        self.root().join("config")
    }

    /// Returns the folder of temporary files, `TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.root().join("t")
    }

    /// Returns the binary that commands run.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Returns the complete environment of the project's commands. If a name occurs more than once, the last value
    /// counts.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let inherited =
            INHERITED.split_whitespace().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let fixed = [("LANG", "C.UTF-8"), ("TZ", "UTC")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = self.variables.iter().map(|(name, path)| (name.clone(), text(path)));
        let mut all: Vec<(String, String)> = inherited.chain(fixed).chain(own).collect();
        self.put_own_programs_first(&mut all);
        all
    }

    fn programs(&self) -> PathBuf {
        self.root().join("programs")
    }

    /// Puts the project's programs at the front of `PATH`. The last `PATH` of the environment counts.
    fn put_own_programs_first(&self, variables: &mut [(String, String)]) {
        let folder = self.programs();
        if !folder.is_dir() {
            return;
        }
        if let Some((_, path)) = variables.iter_mut().rev().find(|(name, _)| name == "PATH") {
            *path = format!("{}:{path}", folder.display());
        }
    }

    /// Calls `clean_up` with the root folder when the project is dropped.
    #[cfg(feature = "fakes")]
    pub(crate) fn at_end(mut self, clean_up: fn(&Path)) -> Self {
        self.cleanup.push(clean_up);
        self
    }

    /// Replaces the texts that are known to differ between runs.
    pub(super) fn redact(&self, text: &str) -> String {
        self.redactions.known(text)
    }

    /// Returns a listing of the files in the project, without the content of host images.
    pub(super) fn listing(&self) -> String {
        let mut listing = String::new();
        list(self.root(), self.root(), &mut listing);
        listing
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        for clean_up in &self.cleanup {
            clean_up(self.root());
        }
    }
}

fn list(root: &Path, folder: &Path, listing: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    for path in paths {
        // Writing to a string can't fail.
        let _ = writeln!(listing, "  {}", path.strip_prefix(root).unwrap_or(&path).display());
        let is_folder = path.symlink_metadata().is_ok_and(|entry| entry.is_dir());
        if is_folder && path.file_name().is_none_or(|name| name != "root") {
            list(root, &path, listing);
        }
    }
}
