//! Checks that the conformance suite notices errors: each test spoils one answer of a correct fake, and the suite must
//! fail.

use std::sync::Arc;
use std::time::Duration;

use ociman::Backend;
use ociman::command::{CommandLine, Executor, ExitStatus, Output, Process, ProcessError, QueryOutput};
use pg_ephemeral_testkit::conformance::{Subject, cases};
use pg_ephemeral_testkit::{FakeBackend, Operation};

type Spoil = fn(&mut Output);

/// An executor that passes all commands to a correct fake and spoils the answers of one operation.
#[derive(Debug)]
struct Spoiled {
    fake: FakeBackend,
    operation: Operation,
    spoil: Spoil,
}

#[async_trait::async_trait]
impl Executor for Spoiled {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        self.fake.spawn(line).await
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        let is_spoiled = Operation::of(&line) == self.operation;
        let answer = self.fake.query(line, limit).await?;
        let status = ExitStatus::Exited(i32::from(!answer.success));
        let mut output = Output { status, stdout: answer.stdout.into_bytes(), stderr: answer.stderr.into_bytes() };
        if is_spoiled {
            (self.spoil)(&mut output);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(QueryOutput { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    async fn capture(&self, line: CommandLine, input: &[u8]) -> Result<Output, ProcessError> {
        let is_spoiled = Operation::of(&line) == self.operation;
        let mut output = self.fake.capture(line, input).await?;
        if is_spoiled {
            (self.spoil)(&mut output);
        }
        Ok(output)
    }
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    *bytes = String::from_utf8_lossy(bytes).replace(from, to).into_bytes();
}

/// Runs the case on both fakes with the operation spoiled. Returns `true` for each fake that passes.
async fn passes(case: &str, operation: Operation, spoil: Spoil) -> [bool; 2] {
    let image = ociman::Reference::docker_official_image(ociman::PathComponent::from_static("spoiled"));
    let case = cases().into_iter().find(|known| known.name() == case).unwrap();
    let mut results = [true; 2];
    for (result, is_docker) in results.iter_mut().zip([true, false]) {
        let fake = if is_docker { FakeBackend::docker() } else { FakeBackend::podman() };
        let fake = fake.with_image(image.to_string().as_str());
        let spoiled = Arc::new(Spoiled { fake, operation, spoil });
        let backend = if is_docker { Backend::docker_with(spoiled) } else { Backend::podman_with(spoiled) };
        *result = case.run(&Subject::new(backend, image.clone())).await.is_ok();
    }
    results
}

/// Checks that the case passes with correct answers, and fails on both fakes with spoiled ones.
async fn notices(case: &str, operation: Operation, spoil: Spoil) {
    assert_eq!(passes(case, operation, |_| {}).await, [true; 2], "{case}");
    assert_eq!(passes(case, operation, spoil).await, [false; 2], "{case}");
}

#[tokio::test]
async fn a_wrong_exit_status_is_noticed() {
    notices("a_command_gives_its_exit_status", Operation::Exec, |output| {
        if output.status == ExitStatus::Exited(42) {
            output.status = ExitStatus::Exited(1);
        }
    })
    .await;
    notices("executing_in_a_stopped_container_fails_with_container_not_running", Operation::Exec, |output| {
        output.status = ExitStatus::Exited(3);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_message_is_noticed() {
    notices("a_taken_name_is_refused_and_the_first_container_stays", Operation::Run, |output| {
        replace(&mut output.stderr, "the container name", "the name");
        replace(&mut output.stderr, "The container name", "The name");
    })
    .await;
    notices("an_image_in_use_by_a_stopped_container_is_kept", Operation::RemoveImage, |output| {
        replace(&mut output.stderr, "use", "demand");
        replace(&mut output.stderr, "unable", "not willing");
    })
    .await;
}

#[tokio::test]
async fn a_missing_field_is_noticed() {
    notices("a_container_runs_under_its_name", Operation::Inspect, |output| {
        replace(&mut output.stdout, "\"Status\"", "\"Stage\"");
    })
    .await;
    notices("images_are_listed_by_the_start_of_their_name", Operation::Images, |output| {
        replace(&mut output.stdout, "\"Id\"", "\"Identity\"");
        replace(&mut output.stdout, "\"ID\"", "\"Identity\"");
    })
    .await;
}

#[tokio::test]
async fn a_spoiled_stream_is_noticed() {
    notices("ten_megabytes_of_binary_input_come_back_unchanged", Operation::Exec, |output| {
        output.stdout.pop();
    })
    .await;
}
