//! PostgreSQL images on the host backend: finds the server programs that are installed, and describes how the host
//! backend runs them. This module starts no server.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cmd_lib::run_fun;
use ociman::command::UserIds;
use ociman::host::{HostImageConfig, RunAs, find_user};
use ociman::{Reference, Tag};
use serde::{Deserialize, Serialize};

use crate::io::child::check_that_threads_start;
use crate::model::Image;
use crate::state::Folders;
use crate::state::folders::write_whole;

/// The environment variable that names the folder of PostgreSQL's programs.
pub const BIN_DIR_VARIABLE: &str = "PG_EPHEMERAL_BIN_DIR";

/// The locale of messages that server programs print before they read a cluster's settings. It makes them English on
/// every machine.
const MESSAGES: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };

/// An installation of PostgreSQL on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installation {
    /// The folder of the programs.
    pub bin: PathBuf,
    /// The version, such as `17.2`, `15.18` or `18rc1`.
    pub version: String,
    /// The BLAKE3 hash of the server program, in hex. A cluster that one build has initialised is not used by another
    /// build.
    pub build: String,
}

/// All installations of PostgreSQL on this machine, the newest first.
#[derive(Debug, Clone)]
pub struct Installations {
    all: Vec<Installation>,
}

/// An error while looking for a PostgreSQL that the host backend can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No PostgreSQL server is installed.
    #[error("no PostgreSQL server programs found in {}", searched.join(", "))]
    NothingInstalled {
        /// The places that were searched.
        searched: Vec<String>,
    },
    /// The image asks for a version that is not installed.
    #[error("PostgreSQL {wanted} is not installed on this machine: there is {}", installed.join(", "))]
    NotInstalled {
        /// The version.
        wanted: String,
        /// The versions that are installed.
        installed: Vec<String>,
    },
    /// The image can only be run by Docker or Podman.
    #[error("the host backend can't run the image {image}: {reason}")]
    NotOfHost {
        /// The image.
        image: String,
        /// The reason.
        reason: &'static str,
    },
    /// The version of a server program could not be read.
    #[error("failed to get the version of {}", path.display())]
    Version {
        /// The program.
        path: PathBuf,
        /// The underlying I/O error.
        #[source]
        source: io::Error,
    },
}

impl FindError {
    /// Returns what the user can do about the error, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingInstalled { .. } => Some(format!(
                "install PostgreSQL's server (Debian: `apt-get install postgresql`), or name its folder in {BIN_DIR_VARIABLE}"
            )),
            Self::NotInstalled { installed, .. } => Some(format!(
                "install it, use docker or podman, or ask for an installed one: --image {}",
                installed.first().map(|version| major_of(version).to_string()).unwrap_or_default()
            )),
            Self::NotOfHost { .. } => Some("use docker or podman for it".to_owned()),
            Self::Version { .. } => None,
        }
    }
}

impl Installations {
    /// Finds the installed servers. If `PG_EPHEMERAL_BIN_DIR` is set, only that folder is searched. Different the
    /// search covers `PATH` and the usual folders of Debian, Red Hat, Homebrew and Postgres.app, and if there is no
    /// server, the folder that `pg_config` reports.
    ///
    /// The versions are remembered in the state folder, which makes the next search faster.
    ///
    /// # Errors
    /// Returns [`FindError::NothingInstalled`] if there is no server, and [`FindError::Version`] if the version of one
    /// can't be read.
    pub fn find(folders: &Folders) -> Result<Self, FindError> {
        let mut known = Known::read(folders);
        let found = Self::ask(&mut known);
        known.write(folders);
        found
    }

    /// Finds the installed servers like [`Installations::find`], but writes nothing to the state folder.
    ///
    /// # Errors
    /// Returns the same errors as [`Installations::find`].
    pub fn look(folders: &Folders) -> Result<Self, FindError> {
        Self::ask(&mut Known::read(folders))
    }

    fn ask(known: &mut Known) -> Result<Self, FindError> {
        let (candidates, searched) = candidates();
        let mut all = Vec::new();
        for bin in candidates {
            let path = bin.join("postgres");
            all.push(known.ask(&bin).map_err(|source| FindError::Version { path, source })?);
        }
        if all.is_empty() {
            return Err(FindError::NothingInstalled { searched });
        }
        all.sort_by_key(|found| Reverse(sort_key(&found.version)));
        Ok(Self { all })
    }

    /// Returns all installations, the newest first.
    pub fn all(&self) -> &[Installation] {
        &self.all
    }

    /// Returns the newest installation that matches an image, or the newest of all if `image` is `None`.
    ///
    /// # Errors
    /// Returns [`FindError::NotInstalled`] if no installation has the version, and [`FindError::NotOfHost`] if the
    /// image has a digest or is not PostgreSQL's official image.
    pub fn pick(&self, image: Option<&Image>) -> Result<&Installation, FindError> {
        let wanted = match image {
            None => None,
            Some(image) => wanted_version(image)?,
        };
        let fitting = |installation: &&Installation| match &wanted {
            None => true,
            Some(wanted) => fits(&installation.version, wanted),
        };
        self.all.iter().find(fitting).ok_or_else(|| FindError::NotInstalled {
            wanted: wanted.clone().unwrap_or_default(),
            installed: self.all.iter().map(|installation| installation.version.clone()).collect(),
        })
    }
}

/// Returns the version that an image asks for; `None` for `latest`.
fn wanted_version(image: &Image) -> Result<Option<String>, FindError> {
    let not_of_host = |reason| FindError::NotOfHost { image: image.to_string(), reason };
    if image.reference().digest().is_some() {
        return Err(not_of_host("a digest names files of a registry"));
    }
    if image.is_latest() {
        return Ok(None);
    }
    match (image.official_major(), image.reference().tag()) {
        // In a tag of the official image, the operating system follows the first dash.
        (Some(_), Some(tag)) => Ok(Some(tag.as_str().split('-').next().unwrap_or_default().to_owned())),
        _ => Err(not_of_host("only PostgreSQL's official image stands for what is installed")),
    }
}

/// Returns `true` if the installed version is the wanted one: `17` stands for every 17, `17.2` only for itself.
fn fits(installed: &str, wanted: &str) -> bool {
    installed == wanted
        || installed.strip_prefix(wanted).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Returns the first number of a version; 0 if there is none.
pub(crate) fn major_of(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Returns a key that sorts `18rc1` before `18.0`, and `9.6` before `15.2`.
fn sort_key(version: &str) -> (u32, bool, u32) {
    let rest = version.trim_start_matches(|character: char| character.is_ascii_digit());
    let minor: String = rest.chars().skip_while(|character| !character.is_ascii_digit()).collect();
    (major_of(version), !rest.starts_with(char::is_alphabetic), major_of(&minor))
}

fn candidates() -> (Vec<PathBuf>, Vec<String>) {
    if let Some(folder) = std::env::var_os(BIN_DIR_VARIABLE).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        let searched = vec![format!("{} ({BIN_DIR_VARIABLE})", folder.display())];
        return (is_server_folder(&folder).then_some(folder).into_iter().collect(), searched);
    }
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    for (parent, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        folders.extend(
            children(Path::new(parent))
                .into_iter()
                .filter(|child| is_postgres_folder(parent, child))
                .map(|child| child.join(below)),
        );
    }
    if !folders.iter().any(|folder| is_server_folder(folder)) {
        folders.extend(
            check_that_threads_start().and_then(|()| run_fun!(pg_config --bindir 2>/dev/null)).ok().map(PathBuf::from),
        );
    }
    let searched =
        ["PATH", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "Homebrew", "Postgres.app", "pg_config --bindir"];
    let mut seen = BTreeSet::new();
    folders.retain(|folder| is_server_folder(folder));
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| real_folder(folder)).collect();
    folders.retain(|folder| seen.insert(folder.clone()));
    (folders, searched.map(str::to_owned).to_vec())
}

/// Returns the folder that the links in a folder point to, because a folder of links may lack some of the programs.
fn real_folder(folder: &Path) -> PathBuf {
    let program = fs::canonicalize(folder.join("postgres")).ok();
    let real = program.as_deref().and_then(Path::parent).filter(|real| is_server_folder(real));
    real.unwrap_or(folder).to_owned()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn is_postgres_folder(parent: &str, child: &Path) -> bool {
    let name = child.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match parent {
        "/usr" => name.starts_with("pgsql-"),
        "/opt/homebrew/opt" | "/usr/local/opt" => name.starts_with("postgresql"),
        _ => true,
    }
}

fn is_server_folder(folder: &Path) -> bool {
    folder.join("postgres").is_file() && folder.join("initdb").is_file()
}

/// The versions of server programs that earlier commands have read. Starting a program only to read its version takes
/// 10 ms.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    programs: Vec<KnownProgram>,
    #[serde(skip)]
    changed: bool,
}

#[derive(Clone, Serialize, Deserialize)]
struct KnownProgram {
    bin: PathBuf,
    stamp: [i64; 5],
    version: String,
    build: String,
}

impl Known {
    fn path(folders: &Folders) -> PathBuf {
        folders.state().join("installations.json")
    }

    fn read(folders: &Folders) -> Self {
        // If the file is missing or broken, the versions are read again.
        ociman::files::read(&Self::path(folders))
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    fn write(&self, folders: &Folders) {
        if !self.changed || folders.state_folder("").is_err() {
            return;
        }
        // If this fails, only the next command is slower.
        let _ =
            serde_json::to_vec(self).map_err(io::Error::from).and_then(|json| write_whole(&Self::path(folders), &json));
    }

    fn ask(&mut self, bin: &Path) -> io::Result<Installation> {
        let program = bin.join("postgres");
        let metadata = fs::metadata(&program)?;
        let stamp = [
            metadata.dev().cast_signed(),
            metadata.ino().cast_signed(),
            metadata.size().cast_signed(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        ];
        let known = self.programs.iter().find(|known| known.bin == bin && known.stamp == stamp).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let asked = KnownProgram {
                    bin: bin.to_owned(),
                    stamp,
                    version: version_of(&program)?,
                    build: hash_of(&program)?,
                };
                self.programs.retain(|known| known.bin != bin);
                self.programs.push(asked.clone());
                self.changed = true;
                asked
            }
        };
        Ok(Installation { bin: known.bin, version: known.version, build: known.build })
    }
}

/// Returns the version that a server program prints, as in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_of(program: &Path) -> io::Result<String> {
    check_that_threads_start()?;
    let text = run_fun!($program --version)?;
    let version = text.split_whitespace().nth(2);
    version.map(str::to_owned).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("it says {text:?}")))
}

fn hash_of(program: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(program)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

impl Installation {
    /// Returns the first number of the version.
    pub fn major(&self) -> u32 {
        major_of(&self.version)
    }

    /// Returns the name of the installation's base image on the host backend.
    pub(crate) fn reference(&self) -> Option<Reference> {
        let tag: Tag = format!("{}-{}", self.version, self.build.get(..16)?).parse().ok()?;
        let name: Reference = "localhost/postgres".parse().ok()?;
        Some(name.with_tag(tag))
    }

    /// Returns how the host backend runs this installation. PostgreSQL refuses to run as root, so if the caller is root
    /// it runs as `postgres`, or else as `nobody`. `LC_ALL` does not affect how text is sorted, because that is a
    /// setting of the cluster.
    pub(crate) fn config(&self) -> HostImageConfig {
        let mut config = HostImageConfig::new([self.bin.join("postgres").to_string_lossy().into_owned()]);
        config.environment =
            vec![("PGDATA".to_owned(), "{root}/data".to_owned()), ("LC_ALL".to_owned(), MESSAGES.to_owned())];
        config.stop_signal = "SIGINT".to_owned();
        config.removal_signal = "SIGQUIT".to_owned();
        config.diff_ids = vec![self.build.clone()];
        config.run_as = run_as();
        config
    }
}

fn run_as() -> RunAs {
    if !rustix::process::geteuid().is_root() {
        return RunAs::Caller;
    }
    let user = find_user("postgres").or_else(|| find_user("nobody"));
    RunAs::User(user.unwrap_or(UserIds { uid: 65534, gid: 65534 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(versions: &[&str]) -> Installations {
        let mut all: Vec<_> = versions
            .iter()
            .map(|version| Installation { bin: "/x".into(), version: (*version).to_owned(), build: "0".repeat(64) })
            .collect();
        all.sort_by_key(|found| Reverse(sort_key(&found.version)));
        Installations { all }
    }

    fn picked(installations: &Installations, image: &str) -> Option<String> {
        installations.pick(Some(&image.parse().unwrap())).ok().map(|found| found.version.clone())
    }

    #[test]
    fn a_major_version_picks_its_newest_release_and_latest_the_newest_of_all() {
        let installations = installed(&["9.6.24", "15.2", "15.18", "16.1", "18rc1"]);
        assert_eq!(picked(&installations, "15").as_deref(), Some("15.18"));
        assert_eq!(picked(&installations, "15-alpine").as_deref(), Some("15.18"));
        assert_eq!(picked(&installations, "9.6").as_deref(), Some("9.6.24"));
        assert_eq!(picked(&installations, "latest").as_deref(), Some("18rc1"));
    }

    #[test]
    fn a_minor_version_picks_only_itself() {
        let installations = installed(&["15.2", "15.18"]);
        assert_eq!(picked(&installations, "15.2").as_deref(), Some("15.2"));
        assert_eq!(picked(&installations, "15.1"), None);
    }

    #[test]
    fn the_error_for_a_missing_major_version_lists_the_installed_versions() {
        let error = installed(&["15.18"]).pick(Some(&"17".parse().unwrap())).unwrap_err();
        assert_eq!(error.to_string(), "PostgreSQL 17 is not installed on this machine: there is 15.18");
        assert!(error.hint().unwrap().contains("--image 15"));
    }

    #[test]
    fn a_foreign_image_or_a_digest_is_refused() {
        let installations = installed(&["17.2"]);
        assert_eq!(picked(&installations, "ghcr.io/acme/postgis:17"), None);
        assert_eq!(picked(&installations, &format!("17@sha256:{}", "a".repeat(64))), None);
    }

    #[test]
    fn a_release_candidate_is_older_than_its_release() {
        assert!(sort_key("18rc1") < sort_key("18.0"));
        assert!(sort_key("17.9") < sort_key("17.10"));
    }
}
