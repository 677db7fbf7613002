//! Counts what killed commands left behind: records, containers, partly written files, and sockets. Removes nothing.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ociman::Backend;

use super::finding::{Area, Finding, Level};
use crate::lifecycle::reap;
use crate::state::{Folders, folders, record};

/// How long a start may take. A server with a younger socket folder may not listen yet.
const START_TIME: Duration = Duration::from_secs(120);
const GC: &str = "`pg-ephemeral gc` removes them";

pub(super) async fn examine(folders: &Folders, backends: &[&Backend]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let records = record::left_behind(folders, SystemTime::now());
    findings.extend(counted("records", "servers of dead owners that are recorded", records.len(), GC));
    let unreadable = record::unreadable(folders);
    for path in unreadable {
        let subject = path.display().to_string();
        let finding = Finding::new(Area::Leftovers, subject, Level::Warning, "a record that can't be read");
        findings.push(finding.advice("remove it, unless another version of pg-ephemeral made it"));
    }
    for backend in backends {
        if backend.as_host().is_some_and(|host| !host.state_folder().exists()) {
            // Listing containers would create the folder.
            continue;
        }
        let subject = format!("containers on {}", backend.kind());
        match reap::garbage(folders, backend).await {
            Ok(garbage) => findings.extend(counted(
                &subject,
                "containers of dead owners, or of sessions whose server has ended",
                garbage.len(),
                GC,
            )),
            Err(error) => {
                let message = format!("can't be listed: {error}");
                findings.push(Finding::new(Area::Leftovers, subject, Level::Warning, message).advice("try again"));
            }
        }
        if let Some(host) = backend.as_host() {
            findings.extend(counted("working copies", "half-made files of killed commands", host.leftovers(), GC));
        }
    }
    let half_written = folders::half_written(folders);
    findings.extend(counted("state folder", "half-written files of killed commands", half_written, GC));
    for path in stale_sockets(folders) {
        let subject = path.display().to_string();
        let finding =
            Finding::new(Area::Leftovers, subject, Level::Warning, "the socket's folder of a server that is gone");
        findings.push(finding.advice(format!("`rm -r {}`", path.display())));
    }
    if findings.is_empty() {
        findings.push(Finding::new(Area::Leftovers, "all", Level::Ok, "nothing was left behind"));
    }
    findings
}

fn counted(subject: &str, what: &str, count: usize, advice: &str) -> Option<Finding> {
    (count > 0)
        .then(|| Finding::new(Area::Leftovers, subject, Level::Warning, format!("{count} {what}")).advice(advice))
}

/// Returns the socket folders that belong to no server. A server's record is written before its socket folder is
/// created and removed after it, so a folder without a record is a leftover. But the record may be in another state
/// folder than this one, so the folder must also be old and have no listening server.
fn stale_sockets(folders: &Folders) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Folders::sockets_path()).into_iter().flatten().flatten();
    let found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let known: BTreeSet<PathBuf> = record::folders_of(folders).collect();
    found.into_iter().filter(|path| !known.contains(path) && is_deserted(path)).collect()
}

fn is_deserted(folder: &Path) -> bool {
    let modified = folder.metadata().and_then(|metadata| metadata.modified()).ok();
    let is_old = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > START_TIME);
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    is_old && !entries.any(|entry| UnixStream::connect(entry.path()).is_ok())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes};
    use std::os::unix::net::UnixListener;

    use pg_ephemeral_testkit::FakeBackend;

    use super::*;
    use crate::model::Owner;

    #[tokio::test]
    async fn leftovers_of_dead_owners_are_counted_and_not_removed() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let servers = folders.state_folder("servers").unwrap();
        fs::write(servers.join("podman-x"), "garbage").unwrap();
        let dead = Owner { boot: "before".to_owned(), ..Owner::current() };
        let owner = serde_json::to_string(&dead).unwrap();
        let labels =
            [("pg-ephemeral.version", "1"), ("pg-ephemeral.owner", owner.as_str()), ("pg-ephemeral.nonce", "n")];
        let image = pg_ephemeral_testkit::FakeImage::postgres("17");
        let container = pg_ephemeral_testkit::FakeContainer::new("pg-ephemeral-left", "docker.io/library/postgres:17");
        let container = labels.iter().fold(container, |container, (key, value)| container.label(key, value));
        let fake = FakeBackend::podman().with_image(image).with_container(container);
        let found = examine(&folders, &[&fake.backend()]).await;
        let told: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert!(told.contains(&"a record that can't be read"), "{told:?}");
        assert!(told.contains(&"1 containers of dead owners, or of sessions whose server has ended"), "{told:?}");
        assert_eq!(fake.containers(), ["pg-ephemeral-left"]);
        assert!(servers.join("podman-x").exists());
    }

    #[test]
    fn a_socket_folder_is_deserted_when_it_is_old_and_no_server_listens() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_deserted(folder.path()));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let before = SystemTime::now() - 2 * START_TIME;
        let age = || fs::File::open(folder.path()).unwrap().set_times(FileTimes::new().set_modified(before)).unwrap();
        age();
        assert!(!is_deserted(folder.path()));
        drop(listener);
        assert!(is_deserted(folder.path()));
    }
}
