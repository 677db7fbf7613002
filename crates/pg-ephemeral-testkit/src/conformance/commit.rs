//! Images made of containers, and containers of them.

use std::sync::Arc;

use ociman::{CommitSpec, ContainerState, ImageInfo, Kind, Reference};

use super::expect::{Outcome, equal, holds, some};
use super::stage::{ENTER, Stage};

/// Commits an image of a container in which a script has run.
async fn commit(stage: &Stage, from: Reference, name: &str, script: &str) -> Outcome<Reference> {
    let container = stage.run(&stage.idle_of(from, &format!("for-{name}"))?).await?;
    stage.shell(&container, &format!("{ENTER}; {script}")).await?;
    let image = stage.image(name)?;
    container.commit(&CommitSpec::new(image.clone())).await?;
    Ok(image)
}

/// Runs a script in a new container of an image, and returns its output.
async fn read(stage: &Stage, image: Reference, suffix: &str, script: &str) -> Outcome<String> {
    let container = stage.run(&stage.idle_of(image, suffix)?).await?;
    stage.shell(&container, &format!("{ENTER}; {script}")).await
}

async fn image_info(stage: &Stage, image: &Reference) -> Outcome<ImageInfo> {
    let found = stage.backend().inspect_images(std::slice::from_ref(image)).await?;
    some("the image", found.into_iter().flatten().next())
}

pub(super) async fn a_container_of_a_commit_has_its_files(stage: Arc<Stage>) -> Outcome {
    let script = "mkdir -p 'a folder'; echo text > 'a folder/ünï'; ln -s ünï 'a folder/link'; chmod 600 'a folder/ünï'";
    let image = commit(&stage, stage.base().clone(), "a", script).await?;
    let text = read(&stage, image, "b", "cat 'a folder/link'; ls -l 'a folder/ünï' | head -c 10").await?;
    equal("the file", text.as_str(), "text\n-rw-------")
}

pub(super) async fn containers_of_one_commit_do_not_see_each_others_changes(stage: Arc<Stage>) -> Outcome {
    let image = commit(&stage, stage.base().clone(), "a", "echo one > conformance-file").await?;
    read(&stage, image.clone(), "b", "echo two > conformance-file; echo more > conformance-more").await?;
    let text = read(&stage, image, "c", "cat conformance-file; ls conformance-more 2>/dev/null || true").await?;
    equal("the file in another container", text.as_str(), "one\n")
}

pub(super) async fn a_commit_moves_an_existing_name_to_the_new_image(stage: Arc<Stage>) -> Outcome {
    let first = commit(&stage, stage.base().clone(), "a", "echo one > conformance-file").await?;
    let id = image_info(&stage, &first).await?.id;
    // With a second name the first image can still be removed later.
    let kept = stage.image("kept")?;
    stage.backend().tag(&first, &kept).await?;
    let container = stage.running("again").await?;
    stage.shell(&container, &format!("{ENTER}; echo two > conformance-file")).await?;
    container.commit(&CommitSpec::new(first.clone())).await?;
    holds("it is another image", image_info(&stage, &first).await?.id != id, &id)?;
    equal("its other name", image_info(&stage, &kept).await?.id, id)?;
    let text = read(&stage, first, "b", "cat conformance-file").await?;
    equal("the file", text.as_str(), "two\n")
}

pub(super) async fn a_commit_stops_a_container_on_the_host_but_not_on_engines(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    container.commit(&CommitSpec::new(stage.image("a")?)).await?;
    let expected = match stage.kind() {
        Kind::Docker | Kind::Podman => ContainerState::Running,
        Kind::Host => ContainerState::Exited,
    };
    equal("state", container.inspect().await?.state, expected)
}

pub(super) async fn a_stopped_container_can_be_committed(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.script("a", &format!("{ENTER}; echo text > conformance-file"))?).await?;
    container.wait().await?;
    stage.ended(&container).await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone())).await?;
    equal("the file", read(&stage, image, "b", "cat conformance-file").await?.as_str(), "text\n")
}

pub(super) async fn a_commit_keeps_the_layers_below_and_adds_one(stage: Arc<Stage>) -> Outcome {
    let below = image_info(&stage, stage.base()).await?;
    let image = commit(&stage, stage.base().clone(), "a", "echo text > conformance-file").await?;
    let above = image_info(&stage, &image).await?;
    holds("the identifier differs", above.id != below.id, &above.id)?;
    equal("operating system and architecture", (above.os, above.architecture), (below.os, below.architecture))?;
    equal("number of layers", above.diff_ids.len(), below.diff_ids.len() + 1)?;
    equal("layers below", &above.diff_ids[..below.diff_ids.len()], &below.diff_ids[..])
}

pub(super) async fn a_commit_of_a_commit_has_the_files_of_both(stage: Arc<Stage>) -> Outcome {
    let first =
        commit(&stage, stage.base().clone(), "a", "echo one > conformance-one; echo gone > conformance-gone").await?;
    let second = commit(&stage, first, "b", "echo two > conformance-two; rm conformance-gone").await?;
    let script = "cat conformance-one conformance-two; test -e conformance-gone || echo none";
    let text = read(&stage, second, "c", script).await?;
    equal("the files", text.as_str(), "one\ntwo\nnone\n")
}
