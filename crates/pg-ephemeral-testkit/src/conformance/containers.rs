//! Starting containers, their names, their inspection and their logs.

use std::sync::Arc;

use ociman::{CommandError, ContainerState};

use super::expect::{Outcome, equal, holds, refused, some};
use super::stage::Stage;

pub(super) async fn a_container_runs_under_its_name(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let info = container.inspect().await?;
    equal("name", &info.name, container.name())?;
    equal("state", info.state, ContainerState::Running)?;
    equal("exit code of a running container", info.exit_code, None)?;
    holds("its identifier is not empty", !info.id.is_empty(), &info)
}

pub(super) async fn a_taken_name_is_refused_and_the_first_container_stays(stage: Arc<Stage>) -> Outcome {
    let first = stage.running("a").await?;
    let id = first.inspect().await?.id;
    let second = stage.backend().run(&stage.idle("a")?).await;
    refused("a second container of the name", second, "NameTaken", is_name_taken(first.name().as_str()))?;
    let info = first.inspect().await?;
    equal("the first container", (info.id, info.state), (id, ContainerState::Running))
}

pub(super) async fn the_name_of_a_stopped_container_is_taken_too(stage: Arc<Stage>) -> Outcome {
    let spec = stage.script("a", "exit 0")?;
    let first = stage.run(&spec).await?;
    first.wait().await?;
    let second = stage.backend().run(&spec).await;
    refused("a second container of the name", second, "NameTaken", is_name_taken(first.name().as_str()))
}

fn is_name_taken(expected: &str) -> impl FnOnce(&CommandError) -> bool {
    move |error| matches!(error, CommandError::NameTaken { name } if name == expected)
}

pub(super) async fn a_name_is_free_again_after_removal(stage: Arc<Stage>) -> Outcome {
    let mut first = stage.running("a").await?;
    let id = first.inspect().await?.id;
    first.remove_force().await?;
    let second = stage.running("a").await?;
    holds("it is another container", second.inspect().await?.id != id, &id)
}

pub(super) async fn a_long_name_with_every_allowed_character_works(stage: Arc<Stage>) -> Outcome {
    let container = stage.running(&format!("Az09_.-{}", "x".repeat(80))).await?;
    equal("name", &container.inspect().await?.name, container.name())
}

pub(super) async fn a_container_of_a_missing_image_is_refused_and_leaves_nothing(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle_of(stage.image("missing")?, "a")?;
    let result = stage.backend().run(&spec).await;
    refused("a missing image", result, "ImageNotFound", |error| matches!(error, CommandError::ImageNotFound { .. }))?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

pub(super) async fn a_container_of_a_missing_program_is_refused_and_leaves_nothing(stage: Arc<Stage>) -> Outcome {
    let spec = stage.idle("a")?.entrypoint(["/no/such/program"]);
    refused("a missing program", stage.backend().run(&spec).await, "an error", |_| true)?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

pub(super) async fn a_container_of_a_file_that_is_not_executable_is_refused_and_leaves_nothing(
    stage: Arc<Stage>,
) -> Outcome {
    let spec = stage.idle("a")?.entrypoint(["/etc/passwd"]);
    refused("a file that is no program", stage.backend().run(&spec).await, "an error", |_| true)?;
    equal("the container is there", stage.is_there(&spec.name).await?, false)
}

pub(super) async fn inspections_keep_the_order_and_have_gaps_for_missing_containers(stage: Arc<Stage>) -> Outcome {
    let (a, b) = (stage.running("a").await?, stage.running("b").await?);
    let asked = [b.name().clone(), stage.name("missing")?, a.name().clone(), stage.name("missing-too")?];
    let found = stage.backend().inspect(&asked).await?;
    let names: Vec<_> = found.into_iter().map(|info| info.map(|info| info.name)).collect();
    equal("names", names, vec![Some(b.name().clone()), None, Some(a.name().clone()), None])
}

pub(super) async fn inspecting_no_containers_returns_nothing(stage: Arc<Stage>) -> Outcome {
    equal("inspections", stage.backend().inspect(&[]).await?, Vec::new())
}

pub(super) async fn an_inspection_reports_the_image_of_a_container(stage: Arc<Stage>) -> Outcome {
    let info = stage.running("a").await?.inspect().await?;
    let images = stage.backend().inspect_images(std::slice::from_ref(stage.base())).await?;
    let image = some("the image", images.into_iter().flatten().next())?;
    equal("image", info.image_id, image.id)
}

pub(super) async fn last_lines_of_the_log_hold_both_streams(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "echo to-stdout; echo to-stderr >&2; exit 3")?).await?;
    container.wait().await?;
    let log = container.last_log_lines(10).await?;
    holds("both lines are there", log.contains("to-stdout\n") && log.contains("to-stderr\n"), &log)
}

pub(super) async fn the_log_of_an_ended_container_can_be_read(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", "echo 'last \"words\" ünï'")?).await?;
    container.wait().await?;
    equal("log", container.last_log_lines(10).await?.as_str(), "last \"words\" ünï\n")
}

pub(super) async fn a_log_is_limited_to_the_requested_number_of_lines(stage: Arc<Stage>) -> Outcome {
    let script = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i; done";
    let container = stage.run(&stage.script("a", script)?).await?;
    container.wait().await?;
    equal("two lines", container.last_log_lines(2).await?.as_str(), "line 49\nline 50\n")?;
    let all = container.last_log_lines(1000).await?;
    equal("number of all lines", all.lines().count(), 50)
}
