//! An ordinary user of this machine with a rootless Podman, created for a test. Dropping the value removes the user
//! with the home folder, the run-time folder and the images.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The image that the tests start from.
const IMAGE: &str = "docker.io/library/postgres:15";

/// A script that runs a program as the user. If only root can open `/dev/net/tun`, a copy of the device is mounted over
/// it in a mount namespace of the program's own.
const BECOME: &str = r#"#!/bin/sh
exec unshare --mount --propagation private sh -ec '
if test -e "$0/tun"; then mount --bind "$0/tun" /dev/net/tun; fi
user=$1; shift
exec setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all -- "$@"
' FOLDER USER "$@"
"#;

/// A user who is not root, with a rootless Podman.
pub struct Rootless {
    user: String,
    ids: (u32, u32),
    folder: TempDir,
}

impl Rootless {
    /// Creates the user. Returns `None` if ordinary users can't create user namespaces on this system, which a rootless
    /// engine needs.
    #[track_caller]
    pub fn new() -> Option<Self> {
        assert!(rustix::process::geteuid().is_root(), "only root can make a user");
        let folder = tempfile::Builder::new().prefix("pge-user-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let user = format!("pge{}", std::process::id());
        let home = folder.path().join("home");
        let mut add = Command::new("useradd");
        add.args(["--create-home", "--user-group", "--shell", "/bin/sh", "--home-dir"]).arg(&home).arg(&user);
        succeed(&mut add);
        let owner = fs::metadata(&home).unwrap();
        let rootless = Self { user, ids: (owner.uid(), owner.gid()), folder };
        rootless.prepare();
        let can = rootless.command("unshare").args(["--user", "true"]).output().unwrap();
        if !can.status.success() {
            eprintln!("left out: no user but root may make a namespace here: {}", String::from_utf8_lossy(&can.stderr));
            return None;
        }
        rootless.load_image();
        Some(rootless)
    }

    fn prepare(&self) {
        let run = self.run_folder();
        fs::create_dir(&run).unwrap();
        chown(&run, Some(self.ids.0), Some(self.ids.1)).unwrap();
        fs::set_permissions(&run, Permissions::from_mode(0o700)).unwrap();
        let is_open = |path: &str| fs::metadata(path).is_ok_and(|device| device.permissions().mode() & 0o006 == 0o006);
        if !is_open("/dev/net/tun") {
            let device = self.folder.path().join("tun");
            succeed(Command::new("mknod").arg("--mode=666").arg(device).args(["c", "10", "200"]));
        }
        let folder = self.folder.path().to_string_lossy();
        let text = BECOME.replace("FOLDER", &folder).replace("USER", &self.user);
        fs::write(self.become_path(), text).unwrap();
        fs::set_permissions(self.become_path(), Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the user ID and the group ID.
    pub fn ids(&self) -> (u32, u32) {
        self.ids
    }

    /// Returns the path of a program that runs its arguments as the user.
    pub fn become_path(&self) -> PathBuf {
        self.folder.path().join("become")
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Returns the variables by which the user's programs find images and the engine's run-time files.
    pub fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [("HOME", self.folder.path().join("home")), ("XDG_RUNTIME_DIR", self.run_folder())]
    }

    /// Copies a file to a folder that the user can read, and returns the path of the copy.
    pub fn copy_of(&self, file: &Path) -> PathBuf {
        let copy = self.folder.path().join(file.file_name().unwrap());
        if !copy.exists() {
            fs::copy(file, &copy).unwrap();
        }
        copy
    }

    /// Makes the user the owner of a folder and everything in it.
    pub fn give(&self, folder: &Path) {
        succeed(Command::new("chown").args(["--recursive", &format!("{0}:{0}", self.user)]).arg(folder));
    }

    /// Returns a command that runs a program as this user.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.become_path());
        command.arg(program).current_dir("/").stdin(Stdio::null());
        for name in ["DOCKER_HOST", "CONTAINER_HOST", "CONTAINER_CONNECTION", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        command.envs(self.variables());
        command
    }

    #[track_caller]
    fn load_image(&self) {
        let mut save = Command::new("podman").args(["save", "--quiet", IMAGE]).stdout(Stdio::piped()).spawn().unwrap();
        let mut load = self.command("podman");
        load.args(["load", "--quiet"]).stdin(save.stdout.take().unwrap());
        succeed(&mut load);
        assert!(save.wait().unwrap().success(), "podman has no {IMAGE}");
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Drop for Rootless {
    fn drop(&mut self) {
        // `userdel` could not remove files of subordinate users, and Podman's pause process would stay, so Podman
        // cleans both up first.
        for words in [&["system", "reset", "--force"][..], &["system", "migrate"]] {
            let _ = self.command("podman").args(words).output();
        }
        let _ = Command::new("userdel").args(["--force", "--remove", &self.user]).output();
        // Podman's lock file for this user.
        let _ = fs::remove_file(format!("/dev/shm/libpod_rootless_lock_{}", self.ids.0));
    }
}
