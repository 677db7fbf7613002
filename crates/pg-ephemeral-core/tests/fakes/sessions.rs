//! Sessions on fake docker and fake podman: every error of listing, finding, stopping and attaching, and how many
//! engine commands each of these takes.

use std::error::Error;
use std::path::Path;

use ociman::backend::ContainerListWithNameError;
use ociman::label::Key;
use ociman::{CommandError, ContainerNameError};
use pg_ephemeral_core::session::{FindError, ListError, Name, Session, StopError};
use pg_ephemeral_core::{AttachError, Folders, Server, label, session_name};
use pg_ephemeral_testkit::{Failure, FakeBackend, FakeContainer, FakeLife, Operation};

const IMAGE: &str = "docker.io/library/postgres:17";
const REVIEW: Name = session_name!("review");

fn engines() -> [FakeBackend; 2] {
    [FakeBackend::docker(), FakeBackend::podman()]
}

/// A container with the label of a session and any name.
fn labelled(container: &str, session: &str) -> FakeContainer {
    FakeContainer::new(container, IMAGE).label("pg-ephemeral.session", session)
}

async fn names(fake: &FakeBackend) -> Vec<String> {
    Session::list(&fake.backend()).await.unwrap().iter().map(|session| session.name().to_string()).collect()
}

async fn list_error(fake: &FakeBackend) -> ListError {
    Session::list(&fake.backend()).await.unwrap_err()
}

async fn find_error(fake: &FakeBackend) -> FindError {
    Session::find(&fake.backend(), &REVIEW).await.unwrap_err()
}

#[tokio::test]
async fn listing_any_number_of_sessions_takes_one_command_and_sorts_by_name() {
    for count in [0, 1, 50] {
        for fake in engines() {
            let mut expected: Vec<String> = (0..count).map(|number| format!("review-{number}")).collect();
            let fake = expected.iter().fold(fake, |fake, name| fake.with_session(name, IMAGE, &[]));
            expected.sort();
            assert_eq!(names(&fake).await, expected);
            let journal = fake.journal();
            assert_eq!((journal.total(), journal.count(Operation::List)), (1, 1), "{journal}");
        }
    }
}

#[tokio::test]
async fn finding_a_session_among_any_number_takes_one_command() {
    for count in [0, 1, 50] {
        for fake in engines() {
            let others = (1..count).fold(fake, |fake, number| fake.with_session(&format!("x{number}"), IMAGE, &[]));
            let fake = if count > 0 { others.with_session("review", IMAGE, &[]) } else { others };
            let found = Session::find(&fake.backend(), &REVIEW).await.unwrap();
            assert_eq!(found.map(|session| session.name().clone()), (count > 0).then_some(REVIEW));
            let journal = fake.journal();
            assert_eq!((journal.total(), journal.count(Operation::List)), (1, 1), "{journal}");
        }
    }
}

#[tokio::test]
async fn stopping_a_session_takes_one_command_and_keeps_the_others() {
    for fake in engines() {
        let fake = fake.with_session("review", IMAGE, &[]).with_session("other", IMAGE, &[]);
        let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
        assert_eq!(session.container().name(), REVIEW.container_name());
        fake.journal().clear();
        session.stop().await.unwrap();
        let journal = fake.journal();
        assert_eq!((journal.total(), journal.count(Operation::Remove)), (1, 1), "{journal}");
        assert_eq!(names(&fake).await, ["other"]);
    }
}

#[tokio::test]
async fn a_session_whose_server_has_ended_and_a_container_without_the_label_are_not_listed() {
    for fake in engines() {
        let fake = fake
            .with_container(labelled("pg-ephemeral-session-ended", "ended").life(FakeLife::Exited(137)))
            .with_container(labelled("pg-ephemeral-session-made", "made").life(FakeLife::Created))
            .with_container(FakeContainer::new("pg-ephemeral-session-bare", IMAGE))
            .with_session("review", IMAGE, &[]);
        assert_eq!(names(&fake).await, ["review"]);
    }
}

#[tokio::test]
async fn an_engine_that_is_down_is_the_cause_of_a_failed_listing() {
    for fake in engines() {
        let fake = fake.with_session("review", IMAGE, &[]).fail(Operation::List, Failure::EngineDown).on_every_call();
        let error = list_error(&fake).await;
        assert_eq!(error.to_string(), "failed to list session containers");
        let is_down = matches!(
            error,
            ListError::ListWithName(ContainerListWithNameError::List(CommandError::Unreachable { .. }))
        );
        assert!(is_down, "{error:?}");
        let error = find_error(&fake).await;
        assert!(matches!(error, FindError::List(ListError::ListWithName(_))), "{error:?}");
        fake.recover();
        assert_eq!(names(&fake).await, ["review"]);
    }
}

#[tokio::test]
async fn unexpected_or_truncated_output_of_an_engine_is_an_error() {
    for failure in [Failure::Garbage, Failure::TruncatedJson] {
        for fake in engines() {
            let fake = fake.with_session("review", IMAGE, &[]).fail(Operation::List, failure.clone()).on_every_call();
            let error = list_error(&fake).await;
            let is_about_output = matches!(
                error,
                ListError::ListWithName(ContainerListWithNameError::List(CommandError::UnexpectedOutput { .. }))
            );
            assert!(is_about_output, "{error:?}");
        }
    }
}

#[tokio::test]
async fn the_error_names_a_foreign_container_with_the_session_label() {
    for fake in engines() {
        let fake = fake.with_session("other", IMAGE, &[]).with_container(labelled("somebody-elses", "review"));
        let ListError::MissingOciPrefix { container_name } = list_error(&fake).await else { panic!() };
        assert_eq!(container_name.as_str(), "somebody-elses");
        let error = find_error(&fake).await;
        assert!(matches!(error, FindError::List(ListError::MissingOciPrefix { .. })), "{error:?}");
        assert_eq!(
            error.to_string(),
            "container somebody-elses matched session label filter but name does not start with \
             \"pg-ephemeral-session-\""
        );
    }
}

#[tokio::test]
async fn a_container_name_with_an_invalid_session_name_is_an_error_that_says_why() {
    let wrong = [("", ContainerNameError::Empty), ("-x", ContainerNameError::FirstCharacter { character: '-' })];
    for (suffix, expected) in wrong {
        for fake in engines() {
            let name = format!("pg-ephemeral-session-{suffix}");
            let fake = fake.with_container(labelled(&name, "review"));
            let error = list_error(&fake).await;
            assert_eq!(error.to_string(), "session container name suffix is not a valid session name");
            let ListError::InvalidSessionName(source) = error else { panic!("{error:?}") };
            assert_eq!(source, expected);
            let error = find_error(&fake).await;
            assert!(matches!(error, FindError::List(ListError::InvalidSessionName(_))), "{error:?}");
        }
    }
}

#[tokio::test]
async fn two_containers_of_the_same_session_are_an_error_with_their_number() {
    for fake in engines() {
        let fake = fake.with_session("review", IMAGE, &[]).with_container(labelled("pg-ephemeral-session-b", "review"));
        let error = find_error(&fake).await;
        assert_eq!(error.to_string(), "multiple containers (2) carry the same session label value");
        let FindError::MultipleMatches { count } = error else { panic!("{error:?}") };
        assert_eq!(count, 2);
    }
}

#[tokio::test]
async fn a_removal_that_the_engine_refuses_is_an_error_and_the_session_stays() {
    let refusals = [Failure::EngineDown, Failure::Exit { status: 1, stderr: "Error: out of luck\n".to_owned() }];
    for refusal in refusals {
        for fake in engines() {
            let fake = fake.with_session("review", IMAGE, &[]);
            let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
            let fake = fake.fail(Operation::Remove, refusal.clone()).on_every_call();
            let error = session.stop().await.unwrap_err();
            assert_eq!(error.to_string(), "failed to remove session container");
            assert!(error.source().is_some());
            let StopError::Remove(source) = error;
            let is_down = matches!(source, ociman::CommandError::Unreachable { .. });
            assert_eq!(is_down, refusal == Failure::EngineDown, "{source:?}");
            assert_eq!(names(&fake).await, ["review"]);
        }
    }
}

#[tokio::test]
async fn stopping_a_session_that_was_stopped_meanwhile_succeeds() {
    for fake in engines() {
        let fake = fake.with_session("review", IMAGE, &[]);
        let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
        session.clone().stop().await.unwrap();
        session.stop().await.unwrap();
        assert!(names(&fake).await.is_empty());
    }
}

/// Adds a session with everything that attaching needs except for one label.
fn without(fake: FakeBackend, missing: Option<&Key>) -> FakeBackend {
    let needed = [
        label::NONCE_KEY,
        label::SUPERUSER_USER_KEY,
        label::SUPERUSER_DATABASE_KEY,
        label::IMAGE_KEY,
        label::VERSION_KEY,
    ];
    let container = labelled(REVIEW.container_name().as_str(), "review").port(5432, ([127, 0, 0, 1], 4000).into());
    let given = needed.iter().filter(|key| Some(*key) != missing);
    fake.with_container(given.fold(container, |container, key| container.label(key.as_str(), "x")))
}

async fn attach(fake: &FakeBackend, home: &Path) -> Result<Server, AttachError> {
    let session = Session::find(&fake.backend(), &REVIEW).await.unwrap().unwrap();
    Server::attach(&session, &Folders::at(home))
}

#[tokio::test]
async fn attaching_runs_no_command_and_uses_the_published_address() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let fake = without(fake, None);
        let server = attach(&fake, home.path()).await.unwrap();
        assert!(server.url().expose().contains("127.0.0.1:4000"), "{}", server.url().expose());
        server.stop().await.unwrap();
        assert_eq!(fake.journal().total(), 1, "{}", fake.journal());
        assert_eq!(names(&fake).await, ["review"]);
    }
}

#[tokio::test]
async fn attaching_without_a_needed_label_is_an_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    for key in [label::NONCE_KEY, label::SUPERUSER_USER_KEY, label::SUPERUSER_DATABASE_KEY, label::IMAGE_KEY] {
        for fake in engines() {
            match attach(&without(fake, Some(&key)), home.path()).await.unwrap_err() {
                AttachError::MissingLabel { session, key: missing } => {
                    assert_eq!((session, missing), (REVIEW, key.clone()))
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_session_that_publishes_no_port_can_not_be_attached_to() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let labels = [label::NONCE_KEY, label::SUPERUSER_USER_KEY, label::SUPERUSER_DATABASE_KEY, label::IMAGE_KEY];
        let labels = labels.each_ref().map(|key| (key.as_str(), "x"));
        let fake = fake.with_session("review", IMAGE, &labels);
        let error = attach(&fake, home.path()).await.unwrap_err();
        assert!(matches!(error, AttachError::NoPort { session } if session == REVIEW));
    }
}

/// Adds a session with everything that attaching needs and these TLS labels, published on this address.
fn with_tls(fake: FakeBackend, labels: &[(Key, &str)], address: [u8; 4]) -> FakeBackend {
    let needed = [label::NONCE_KEY, label::SUPERUSER_USER_KEY, label::SUPERUSER_DATABASE_KEY, label::IMAGE_KEY];
    let container = labelled(REVIEW.container_name().as_str(), "review").port(5432, (address, 4000).into());
    let container = needed.iter().fold(container, |container, key| container.label(key.as_str(), "x"));
    fake.with_container(labels.iter().fold(container, |container, (key, value)| container.label(key.as_str(), value)))
}

const CA_CERT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[tokio::test]
async fn attaching_with_tls_writes_the_ca_certificate_to_a_file_that_is_removed_later() {
    let home = tempfile::tempdir().unwrap();
    let labels = [(label::SSL_HOSTNAME_KEY, "db.example.com"), (label::SSL_CA_CERT_PEM_KEY, CA_CERT)];
    for fake in engines() {
        // A port that is published on all addresses is also published on the loopback address.
        let fake = with_tls(fake, &labels, [0, 0, 0, 0]);
        let server = attach(&fake, home.path()).await.unwrap();
        let url = server.url();
        assert!(url.expose().contains("@db.example.com:4000/x?sslmode=verify-full&"), "{}", url.expose());
        assert!(url.expose().ends_with("&hostaddr=127.0.0.1"), "{}", url.expose());
        let told = server.pg_env();
        let told = told.iter().find(|variable| variable.name == "PGSSLROOTCERT").unwrap();
        assert_eq!(std::fs::read_to_string(told.expose()).unwrap(), CA_CERT);
        let inside = server.loopback_in_container().unwrap().tls.as_ref().unwrap();
        assert_eq!(inside.ca_file, Path::new("/dev/shm/pg-ephemeral/ca.pem"));
        server.stop().await.unwrap();
        assert!(!Path::new(told.expose()).exists());
        assert_eq!(fake.journal().total(), 1, "{}", fake.journal());
    }
}

#[tokio::test]
async fn a_session_of_a_remote_engine_is_reached_at_the_engine_s_address() {
    let home = tempfile::tempdir().unwrap();
    let labels = [(label::SSL_HOSTNAME_KEY, "db.example.com"), (label::SSL_CA_CERT_PEM_KEY, CA_CERT)];
    for fake in engines() {
        let fake = with_tls(fake.remote("tcp://192.0.2.7:2375"), &labels, [0, 0, 0, 0]);
        let url = attach(&fake, home.path()).await.unwrap().url();
        assert!(url.expose().ends_with("&hostaddr=192.0.2.7"), "{}", url.expose());
    }
}

#[tokio::test]
async fn inconsistent_or_malformed_tls_labels_are_an_error_of_attaching() {
    let home = tempfile::tempdir().unwrap();
    for fake in engines() {
        let fake = with_tls(fake, &[(label::SSL_HOSTNAME_KEY, "localhost")], [127, 0, 0, 1]);
        let error = attach(&fake, home.path()).await.unwrap_err();
        assert!(
            matches!(error, AttachError::MissingLabel { ref key, .. } if *key == label::SSL_CA_CERT_PEM_KEY),
            "{error}"
        );
    }
    let malformed = [(label::SSL_HOSTNAME_KEY, "no host"), (label::SSL_CA_CERT_PEM_KEY, CA_CERT)];
    for labels in [&malformed[..], &malformed[1..]] {
        for fake in engines() {
            let error = attach(&with_tls(fake, labels, [127, 0, 0, 1]), home.path()).await.unwrap_err();
            assert!(matches!(error, AttachError::Label { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_ca_certificate_file_that_can_not_be_written_is_an_error_of_attaching() {
    let home = tempfile::tempdir().unwrap();
    let labels = [(label::SSL_HOSTNAME_KEY, "localhost"), (label::SSL_CA_CERT_PEM_KEY, CA_CERT)];
    std::fs::create_dir(home.path().join("pg-ephemeral")).unwrap();
    std::fs::write(home.path().join("pg-ephemeral/tls"), "in the way").unwrap();
    for fake in engines() {
        let error = attach(&with_tls(fake, &labels, [127, 0, 0, 1]), home.path()).await.unwrap_err();
        assert!(matches!(error, AttachError::CaFile(_)), "{error}");
    }
}
