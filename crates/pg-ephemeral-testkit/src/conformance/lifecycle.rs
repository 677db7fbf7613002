//! Stopping, starting, renaming, waiting for and removing containers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ociman::{CommandError, ContainerState, ExecSpec, Kind};

use super::expect::{Outcome, equal, holds, one_of, refused};
use super::stage::{ENTER, Stage};

/// A time limit that is long enough for a process that ends by itself.
const PATIENT: Duration = Duration::from_secs(30);

pub(super) async fn a_stop_lets_the_process_handle_the_signal(stage: Arc<Stage>) -> Outcome {
    let script = "trap 'exit 7' TERM INT; echo ready; while :; do sleep 1 & wait $!; done";
    let container = stage.run(&stage.script("a", script)?).await?;
    stage.says(&container, "ready").await?;
    container.stop(PATIENT).await?;
    equal("exit code", container.inspect().await?.exit_code, Some(7))
}

pub(super) async fn the_stop_signal_can_be_chosen(stage: Arc<Stage>) -> Outcome {
    let script = "trap 'exit 5' USR1; trap 'exit 6' TERM INT; echo ready; while :; do sleep 1 & wait $!; done";
    let mut spec = stage.script("a", script)?;
    spec.stop_signal = Some("SIGUSR1".to_owned());
    let container = stage.run(&spec).await?;
    stage.says(&container, "ready").await?;
    container.stop(PATIENT).await?;
    equal("exit code", container.inspect().await?.exit_code, Some(5))
}

pub(super) async fn a_stop_kills_the_process_after_its_time_limit(stage: Arc<Stage>) -> Outcome {
    let script = "trap '' TERM INT QUIT; echo ready; while :; do sleep 1; done";
    let container = stage.run(&stage.script("a", script)?).await?;
    stage.says(&container, "ready").await?;
    let start = Instant::now();
    container.stop(Duration::from_secs(1)).await?;
    let took = start.elapsed();
    holds("the limit was kept", (Duration::from_millis(900)..PATIENT).contains(&took), &took)?;
    let info = container.inspect().await?;
    equal("state and exit code", (info.state, info.exit_code), (ContainerState::Exited, Some(137)))
}

pub(super) async fn stopping_a_stopped_container_is_no_error(stage: Arc<Stage>) -> Outcome {
    let container = stage.stoppable("a").await?;
    container.stop(PATIENT).await?;
    container.stop(Duration::ZERO).await?;
    equal("state", container.inspect().await?.state, ContainerState::Exited)
}

pub(super) async fn a_stopped_container_starts_again_with_its_files(stage: Arc<Stage>) -> Outcome {
    let container = stage.stoppable("a").await?;
    stage.shell(&container, &format!("{ENTER}; echo kept > conformance-file")).await?;
    container.stop(PATIENT).await?;
    equal("state after the stop", container.inspect().await?.state, ContainerState::Exited)?;
    container.start().await?;
    equal("state after the start", container.inspect().await?.state, ContainerState::Running)?;
    let text = stage.shell(&container, &format!("{ENTER}; cat conformance-file")).await?;
    equal("the file", text.as_str(), "kept\n")
}

pub(super) async fn starting_a_running_container_is_no_error(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let shell = "kill -0 1 2>/dev/null; echo";
    stage.shell(&container, shell).await?;
    container.start().await?;
    equal("state", container.inspect().await?.state, ContainerState::Running)
}

pub(super) async fn a_renamed_container_keeps_running_and_keeps_its_files(stage: Arc<Stage>) -> Outcome {
    let container = stage.stoppable("a").await?;
    let id = container.inspect().await?.id;
    stage.shell(&container, &format!("{ENTER}; echo kept > conformance-file")).await?;
    let renamed = container.rename(&stage.name("b")?).await?;
    equal("the old name is there", stage.is_there(container.name()).await?, false)?;
    let info = renamed.inspect().await?;
    equal("state and identifier", (info.state, info.id.as_str()), (ContainerState::Running, id.as_str()))?;
    let read = format!("{ENTER}; cat conformance-file");
    equal("the file", stage.shell(&renamed, &read).await?.as_str(), "kept\n")?;
    renamed.stop(PATIENT).await?;
    // A new container must not get the files of the stopped one.
    stage.running("c").await?;
    renamed.start().await?;
    equal("the file after a start", stage.shell(&renamed, &read).await?.as_str(), "kept\n")
}

pub(super) async fn a_taken_name_is_refused_when_a_container_is_renamed(stage: Arc<Stage>) -> Outcome {
    let (one, two) = (stage.running("a").await?, stage.running("b").await?);
    refused(
        "the name of another",
        one.rename(two.name()).await.map(drop),
        "NameTaken with the name",
        |error| matches!(error, CommandError::NameTaken { name } if name == two.name().as_str()),
    )?;
    let missing = stage.backend().container(stage.name("missing")?);
    refused("a missing container", missing.rename(&stage.name("c")?).await.map(drop), "ContainerNotFound", |error| {
        matches!(error, CommandError::ContainerNotFound { .. })
    })?;
    equal("state", one.inspect().await?.state, ContainerState::Running)
}

pub(super) async fn a_removal_by_id_leaves_a_newer_container_of_the_same_name(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let id = container.inspect().await?.id;
    container.remove_force_if(&id).await?;
    equal("it is there", stage.is_there(container.name()).await?, false)?;
    let successor = stage.running("a").await?;
    container.remove_force_if(&id).await?;
    equal("state of the next one", successor.inspect().await?.state, ContainerState::Running)
}

pub(super) async fn waiting_gives_the_status_of_an_ended_process(stage: Arc<Stage>) -> Outcome {
    for code in [0, 1, 42, 255] {
        let container = stage.run(&stage.script(&format!("a{code}"), &format!("exit {code}"))?).await?;
        equal("status", container.wait().await?.code(), code)?;
        equal("status of a second wait", container.wait().await?.code(), code)?;
    }
    Ok(())
}

pub(super) async fn waiting_lasts_until_the_process_ends(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "sleep 1; exit 4")?).await?;
    equal("status", container.wait().await?.code(), 4)?;
    let killed = stage.run(&stage.script("b", "sleep 1; kill -9 $$; sleep 9")?).await?;
    let status = killed.wait().await?.code();
    // In a container with its own PID namespace, the kernel ignores signals that the first process sends to itself,
    // so the script continues.
    one_of("status of a process that kills itself", &status, &[137, 0])
}

pub(super) async fn an_ended_container_reports_its_exit_code(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "exit 42")?).await?;
    container.wait().await?;
    stage.ended(&container).await?;
    let info = container.inspect().await?;
    equal("state and exit code", (info.state, info.exit_code), (ContainerState::Exited, Some(42)))
}

pub(super) async fn a_running_container_is_not_removed_without_force(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    refused("removal", container.remove().await, "another error than ContainerNotFound", |error| {
        !matches!(error, CommandError::ContainerNotFound { .. })
    })?;
    equal("state", container.inspect().await?.state, ContainerState::Running)
}

pub(super) async fn a_stopped_container_is_removed(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "exit 0")?).await?;
    container.wait().await?;
    stage.ended(&container).await?;
    container.remove().await?;
    equal("it is there", stage.is_there(container.name()).await?, false)
}

pub(super) async fn a_running_container_is_removed_by_force(stage: Arc<Stage>) -> Outcome {
    let script = "trap '' TERM INT QUIT; while :; do sleep 1; done";
    let mut container = stage.run(&stage.script("a", script)?).await?;
    let start = Instant::now();
    container.remove_force().await?;
    let took = start.elapsed();
    holds("no stop time-out was waited for", took < Duration::from_secs(9), &took)?;
    equal("it is there", stage.is_there(container.name()).await?, false)
}

pub(super) async fn removing_a_missing_container_by_force_is_no_error(stage: Arc<Stage>) -> Outcome {
    stage.backend().container(stage.name("missing")?).remove_force().await?;
    Ok(())
}

/// Does nothing on the host backend, where a command is a child process of the caller, and only the caller ends it.
pub(super) async fn a_forced_removal_ends_every_process_of_the_container(stage: Arc<Stage>) -> Outcome {
    if stage.kind() == Kind::Host {
        return Ok(());
    }
    let mut container = stage.running("a").await?;
    let command = container.exec_streamed(&ExecSpec::new(["sh", "-c", "echo begun; sleep 600"])).await?;
    let ended = tokio::time::timeout(PATIENT, async {
        // The command must run before its container is removed.
        let mut command = command;
        if let Some(stdout) = &mut command.stdout {
            let mut word = [0; 6];
            tokio::io::AsyncReadExt::read_exact(stdout, &mut word).await?;
        }
        container.remove_force().await?;
        Outcome::Ok(command.exit.await?)
    });
    match ended.await {
        Ok(status) => holds("the command did not succeed", !status?.success(), &"success"),
        Err(elapsed) => Err(std::io::Error::from(elapsed).into()),
    }
}
