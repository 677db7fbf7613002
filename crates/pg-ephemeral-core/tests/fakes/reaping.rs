//! What is removed of an engine that others use too, and what is not: every container of it is somebody's, and only
//! those that a dead owner of this machine left may go.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ociman::host::ProcessIdentity;
use pg_ephemeral_core::Folders;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::reap::{Patience, Reaped, reap_labelled, reap_recorded};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeLife, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()]
}

/// A process that lives until the value is dropped.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn owner(&self) -> Owner {
        let ProcessIdentity { pid, start } = ProcessIdentity::of(self.0.id()).unwrap();
        Owner { pid, start, ..Owner::current() }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that is gone.
fn dead() -> Owner {
    Neighbour::start().owner()
}

fn owned(name: &str, owner: &Owner) -> FakeContainer {
    let owner = serde_json::to_string(owner).unwrap();
    FakeContainer::new(name, IMAGE).label("pg-ephemeral.version", "0.1.0").label("pg-ephemeral.owner", &owner)
}

/// As a command of this user writes down a server before it starts it.
fn record(home: &Path, backend: &str, container: &str, owner: &Owner) {
    let folder = home.join("pg-ephemeral/servers");
    fs::create_dir_all(&folder).unwrap();
    let owner = serde_json::to_string(owner).unwrap();
    let text = format!(
        "{{\"backend\":\"{backend}\",\"container\":\"{container}\",\"owner\":{owner},\"nonce\":\"n\",\"phase\":\"started\",\"folder\":null}}"
    );
    fs::write(folder.join(format!("{backend}-{container}")), text).unwrap();
}

fn records(home: &Path) -> usize {
    fs::read_dir(home.join("pg-ephemeral/servers")).unwrap().count()
}

fn names(reaped: &[Reaped]) -> Vec<&str> {
    let mut names: Vec<&str> = reaped.iter().map(|one| one.container.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn of_a_number_that_was_given_to_another_process_the_server_goes_and_that_processes_own_stays() {
    for fake in engines() {
        let neighbour = Neighbour::start();
        let now = neighbour.owner();
        let earlier = Owner { start: now.start - 1, ..now.clone() };
        let fake = fake.with_container(owned("reused", &earlier)).with_container(owned("its-own", &now));
        assert_eq!(names(&reap_labelled(&fake.backend()).await.unwrap()), ["reused"]);
        assert_eq!(fake.containers(), ["its-own"]);
    }
}

#[tokio::test]
async fn a_record_whose_number_was_given_to_another_process_is_settled_and_that_processes_own_stays() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let neighbour = Neighbour::start();
        let now = neighbour.owner();
        let earlier = Owner { start: now.start - 1, ..now.clone() };
        let kind = fake.backend().kind().to_string();
        record(home.path(), &kind, "reused", &earlier);
        record(home.path(), &kind, "its-own", &now);
        let fake = fake.with_container(owned("reused", &earlier)).with_container(owned("its-own", &now));
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), Patience::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["reused"], 1));
        assert_eq!(fake.containers(), ["its-own"]);

        drop(neighbour);
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), Patience::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["its-own"], 0));
        assert!(fake.containers().is_empty());
    }
}

#[tokio::test]
async fn what_others_have_beside_ours_is_left_alone() {
    for fake in engines() {
        let neighbour = Neighbour::start();
        let dead = dead();
        let plain = |name: &str| FakeContainer::new(name, IMAGE);
        let others = [
            owned("another-machine", &Owner { host: "elsewhere".to_owned(), ..dead.clone() }),
            owned("another-namespace", &Owner { namespace: "pid:[1]".to_owned(), ..dead.clone() }),
            owned("another-users-alive", &neighbour.owner()),
            plain("pg-ephemeral-0000").life(FakeLife::Exited(137)),
            plain("another-version").label("pg-ephemeral.version", "9").label("pg-ephemeral.owner", "me"),
            plain("no-owner").label("pg-ephemeral.version", "0.1.0"),
            // Its end is not known, and it has no owner that it depends on.
            owned("pg-ephemeral-session-kept", &dead).label("pg-ephemeral.session", "kept"),
            owned("pg-ephemeral-session-later", &dead)
                .label("pg-ephemeral.session", "later")
                .label("pg-ephemeral.expires", "99999999999"),
        ];
        let fake = others.into_iter().fold(fake, FakeBackend::with_container);
        let before = fake.containers();
        let fake = fake.with_container(owned("ours", &dead));
        assert_eq!(names(&reap_labelled(&fake.backend()).await.unwrap()), ["ours"]);
        assert_eq!(fake.containers(), before);
        assert!(reap_labelled(&fake.backend()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn two_that_reap_at_once_both_succeed_and_remove_everything_together() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let dead = dead();
        let kind = fake.backend().kind().to_string();
        let fake = (0..20).fold(fake, |fake, number| {
            let name = format!("left-{number}");
            record(home.path(), &kind, &name, &dead);
            fake.with_container(owned(&name, &dead))
        });
        let folders = Folders::at(home.path());
        let (first, second) = (fake.backend(), fake.backend());
        let (first, second) = tokio::join!(
            async { (reap_recorded(&folders, &first, Patience::Settle).await, reap_labelled(&first).await) },
            async { (reap_recorded(&folders, &second, Patience::Settle).await, reap_labelled(&second).await) },
        );
        assert!(first.1.is_ok() && second.1.is_ok(), "{first:?} {second:?}");
        assert!(fake.containers().is_empty());
        assert_eq!(records(home.path()), 0);
    }
}

#[tokio::test]
async fn what_an_engine_that_is_down_still_has_is_remembered_until_it_is_back() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let dead = dead();
        record(home.path(), &fake.backend().kind().to_string(), "left", &dead);
        let fake =
            fake.with_container(owned("left", &dead)).fail(Operation::Remove, Failure::EngineDown).on_every_call();
        let folders = Folders::at(home.path());
        assert!(reap_recorded(&folders, &fake.backend(), Patience::Settle).await.is_empty());
        assert_eq!((fake.containers().len(), records(home.path())), (1, 1));
        fake.recover();
        assert_eq!(names(&reap_recorded(&folders, &fake.backend(), Patience::Settle).await), ["left"]);
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
    }
}
