//! Attached containers, whose process has the caller's own streams: how they end, and that they are removed when their
//! process ends.

use std::sync::Arc;
use std::time::Duration;

use ociman::command::Process;
use ociman::{CommandError, ContainerState, ExecSpec, Kind, RunSpec, Terminal};

use super::expect::{Outcome, equal, refused, some};
use super::stage::Stage;

const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Starts an attached container. Returns `None` on the host backend, which must refuse attached containers.
async fn attach(stage: &Stage, spec: &RunSpec) -> Outcome<Option<Process>> {
    let process = stage.backend().run_attached(spec, Terminal::No).await;
    if stage.kind() != Kind::Host {
        return Ok(Some(process?));
    }
    refused("an attached container", process, "Unsupported", |error| {
        matches!(error, CommandError::Unsupported { .. })
    })?;
    Ok(None)
}

/// Waits until the container is removed, because engines may take a moment to remove an ended container.
async fn is_gone(stage: &Stage, spec: &RunSpec) -> Outcome {
    for _ in 0..LOOKS {
        if !stage.is_there(&spec.name).await? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

pub(super) async fn an_attached_container_returns_its_status_and_is_removed(stage: Arc<Stage>) -> Outcome {
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("exec sh -c 'exit 126'", 126)] {
        let spec = stage.script("a", script)?;
        let Some(process) = attach(&stage, &spec).await? else { return Ok(()) };
        equal("status", process.exit.await?.code(), code)?;
        is_gone(&stage, &spec).await?;
    }
    Ok(())
}

pub(super) async fn an_attached_container_of_a_missing_image_ends_with_125(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle_of(stage.image("missing")?, "a")?;
    let Some(process) = attach(&stage, &spec).await? else { return Ok(()) };
    equal("status", process.exit.await?.code(), 125)?;
    is_gone(&stage, &spec).await
}

pub(super) async fn an_attached_container_runs_commands_and_can_be_removed(stage: Arc<Stage>) -> Outcome {
    let spec = stage.script("a", "while :; do sleep 0.1; done")?;
    let Some(process) = attach(&stage, &spec).await? else { return Ok(()) };
    let mut container = stage.backend().container(spec.name.clone());
    let mut state = None;
    for _ in 0..LOOKS {
        state = stage.backend().inspect(std::slice::from_ref(&spec.name)).await?.into_iter().flatten().next();
        if state.as_ref().is_some_and(|info| info.state == ContainerState::Running) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    equal("state", some("the container", state)?.state, ContainerState::Running)?;
    let output = container.exec(&ExecSpec::new(["sh", "-c", "exit 7"]), b"").await?;
    equal("status of a command in it", output.status.code(), 7)?;
    container.remove_force().await?;
    equal("status", process.exit.await?.code(), 137)?;
    is_gone(&stage, &spec).await
}
