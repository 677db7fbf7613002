//! What is removed of an engine that others use too, and what is not: every container of it is somebody's, and only
//! those that a dead owner of this machine left may go.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ociman::host::ProcessIdentity;
use pg_ephemeral_core::owner::Owner;
use pg_ephemeral_core::reap::{Patience, Reaped, reap_labelled, reap_recorded, remove_ended, remove_expired};
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

/// A process that is gone.
fn dead() -> Owner {
    Neighbour::start().owner()
}

fn owned(name: &str, owner: &Owner) -> FakeContainer {
    let owner = serde_json::to_string(owner).unwrap();
    let container = FakeContainer::new(name, IMAGE).label("pg-ephemeral.version", "0.1.0");
    container.label("pg-ephemeral.owner", &owner).label("pg-ephemeral.nonce", "n")
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

/// Folders of a user who never started anything.
fn nobodys() -> Folders {
    Folders::at("/nowhere")
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
        let fake = fake
            .with_container(owned("pg-ephemeral-reused", &earlier))
            .with_container(owned("pg-ephemeral-its-own", &now));
        assert_eq!(names(&reap_labelled(&nobodys(), &fake.backend()).await.unwrap()), ["pg-ephemeral-reused"]);
        assert_eq!(fake.containers(), ["pg-ephemeral-its-own"]);
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
        record(home.path(), &kind, "pg-ephemeral-reused", &earlier);
        record(home.path(), &kind, "pg-ephemeral-its-own", &now);
        let fake = fake
            .with_container(owned("pg-ephemeral-reused", &earlier))
            .with_container(owned("pg-ephemeral-its-own", &now));
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), Patience::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["pg-ephemeral-reused"], 1));
        assert_eq!(fake.containers(), ["pg-ephemeral-its-own"]);

        drop(neighbour);
        let reaped = reap_recorded(&Folders::at(home.path()), &fake.backend(), Patience::Settle).await;
        assert_eq!((names(&reaped), records(home.path())), (vec!["pg-ephemeral-its-own"], 0));
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
            owned("pg-ephemeral-another-machine", &Owner { host: "elsewhere".to_owned(), ..dead.clone() }),
            owned("pg-ephemeral-another-namespace", &Owner { namespace: "pid:[1]".to_owned(), ..dead.clone() }),
            owned("pg-ephemeral-another-users-alive", &neighbour.owner()),
            plain("pg-ephemeral-0000").life(FakeLife::Exited(137)),
            plain("pg-ephemeral-another-version").label("pg-ephemeral.version", "9").label("pg-ephemeral.owner", "me"),
            plain("pg-ephemeral-no-owner").label("pg-ephemeral.version", "0.1.0"),
            // Labels say that they are ours, and names that they are not.
            owned("somebody-elses", &dead),
            owned("pg-ephemeral-session-x", &dead)
                .label("pg-ephemeral.session", "other")
                .label("pg-ephemeral.expires", "1"),
            owned("somebody-elses-session", &dead)
                .label("pg-ephemeral.session", "x")
                .label("pg-ephemeral.expires", "1"),
            // Its end is not known, and it has no owner that it depends on.
            owned("pg-ephemeral-session-kept", &dead).label("pg-ephemeral.session", "kept"),
            // Whether a command has stopped it for a moment only its own user knows.
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
async fn a_session_whose_server_has_ended_goes_and_so_does_what_was_to_take_one_over() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let secret = MachineSecret::load_or_create(&folders).unwrap().fingerprint("n");
        let pending = owned("pg-ephemeral-pending-1", &dead())
            .label("pg-ephemeral.session", "review")
            .label("pg-ephemeral.nonce", "n")
            .label("pg-ephemeral.secret", &secret);
        let ended = ended_session("review", &Owner::current()).label("pg-ephemeral.secret", &secret);
        // With a copy of the secret, but where nobody can see whether it is only stopped for a moment.
        let elsewhere =
            ended_session("elsewhere", &dead()).label("pg-ephemeral.secret", &format!("{secret}@elsewhere"));
        let fake = fake.with_container(ended).with_container(pending).with_container(elsewhere);
        let reaped = reap_labelled(&folders, &fake.backend()).await.unwrap();
        assert_eq!(names(&reaped), ["pg-ephemeral-pending-1", "pg-ephemeral-session-review"]);
        assert_eq!(fake.containers(), ["pg-ephemeral-session-elsewhere"]);
    }
}

/// As a command of this user notes that it stops the session's server for a moment, and what is to take the session over.
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
async fn what_a_note_says_is_to_run_again_or_to_take_a_session_over_is_no_leftover() {
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
async fn an_ended_session_goes_unless_it_runs_again_is_to_run_again_or_is_another_one_meanwhile() {
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
async fn a_session_whose_time_is_over_goes_and_with_it_what_was_noted_of_it() {
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
async fn a_session_that_has_got_the_name_since_it_was_listed_stays() {
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
async fn two_that_reap_at_once_both_succeed_and_remove_everything_together() {
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
            async { (reap_recorded(&folders, &first, Patience::Settle).await, reap_labelled(&folders, &first).await) },
            async {
                (reap_recorded(&folders, &second, Patience::Settle).await, reap_labelled(&folders, &second).await)
            },
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
        record(home.path(), &fake.backend().kind().to_string(), "pg-ephemeral-left", &dead);
        let fake = fake
            .with_container(owned("pg-ephemeral-left", &dead))
            .fail(Operation::Remove, Failure::EngineDown)
            .on_every_call();
        let folders = Folders::at(home.path());
        assert!(reap_recorded(&folders, &fake.backend(), Patience::Settle).await.is_empty());
        assert_eq!((fake.containers().len(), records(home.path())), (1, 1));
        fake.recover();
        assert_eq!(names(&reap_recorded(&folders, &fake.backend(), Patience::Settle).await), ["pg-ephemeral-left"]);
        assert_eq!((fake.containers().len(), records(home.path())), (0, 0));
    }
}

/// Writes a record of a killed start with a nonce and a folder.
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
async fn a_record_that_was_tampered_with_removes_neither_container_nor_folder_of_somebody_else() {
    for fake in engines() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::at(home.path());
        let kind = fake.backend().kind().to_string();
        let names = ["production", "pg-ephemeral-of-another-nonce", "pg-ephemeral-without-nonce"];
        let uid = rustix::process::geteuid().as_raw();
        let mut kept = Vec::new();
        for (name, nonce) in names.iter().zip(["", "other", ""]) {
            // A folder like one for sockets, but for where it is; and one that is where those are, but for its name.
            let near = home.path().join(format!("pg-ephemeral-{uid}"));
            kept.extend([home.path().join("documents").join(name), near.join(format!("not-{name}"))]);
            for folder in &kept {
                fs::create_dir_all(folder).unwrap();
                tampered_record(home.path(), &kind, name, nonce, folder);
                let fake = fake.backend();
                reap_recorded(&folders, &fake, Patience::Settle).await;
            }
        }
        let fake = fake
            .with_container(FakeContainer::new("production", IMAGE))
            .with_container(owned("pg-ephemeral-of-another-nonce", &dead()))
            .with_container(FakeContainer::new("pg-ephemeral-without-nonce", IMAGE));
        for (name, nonce) in names.iter().zip(["", "other", ""]) {
            tampered_record(home.path(), &kind, name, nonce, home.path());
        }
        reap_recorded(&folders, &fake.backend(), Patience::Settle).await;
        assert_eq!(fake.containers().len(), 3, "{:?}", fake.containers());
        assert!(kept.iter().all(|folder| folder.is_dir()));
    }
}
