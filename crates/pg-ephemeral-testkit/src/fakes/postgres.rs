//! A fake of PostgreSQL's official image whose containers run a real server. The programs are those of this machine,
//! and the files and sockets that they create are among the files of the container. There is no real container, so
//! paths of the container are converted to paths of this machine when a process is started.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::host_image::{FindError, Installation, Installations};
use pg_ephemeral_core::locale;
use rustix::process::Signal;

use super::files::in_container;
use super::image::{FakeImage, ServerImage};
use super::state::{Config, Port};
use crate::support::base_layer;

/// The user that runs the server in the official image.
pub(super) const USER: &str = "postgres";
/// The port of a server in a container.
const PORT: u16 = 5432;
/// The folder of the server's socket in a container, and the name of the socket in that folder.
const SOCKETS: &str = "/var/run/postgresql";
const SOCKET: &str = ".s.PGSQL.5432";
/// The environment variables with the address and the port at which the server's port is published. They are set if the
/// server is the first process of its container.
const ADDRESS_VARIABLE: &str = "FAKE_ENGINE_ADDRESS";
const PORT_VARIABLE: &str = "FAKE_ENGINE_PORT";

/// The entrypoint script, with the behaviour of the official one that callers rely on. `CLUSTERS` is replaced by a
/// folder with clusters that can be copied instead of created again, or by nothing.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -eu
[ "${1-}" = postgres ] || exec "$@"
shift
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD-}" ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    umask 077
    mkdir -p "$PGDATA"
    clusters='CLUSTERS'
    # A name in that folder: whatever holds another one is made anew.
    case $user${POSTGRES_INITDB_ARGS-} in */*) clusters= ;; esac
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    made="$clusters/$user ${LANG-} $method ${POSTGRES_INITDB_ARGS-}"
    if [ -n "$clusters" ] && [ -d "$made" ]; then
        cp -a "$made/." "$PGDATA"
        password=$(printf '%s' "$POSTGRES_PASSWORD" | sed "s/'/''/g")
        name=$(printf '%s' "$user" | sed 's/"/""/g')
        printf "ALTER ROLE \"%s\" PASSWORD '%s'" "$name" "$password" | postgres --single -D "$PGDATA" postgres >/dev/null
    else
        printf '%s\n' "$POSTGRES_PASSWORD" >"$PGDATA.password"
        # As in the official image, whoever connects over the loopback device is trusted unless an argument says otherwise.
        # Its locale is that of LANG.
        initdb --username="$user" --pwfile="$PGDATA.password" --encoding=UTF8 ${POSTGRES_INITDB_ARGS-} >/dev/null
        rm "$PGDATA.password"
        printf 'host all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
        if [ -n "$clusters" ]; then
            { cp -a "$PGDATA" "$made.$$" && mv -T "$made.$$" "$made"; } 2>/dev/null || rm -rf "$made.$$"
        fi
    fi
    if [ "$database" != postgres ]; then
        name=$(printf '%s' "$database" | sed 's/"/""/g')
        printf 'CREATE DATABASE "%s"' "$name" | postgres --single -D "$PGDATA" postgres >/dev/null
    fi
fi
unset POSTGRES_PASSWORD
exec postgres "$@"
"#;

/// The script that starts the server. `BIN` is replaced by the folder of PostgreSQL's programs. The server listens on a
/// socket in its container, and on the published port of this machine.
const SERVER: &str = r#"#!/bin/sh
case ${1-} in
--single | --boot | --check | --describe-config | --version | -V | --help | -C) exec 'BIN/postgres' "$@" ;;
esac
# In a container a lock file can only be an earlier server's, which had the same number: here it had another.
if [ -n "${FAKE_ENGINE_PORT+set}" ] && [ -n "${PGDATA-}" ]; then
    rm -f "$PGDATA/postmaster.pid"
fi
port=${FAKE_ENGINE_PORT-5432}
sockets=${0%/usr/local/bin/*}/var/run/postgresql
if [ "$port" != 5432 ]; then
    ln -sf ".s.PGSQL.$port" "$sockets/.s.PGSQL.5432"
fi
exec 'BIN/postgres' -c unix_socket_directories="$sockets" "$@" \
    -c listen_addresses="${FAKE_ENGINE_ADDRESS-}" -c port="$port" -c dynamic_shared_memory_type=mmap
"#;

/// The folder of devices in a container, relative to its root. Commits leave it out.
pub(super) const DEVICES: &str = "dev";

/// Returns an image of the newest PostgreSQL of this machine. `folder` is the state folder for data on installations.
pub(super) fn image(folder: &Path) -> Result<FakeImage, FindError> {
    let folders = Folders::at(folder);
    let installations = Installations::find(&folders)?;
    let installation = installations.pick(None)?;
    let major = installation.major();
    let clusters = base_layer::clusters().unwrap_or_default();
    let mut image = FakeImage::postgres(&major.to_string())
        .variable("PG_VERSION", &installation.version)
        .variable("PATH", &path_of(installation))
        .variable("LANG", &locale::default_of_host(&folders))
        .file("/usr/local/bin/docker-entrypoint.sh", &ENTRYPOINT.replace("CLUSTERS", &clusters.to_string_lossy()))
        .file("/usr/local/bin/postgres", &SERVER.replace("BIN", &installation.bin.to_string_lossy()));
    image.programs.clear();
    let folders = ["/tmp", "/usr/local/bin", "/var/lib", SOCKETS];
    image.server = Some(ServerImage { folders: folders.map(str::to_owned).to_vec() });
    Ok(image)
}

fn path_of(installation: &Installation) -> String {
    format!("/usr/local/bin:{}:/usr/bin:/bin", installation.bin.display())
}

/// Returns the user and group ID for the server if this process runs as root, because PostgreSQL refuses to run as
/// root.
pub(super) fn user() -> (u32, u32) {
    let user = ["postgres", "nobody"].into_iter().find_map(ociman::host::find_user);
    user.map_or((65534, 65534), |user| (user.uid, user.gid))
}

/// Returns the signal that ends a server at once. A server that is killed by SIGKILL leaves shared memory behind.
pub(super) fn removal_signal(config: &Config) -> Option<Signal> {
    config.server.as_ref().map(|_| Signal::QUIT)
}

/// Returns the variables that tell the server at which published address to listen. If its port is not published, the
/// server listens on its socket only.
pub(super) fn published(config: &Config, ports: &[Port]) -> BTreeMap<String, String> {
    if config.server.is_none() {
        return BTreeMap::new();
    }
    let published = ports.iter().find(|port| port.inside == PORT).map(|port| port.published);
    let address = published.map(|published| published.ip().to_string()).unwrap_or_default();
    let port = published.map_or(PORT, |published| published.port());
    [(ADDRESS_VARIABLE.to_owned(), address), (PORT_VARIABLE.to_owned(), port.to_string())].into()
}

/// Converts the container's own paths to paths of this machine, in the environment and in the arguments, and returns
/// the arguments.
pub(super) fn localize(config: &mut Config, root: &Path, mounts: &[PathBuf], argv: &[String]) -> Vec<String> {
    let argv: Vec<String> = argv.iter().map(|word| in_memory(word, root)).collect();
    let Some(server) = &config.server else { return argv };
    let argv: Vec<String> = argv.iter().map(|word| link_sockets(word, root)).collect();
    // Below `/dev` only the shared memory is the container's own, which `in_memory` handles.
    let mounts = mounts.iter().filter(|mount| mount.as_path() != Path::new(DEVICES));
    let mounts = mounts.map(|mount| Path::new("/").join(mount).to_string_lossy().into_owned());
    let folders: Vec<String> = server.folders.iter().cloned().chain(mounts).collect();
    for variable in &mut config.environment {
        *variable = local(variable, root, &folders);
    }
    argv.iter().map(|word| local(word, root, &folders)).collect()
}

/// Replaces sockets in mounted folders by symbolic links to the socket in the container, because a server of another
/// user may have no access to a mounted folder. Returns the argument without the mounted folders.
fn link_sockets(word: &str, root: &Path) -> String {
    const SETTING: &str = "unix_socket_directories=";
    let Some(folders) = word.strip_prefix(SETTING) else { return word.to_owned() };
    let is_own = |folder: &&str| {
        let folder = root.join(in_container(folder));
        if !folder.is_symlink() {
            return true;
        }
        // The link already exists if the server was started before.
        let made = symlink(root.join(in_container(SOCKETS)).join(SOCKET), folder.join(SOCKET));
        made.is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists)
    };
    let mut own: Vec<&str> = folders.split(',').filter(is_own).collect();
    if own.is_empty() {
        own.push(SOCKETS);
    }
    format!("{SETTING}{}", own.join(","))
}

/// Converts an argument that is a path below `/dev/shm` to a folder of the container, because each container has its
/// own shared memory. Paths within longer arguments are left as they are.
fn in_memory(word: &str, root: &Path) -> String {
    match word.strip_prefix("/dev/shm/") {
        Some(path) => {
            let memory = root.join(DEVICES).join("shm");
            // If the folder can't be created, the process fails when it uses the path.
            let _ =
                fs::create_dir_all(&memory).and_then(|()| fs::set_permissions(&memory, Permissions::from_mode(0o1777)));
            memory.join(path).to_string_lossy().into_owned()
        }
        None => word.to_owned(),
    }
}

/// Moves every path in a text that is in one of these folders below `root`.
fn local(text: &str, root: &Path, folders: &[String]) -> String {
    let goes_on = |character: char| character.is_alphanumeric() || "._-".contains(character);
    let mut moved = String::new();
    let mut rest = text;
    while let Some(slash) = rest.find('/') {
        let (before, path) = rest.split_at(slash);
        moved.push_str(before);
        let end = path.find(|character| character != '/' && !goes_on(character)).unwrap_or(path.len());
        let (path, after) = path.split_at(end);
        let is_start = !moved.ends_with(goes_on);
        let is_below = |folder: &&String| {
            path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if is_start && folders.iter().any(|folder| is_below(&folder)) {
            moved.push_str(&root.to_string_lossy());
        }
        moved.push_str(path);
        rest = after;
    }
    moved + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(text: &str) -> String {
        local(text, Path::new("/r"), &["/tmp".to_owned(), "/var/run/postgresql".to_owned()])
    }

    #[test]
    fn paths_below_the_containers_own_folders_are_moved_anywhere_in_a_text() {
        assert_eq!(moved("/tmp"), "/r/tmp");
        assert_eq!(moved("mkfifo -m 600 /tmp/.p && read x </tmp/.p"), "mkfifo -m 600 /r/tmp/.p && read x </r/tmp/.p");
        assert_eq!(
            moved("unix_socket_directories=/var/run/postgresql,/tmp"),
            "unix_socket_directories=/r/var/run/postgresql,/r/tmp"
        );
        assert_eq!(moved("PATH=/tmp:/usr/bin"), "PATH=/r/tmp:/usr/bin");
    }

    #[test]
    fn a_path_in_shared_memory_is_moved_to_the_container() {
        let root = tempfile::tempdir().unwrap();
        let moved = root.path().join("dev/shm/.mark");
        assert_eq!(in_memory("/dev/shm/.mark", root.path()), moved.to_string_lossy());
        assert!(moved.parent().unwrap().is_dir());
        for word in ["/dev/shm", "config_file=/dev/shm/x", "/dev/shmx/y", ""] {
            assert_eq!(in_memory(word, root.path()), word);
        }
    }

    #[test]
    fn a_socket_in_a_mounted_folder_is_a_link_to_the_socket_in_the_container() {
        let (root, mounted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(root.path().join("var/run/postgresql")).unwrap();
        symlink(mounted.path(), root.path().join("shared")).unwrap();
        for _ in 0..2 {
            let word = link_sockets("unix_socket_directories=/var/run/postgresql,/shared", root.path());
            assert_eq!(word, "unix_socket_directories=/var/run/postgresql");
        }
        let link = fs::read_link(mounted.path().join(SOCKET)).unwrap();
        assert_eq!(link, root.path().join("var/run/postgresql").join(SOCKET));
        let alone = link_sockets("unix_socket_directories=/shared", root.path());
        assert_eq!(alone, "unix_socket_directories=/var/run/postgresql");
        assert_eq!(link_sockets("port=1", root.path()), "port=1");
    }

    #[test]
    fn other_paths_are_not_moved() {
        for text in ["/tmpfs", "/var/tmp/x", "a/tmp", "/var/run", "https://host/tmp", "", "//tmp"] {
            assert_eq!(moved(text), text);
        }
    }
}
