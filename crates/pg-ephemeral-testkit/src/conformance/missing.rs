//! Errors of operations on a container or an image that does not exist, or on a container that is not running.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use ociman::{CommandError, CommitSpec, Container, ExecSpec};

use super::expect::{Outcome, refused};
use super::stage::Stage;

fn missing(stage: &Stage) -> Outcome<Container> {
    Ok(stage.backend().container(stage.name("missing")?))
}

#[track_caller]
fn no_container<T: Debug>(container: &Container, result: Result<T, CommandError>) -> Outcome {
    let name = container.name().as_str();
    refused(
        "a missing container",
        result,
        "ContainerNotFound of its name",
        |error| matches!(error, CommandError::ContainerNotFound { container } if container == name),
    )
}

pub(super) async fn inspecting_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.inspect().await)
}

pub(super) async fn executing_in_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.exec(&ExecSpec::new(["true"]), b"").await)
}

pub(super) async fn starting_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.start().await)
}

pub(super) async fn stopping_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.stop(Duration::from_secs(1)).await)
}

pub(super) async fn waiting_for_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.wait().await)
}

pub(super) async fn removing_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.remove().await)
}

pub(super) async fn reading_a_missing_containers_log_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.last_log_lines(1).await)
}

pub(super) async fn committing_a_missing_container_fails_with_container_not_found(stage: Arc<Stage>) -> Outcome {
    let container = missing(&stage)?;
    no_container(&container, container.commit(&CommitSpec::new(stage.image("a")?)).await)
}

pub(super) async fn executing_in_a_stopped_container_fails_with_container_not_running(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "exit 0")?).await?;
    container.wait().await?;
    stage.ended(&container).await?;
    let result = container.exec(&ExecSpec::new(["true"]), b"").await;
    let name = container.name().as_str();
    refused(
        "a command in a stopped container",
        result,
        "ContainerNotRunning",
        |error| matches!(error, CommandError::ContainerNotRunning { container } if container == name),
    )
}

pub(super) async fn tagging_a_missing_image_fails_with_image_not_found(stage: Arc<Stage>) -> Outcome {
    let result = stage.backend().tag(&stage.image("missing")?, &stage.image("new")?).await;
    refused("a missing image", result, "ImageNotFound", |error| matches!(error, CommandError::ImageNotFound { .. }))
}

pub(super) async fn removing_a_missing_image_fails_with_image_not_found(stage: Arc<Stage>) -> Outcome {
    let result = stage.backend().remove_image(&stage.image("missing")?).await;
    refused("a missing image", result, "ImageNotFound", |error| matches!(error, CommandError::ImageNotFound { .. }))
}
