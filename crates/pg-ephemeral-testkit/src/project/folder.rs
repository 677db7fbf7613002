//! [`Project`]: the folder with everything that a command may read or write, and its environment.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::redact::Redactions;
use crate::support::must;
use crate::support::short_folder::create_short_folder;

/// Set to any text, projects stay after their test for a look; each says where it is.
pub const KEEP_VARIABLE: &str = "PG_EPHEMERAL_KEEP_LEFTOVERS";

/// What is passed on of the caller's environment, when it is set.
const INHERITED: &str = "\
    PATH PG_EPHEMERAL_BIN_DIR DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG CONTAINER_HOST \
    CONTAINER_CONNECTION LLVM_PROFILE_FILE RUST_BACKTRACE TERM";

/// A temporary folder with everything that a command may read or write.
#[derive(Debug)]
pub struct Project {
    binary: PathBuf,
    root: Root,
    variables: Vec<(String, PathBuf)>,
    redactions: Redactions,
    cleanup: Vec<fn(&Path)>,
}

/// The folder of a project, which goes with it or is kept.
#[derive(Debug)]
enum Root {
    Passing(TempDir),
    Kept(PathBuf),
}

/// An empty project whose commands run this binary.
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
    // Servers of another user have to pass through.
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

    /// Lets commands reach the engines of a user who is not root, whose images are found by home and run folder.
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

    /// Sets a variable for every command.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.to_owned(), PathBuf::from(value.as_ref())));
        self
    }

    /// Puts a program on `PATH` under another name, before all others.
    #[must_use]
    #[track_caller]
    pub fn program(self, name: &str, program: impl AsRef<Path>) -> Self {
        let folder = self.programs();
        must(fs::create_dir_all(&folder), "make the folder of programs");
        must(symlink(program, folder.join(name)), "put a program on PATH");
        self
    }

    /// Shows a text as something else, such as `[NAME]`, whenever output is compared.
    #[must_use]
    pub fn redact_text(mut self, text: &str, shown: &str) -> Self {
        self.redactions.add(text, shown);
        self
    }

    /// Writes a file of the working folder.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.folder().join(path);
        if let Some(parent) = path.parent() {
            must(fs::create_dir_all(parent), "make the file's folder");
        }
        must(fs::write(&path, text), "write the project's file");
    }

    /// The folder of everything; `[ROOT]` in what is compared.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The working folder.
    pub fn folder(&self) -> PathBuf {
        self.root().join("work")
    }

    /// The state folder, `XDG_STATE_HOME`.
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// The folder of configuration, `XDG_CONFIG_HOME`.
    pub fn config(&self) -> PathBuf {
        self.root().join("config")
    }

    /// The folder of temporary files, `TMPDIR`.
    pub fn temporary(&self) -> PathBuf {
        self.root().join("t")
    }

    /// The binary that commands run.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The whole environment of the project's commands.
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

    /// The last one of a name counts.
    fn put_own_programs_first(&self, variables: &mut [(String, String)]) {
        let folder = self.programs();
        if !folder.is_dir() {
            return;
        }
        if let Some((_, path)) = variables.iter_mut().rev().find(|(name, _)| name == "PATH") {
            *path = format!("{}:{path}", folder.display());
        }
    }

    /// Has this done with the folder of everything when the project goes.
    #[cfg(feature = "fakes")]
    pub(crate) fn at_end(mut self, clean_up: fn(&Path)) -> Self {
        self.cleanup.push(clean_up);
        self
    }

    /// The same without what is known to differ between runs.
    pub(super) fn redact(&self, text: &str) -> String {
        self.redactions.known(text)
    }

    /// What there is in the project, without the content of host images.
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
        // Writing to a text does not fail.
        let _ = writeln!(listing, "  {}", path.strip_prefix(root).unwrap_or(&path).display());
        let is_folder = path.symlink_metadata().is_ok_and(|entry| entry.is_dir());
        if is_folder && path.file_name().is_none_or(|name| name != "root") {
            list(root, &path, listing);
        }
    }
}
