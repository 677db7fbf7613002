//! Labels of images that were committed from containers.

use std::sync::Arc;

use ociman::label::{Key, Labels, Value};
use ociman::{CommandError, CommitSpec, Kind, Reference};

use super::expect::{Outcome, equal, some};
use super::labels::{LINES, UNUSUAL, of};
use super::stage::Stage;

const OWN: Key = Key::from_static("t.own");
const SHARED: Key = Key::from_static("t.shared");
const BELOW: Value = Value::from_static("of the container");
const ABOVE: Value = Value::from_static("of the commit");

async fn image_labels(stage: &Stage, image: &Reference) -> Outcome<Labels> {
    let found = stage.backend().inspect_images(std::slice::from_ref(image)).await?;
    Ok(some("the image", found.into_iter().flatten().next())?.labels)
}

/// Returns a label. An empty value counts as absent, because engines can't remove a label in a commit, only empty it.
fn label<'a>(labels: &'a Labels, key: &Key) -> Option<&'a str> {
    labels.get(key).map(Value::as_str).filter(|value| !value.is_empty())
}

pub(super) async fn a_commit_has_the_labels_of_its_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.idle("a")?.label(SHARED, BELOW)).await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone()).label(OWN, ABOVE)).await?;
    let labels = image_labels(&stage, &image).await?;
    equal("the container's", label(&labels, &SHARED), Some(BELOW.as_str()))?;
    equal("its own", label(&labels, &OWN), Some(ABOVE.as_str()))
}

pub(super) async fn labels_of_a_commit_override_those_of_its_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.idle("a")?.label(SHARED, BELOW)).await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone()).label(SHARED, ABOVE)).await?;
    equal("label", label(&image_labels(&stage, &image).await?, &SHARED), Some(ABOVE.as_str()))?;
    equal("the container's", label(&container.inspect().await?.labels, &SHARED), Some(BELOW.as_str()))
}

pub(super) async fn an_empty_label_of_a_commit_overrides_that_of_its_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.run(&stage.idle("a")?.label(SHARED, BELOW)).await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone()).label(SHARED, Value::from_static(""))).await?;
    equal("label", label(&image_labels(&stage, &image).await?, &SHARED), None)
}

pub(super) async fn labels_of_a_commit_come_back_as_they_were_given(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let mut spec = CommitSpec::new(stage.image("a")?);
    spec.labels.extend(UNUSUAL);
    container.commit(&spec).await?;
    let labels = image_labels(&stage, &spec.image).await?;
    equal("labels", of(&labels, &UNUSUAL), Labels::from_iter(UNUSUAL))
}

/// Docker reads the labels of a commit as lines of a Dockerfile, in which a value can't contain a line break.
pub(super) async fn labels_of_a_commit_with_line_breaks_come_back_or_are_refused(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let mut spec = CommitSpec::new(stage.image("a")?);
    spec.labels.extend(LINES);
    match container.commit(&spec).await {
        Err(CommandError::Unsupported { .. }) if stage.kind() == Kind::Docker => {
            let found = stage.backend().inspect_images(std::slice::from_ref(&spec.image)).await?;
            equal("images", found, vec![None])
        }
        result => {
            result?;
            let labels = image_labels(&stage, &spec.image).await?;
            equal("labels", of(&labels, &LINES), Labels::from_iter(LINES))
        }
    }
}

pub(super) async fn labels_of_a_container_with_line_breaks_are_kept_by_a_commit(stage: Arc<Stage>) -> Outcome {
    let mut spec = stage.idle("a")?;
    spec.labels.extend(LINES);
    let container = stage.run(&spec).await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone()).label(OWN, ABOVE)).await?;
    let labels = image_labels(&stage, &image).await?;
    equal("labels", of(&labels, &LINES), Labels::from_iter(LINES))
}

pub(super) async fn containers_of_a_commit_have_its_labels(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    let image = stage.image("a")?;
    container.commit(&CommitSpec::new(image.clone()).label(OWN, ABOVE).label(SHARED, ABOVE)).await?;
    let second = stage.run(&stage.idle_of(image, "b")?.label(SHARED, BELOW)).await?;
    let labels = second.inspect().await?.labels;
    equal("the image's", label(&labels, &OWN), Some(ABOVE.as_str()))?;
    equal("its own instead of the image's", label(&labels, &SHARED), Some(BELOW.as_str()))
}
