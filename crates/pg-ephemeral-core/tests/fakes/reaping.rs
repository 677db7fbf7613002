//! Which leftovers are removed from an engine that other users and programs share: only those that a dead owner of this
//! machine has left behind.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ociman::host::ProcessIdentity;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::reap::{LateStarts, Reaped, reap_labelled, reap_recorded, remove_ended, remove_expired};
use pg_ephemeral_core::session::Session;
use pg_ephemeral_core::{Folders, MachineSecret};
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

/// The owner of a process that has ended.
fn dead() -> Owner {
    Neighbour::start().owner()
}

fn owned(name: &str, owner: &Owner) -> FakeContainer {
    let owner = serde_json::to_string(owner).unwrap();
    let container = FakeContainer::new(name, IMAGE).label("pg-ephemeral.version", "0.1.0");
    container.label("pg-ephemeral.owner", &owner).label("pg-ephemeral.nonce", "n")
}

/// Writes the record that a command of this user writes before it starts a server.
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

/// The folders of a user that has never started anything.
fn nobodys() -> Folders {
    Folders::at("/nowhere")
}

fn names(reaped: &[Reaped]) -> Vec<&str> {
    let mut names: Vec<&str> = reaped.iter().map(|one| one.container.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_server_is_removed_if_its_owner_s_process_id_was_reused() {
    for fake in engines() {
        let neighbour = Neighbour::start();
        let now = neighbour.owner();
        let earlier = Owner { start: now.start - 1, ..now.clone() };
        let fake = fake
            .with_container(owned("pg-ephemeral-reused", &earlier))
            .with_container(owned("pg-ephemeral-its-own", &now));
        assert_eq!(names(&reap_labelled(&nobodys(), &fake.backend()).await.unwrap()), ["pg-ephemeral-reused"]);
        assert_eq!(fake.containers(), ["pg-ephemeral-its-own"]);
    }
}

#[tokio::test]
async fn a_recorded_server_is_removed_if_its_owner_s_process_id_was_reused() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let neighbour = Neighbour::start();
        let now = neighbour.owner();
        let earlier = Owner { start: now.start - 1, ..now.clone() };
        let kind = fake.backend().kind().to_string();
        record(home.path(), &kind, "pg-ephemeral-reused", &earlier);
        record(home.path(), &kind, "pg-ephemeral-its-own", &now);
        let fake = fake
            .with_container(owned("pg-ephemeral-reused", &earlier))
            .with_container(owned("pg-ephemeral-its-own", &now));
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), LateStarts::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["pg-ephemeral-reused"], 1));
        assert_eq!(fake.containers(), ["pg-ephemeral-its-own"]);

        drop(neighbour);
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), LateStarts::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["pg-ephemeral-its-own"], 0));
        assert!(fake.containers().is_empty());
    }
}

#[tokio::test]
async fn containers_that_are_not_ours_are_left_alone() {
    for fake in engines() {
        let neighbour = Neighbour::start();
        let dead = dead();
        let plain = |name: &str| FakeContainer::new(name, IMAGE);
        let others = [
            owned("pg-ephemeral-another-machine", &Owner { host: "elsewhere".to_owned(), ..dead.clone() }),
            owned("pg-ephemeral-another-namespace", &Owner { namespace: "pid:[1]".to_owned(), ..dead.clone() }),
            owned("pg-ephemeral-another-users-alive", &neighbour.owner()),
            plain("pg-ephemeral-0000").life(FakeLife::Exited(137)),
            plain("pg-ephemeral-another-version").label("pg-ephemeral.version", "9").label("pg-ephemeral.owner", "me"),
            plain("pg-ephemeral-no-owner").label("pg-ephemeral.version", "0.1.0"),
            // Their labels say that they are ours, but their names do not.
            owned("somebody-elses", &dead),
            owned("pg-ephemeral-session-x", &dead)
                .label("pg-ephemeral.session", "other")
                .label("pg-ephemeral.expires", "1"),
            owned("somebody-elses-session", &dead)
                .label("pg-ephemeral.session", "x")
                .label("pg-ephemeral.expires", "1"),
            // A session without an expiry does not depend on its owner.
            owned("pg-ephemeral-session-kept", &dead).label("pg-ephemeral.session", "kept"),
            // Only the session's own user can know whether a command has stopped it temporarily.
            ended_session("foreign", &dead).label("pg-ephemeral.secret", "another"),
            owned("pg-ephemeral-pending-1", &dead)
                .label("pg-ephemeral.session", "pending")
                .label("pg-ephemeral.nonce", "n")
                .label("pg-ephemeral.secret", "another"),
            owned("pg-ephemeral-pending-2", &neighbour.owner()).label("pg-ephemeral.session", "pending"),
            owned("pg-ephemeral-session-later", &dead)
                .label("pg-ephemeral.session", "later")
                .label("pg-ephemeral.expires", "99999999999"),
        ];
        let fake = others.into_iter().fold(fake, FakeBackend::with_container);
        let before = fake.containers();
        let fake = fake.with_container(owned("pg-ephemeral-ours", &dead));
        assert_eq!(names(&reap_labelled(&nobodys(), &fake.backend()).await.unwrap()), ["pg-ephemeral-ours"]);
        assert_eq!(fake.containers(), before);
        assert!(reap_labelled(&nobodys(), &fake.backend()).await.unwrap().is_empty());
    }
}

fn ended_session(name: &str, owner: &Owner) -> FakeContainer {
    owned(&format!("pg-ephemeral-session-{name}"), owner)
        .label("pg-ephemeral.session", name)
        .label("pg-ephemeral.nonce", "n")
        .life(FakeLife::Exited(137))
}

#[tokio::test]
async fn an_ended_session_and_its_pending_replacement_are_removed() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let secret = MachineSecret::load_or_create(&folders).unwrap().fingerprint("n");
        let pending = owned("pg-ephemeral-pending-1", &dead())
            .label("pg-ephemeral.session", "review")
            .label("pg-ephemeral.nonce", "n")
            .label("pg-ephemeral.secret", &secret);
        let ended = ended_session("review", &Owner::current()).label("pg-ephemeral.secret", &secret);
        // Another machine with a copy of the secret. This machine can't know whether the session is only stopped
        // temporarily.
        let elsewhere =
            ended_session("elsewhere", &dead()).label("pg-ephemeral.secret", &format!("{secret}@elsewhere"));
        let fake = fake.with_container(ended).with_container(pending).with_container(elsewhere);
        let reaped = reap_labelled(&folders, &fake.backend()).await.unwrap();
        assert_eq!(names(&reaped), ["pg-ephemeral-pending-1", "pg-ephemeral-session-review"]);
        assert_eq!(fake.containers(), ["pg-ephemeral-session-elsewhere"]);
    }
}

/// Writes the note that a command of this user writes when it stops a session's server temporarily, with the container
/// that is to replace the session's.
fn note(home: &Path, fake: &FakeBackend, session: &str, successor: Option<&str>) {
    let successor = successor.map(|container| serde_json::json!({ "container": container, "nonce": "n" }));
    let note = serde_json::json!({
        "nonce": "n",
        "selection": fake.backend().selection(),
        "boot": ociman::host::boot_id(),
        "successor": successor,
    });
    let folder = home.join("pg-ephemeral/stopped");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}:{session}", fake.backend().kind())), note.to_string()).unwrap();
}

#[tokio::test]
async fn a_stopped_session_and_its_replacement_are_kept_while_a_note_names_them() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let secret = MachineSecret::load_or_create(&folders).unwrap().fingerprint("n");
        let pending = |number: usize| {
            owned(&format!("pg-ephemeral-pending-{number}"), &dead())
                .label("pg-ephemeral.session", "review")
                .label("pg-ephemeral.secret", &secret)
        };
        let ended = ended_session("review", &dead()).label("pg-ephemeral.secret", &secret);
        let fake = fake.with_container(ended).with_container(pending(1)).with_container(pending(2));
        note(home.path(), &fake, "review", Some("pg-ephemeral-pending-1"));
        let reaped = reap_labelled(&folders, &fake.backend()).await.unwrap();
        assert_eq!(names(&reaped), ["pg-ephemeral-pending-2"]);
        assert_eq!(fake.containers(), ["pg-ephemeral-session-review", "pg-ephemeral-pending-1"]);
    }
}

#[tokio::test]
async fn an_ended_session_is_removed_unless_it_was_restarted_noted_or_replaced() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let secret = MachineSecret::load_or_create(&folders).unwrap().fingerprint("n");
        let session = |name: &str| ended_session(name, &dead()).label("pg-ephemeral.secret", &secret);
        let names = ["a-ended", "b-noted", "c-running", "d-another"];
        let fake = names.iter().fold(fake, |fake, name| fake.with_container(session(name)));
        let fake = fake.with_container(ended_session("e-elsewhere", &dead()).label("pg-ephemeral.secret", "another"));
        let listed = Session::list_all(&fake.backend()).await.unwrap();
        note(home.path(), &fake, "b-noted", None);
        listed[2].container().start().await.unwrap();
        listed[3].container().clone().remove_force().await.unwrap();
        let fake = fake.with_container(session("d-another"));
        let mut removed = Vec::new();
        for session in &listed {
            removed.push(remove_ended(&folders, session).await.unwrap());
        }
        assert_eq!(removed, [true, false, false, false, false]);
        let there = Session::list_all(&fake.backend()).await.unwrap();
        assert!(there.iter().map(Session::name).eq(listed[1..].iter().map(Session::name)), "{there:?}");
    }
}

#[tokio::test]
async fn an_expired_session_is_removed_with_its_record() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let kind = fake.backend().kind().to_string();
        let folders = Folders::at(home.path());
        let expired = |name: &str| {
            let container = owned(&format!("pg-ephemeral-session-{name}"), &dead());
            container.label("pg-ephemeral.session", name).label("pg-ephemeral.expires", "1")
        };
        let fake = fake.with_container(expired("one")).with_container(expired("two"));
        record(home.path(), &kind, "pg-ephemeral-session-one", &Owner::current());
        record(home.path(), &kind, "pg-ephemeral-session-two", &Owner::current());
        let listed = Session::list_all(&fake.backend()).await.unwrap();
        remove_expired(&folders, &listed[0]).await.unwrap();
        assert_eq!((fake.containers(), records(home.path())), (vec!["pg-ephemeral-session-two".to_owned()], 1));
        reap_labelled(&folders, &fake.backend()).await.unwrap();
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
    }
}

#[tokio::test]
async fn a_session_that_took_the_name_after_the_listing_is_kept() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let dead = dead();
        let expired = owned("pg-ephemeral-session-review", &dead)
            .label("pg-ephemeral.session", "review")
            .label("pg-ephemeral.expires", "1");
        let fake = fake.with_container(expired);
        let listed = Session::list_all(&fake.backend()).await.unwrap().pop().unwrap();
        fake.backend().container(listed.container().name().clone()).remove_force().await.unwrap();
        let fake = fake.with_session("review", IMAGE, &[]);
        listed.clone().stop().await.unwrap();
        remove_expired(&Folders::at(home.path()), &listed).await.unwrap();
        assert_eq!(fake.containers(), ["pg-ephemeral-session-review"]);
    }
}

#[tokio::test]
async fn two_concurrent_reapers_both_succeed_and_remove_everything() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let dead = dead();
        let kind = fake.backend().kind().to_string();
        let fake = (0..20).fold(fake, |fake, number| {
            let name = format!("pg-ephemeral-left-{number}");
            record(home.path(), &kind, &name, &dead);
            fake.with_container(owned(&name, &dead))
        });
        let folders = Folders::at(home.path());
        let (first, second) = (fake.backend(), fake.backend());
        let (first, second) = tokio::join!(
            async {
                (reap_recorded(&folders, &first, LateStarts::Settle).await, reap_labelled(&folders, &first).await)
            },
            async {
                (reap_recorded(&folders, &second, LateStarts::Settle).await, reap_labelled(&folders, &second).await)
            },
        );
        assert!(first.1.is_ok() && second.1.is_ok(), "{first:?} {second:?}");
        assert!(fake.containers().is_empty());
        assert_eq!(records(home.path()), 0);
    }
}

#[tokio::test]
async fn containers_on_an_engine_that_is_down_stay_recorded_until_it_is_back() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let dead = dead();
        record(home.path(), &fake.backend().kind().to_string(), "pg-ephemeral-left", &dead);
        let fake = fake
            .with_container(owned("pg-ephemeral-left", &dead))
            .fail(Operation::Remove, Failure::EngineDown)
            .on_every_call();
        let folders = Folders::at(home.path());
        assert!(reap_recorded(&folders, &fake.backend(), LateStarts::Settle).await.is_empty());
        assert_eq!((fake.containers().len(), records(home.path())), (1, 1));
        fake.recover();
        assert_eq!(names(&reap_recorded(&folders, &fake.backend(), LateStarts::Settle).await), ["pg-ephemeral-left"]);
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
    }
}

/// Writes the record of a killed start with this nonce and this folder.
fn tampered_record(home: &Path, backend: &str, container: &str, nonce: &str, folder: &Path) {
    let servers = home.join("pg-ephemeral/servers");
    fs::create_dir_all(&servers).unwrap();
    let owner = serde_json::to_string(&dead()).unwrap();
    let text = format!(
        "{{\"backend\":\"{backend}\",\"container\":\"{container}\",\"owner\":{owner},\"nonce\":\"{nonce}\",\"phase\":\"started\",\"folder\":{folder:?}}}"
    );
    fs::write(servers.join(format!("{backend}-{container}")), text).unwrap();
}

#[tokio::test]
async fn a_tampered_record_removes_no_foreign_container_or_folder() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let kind = fake.backend().kind().to_string();
        let names = ["production", "pg-ephemeral-of-another-nonce", "pg-ephemeral-without-nonce"];
        let uid = rustix::process::geteuid().as_raw();
        let mut kept = Vec::new();
        for (name, nonce) in names.iter().zip(["", "other", ""]) {
            // One folder has the name of a socket folder but another parent, the other one the right parent but another
            // name.
            let near = home.path().join(format!("pg-ephemeral-{uid}"));
            kept.extend([home.path().join("documents").join(name), near.join(format!("not-{name}"))]);
            for folder in &kept {
                fs::create_dir_all(folder).unwrap();
                tampered_record(home.path(), &kind, name, nonce, folder);
                let fake = fake.backend();
                reap_recorded(&folders, &fake, LateStarts::Settle).await;
            }
        }
        let fake = fake
            .with_container(FakeContainer::new("production", IMAGE))
            .with_container(owned("pg-ephemeral-of-another-nonce", &dead()))
            .with_container(FakeContainer::new("pg-ephemeral-without-nonce", IMAGE));
        for (name, nonce) in names.iter().zip(["", "other", ""]) {
            tampered_record(home.path(), &kind, name, nonce, home.path());
        }
        reap_recorded(&folders, &fake.backend(), LateStarts::Settle).await;
        assert_eq!(fake.containers().len(), 3, "{:?}", fake.containers());
        assert!(kept.iter().all(|folder| folder.is_dir()));
    }
}
