//! Names of images: adding, listing, inspecting and removing them.

use std::sync::Arc;

use ociman::{CommandError, CommitSpec, Kind, Reference};

use super::expect::{Outcome, equal, holds, refused, some};
use super::stage::Stage;

/// Makes an image with a name of this case, by a commit of a container that has done nothing.
async fn image(stage: &Stage, suffix: &str) -> Outcome<Reference> {
    let name = stage.image(suffix)?;
    let mut container = stage.running(&format!("for-{}", suffix.replace(['/', ':'], "-"))).await?;
    container.commit(&CommitSpec::new(name.clone())).await?;
    container.remove_force().await?;
    Ok(name)
}

/// Returns the ID of each image, or `None` if the image does not exist.
async fn ids(stage: &Stage, images: &[Reference]) -> Outcome<Vec<Option<String>>> {
    let found = stage.backend().inspect_images(images).await?;
    Ok(found.into_iter().map(|info| info.map(|info| info.id)).collect())
}

pub(super) async fn a_tag_is_one_more_name_of_the_same_image(stage: Arc<Stage>) -> Outcome {
    let first = image(&stage, "a:1").await?;
    let second = stage.image("b:2")?;
    stage.backend().tag(&first, &second).await?;
    let ids = ids(&stage, &[first, second]).await?;
    some("the first", ids[0].clone())?;
    equal("the second is the first", &ids[1], &ids[0])
}

pub(super) async fn images_are_listed_by_the_start_of_their_name(stage: Arc<Stage>) -> Outcome {
    let first = image(&stage, "group/a:1").await?;
    let same_name = stage.image("group/a:2")?;
    let other = stage.image("group-not/b:1")?;
    stage.backend().tag(&first, &same_name).await?;
    stage.backend().tag(&first, &other).await?;
    let prefix = format!("localhost/{}/group/", stage.mark());
    let mut found = stage.backend().images(&prefix).await?;
    found.sort_by(|a, b| a.reference.cmp(&b.reference));
    let names: Vec<_> = found.iter().map(|summary| summary.reference.clone()).collect();
    equal("names", names, vec![first.clone(), same_name])?;
    let id = ids(&stage, &[first]).await?.into_iter().flatten().next();
    equal(
        "identifier",
        Some(found[0].id.trim_start_matches("sha256:")),
        id.as_deref().map(|id| id.trim_start_matches("sha256:")),
    )?;
    equal("of an unknown name", stage.backend().images(&format!("localhost/{}/nope", stage.mark())).await?, Vec::new())
}

pub(super) async fn images_are_listed_by_their_repository(stage: Arc<Stage>) -> Outcome {
    let first = image(&stage, "group/a:1").await?;
    let same_repository = stage.image("group/a:2")?;
    for other in ["group/a-not:1", "group/a/b:1", "a:1"] {
        stage.backend().tag(&first, &stage.image(other)?).await?;
    }
    stage.backend().tag(&first, &same_repository).await?;
    let found = stage.backend().images_of(&same_repository).await?;
    let mut names: Vec<_> = found.into_iter().map(|summary| summary.reference).collect();
    names.sort();
    equal("names", names, vec![first, same_repository])?;
    equal("of an unknown name", stage.backend().images_of(&stage.image("group/nope")?).await?, Vec::new())
}

pub(super) async fn image_inspections_keep_the_order_and_have_gaps_for_missing_images(stage: Arc<Stage>) -> Outcome {
    let (a, b) = (image(&stage, "a").await?, image(&stage, "b").await?);
    let ids_alone = [ids(&stage, std::slice::from_ref(&a)).await?, ids(&stage, std::slice::from_ref(&b)).await?];
    let asked = [b, stage.image("missing")?, a, stage.image("missing/too:9")?];
    let found = ids(&stage, &asked).await?;
    equal("identifiers", found, vec![ids_alone[1][0].clone(), None, ids_alone[0][0].clone(), None])
}

pub(super) async fn two_names_of_one_image_can_be_inspected_at_once(stage: Arc<Stage>) -> Outcome {
    let first = image(&stage, "a:1").await?;
    let second = stage.image("a:2")?;
    stage.backend().tag(&first, &second).await?;
    let found = ids(&stage, &[second.clone(), stage.image("missing")?, first.clone(), second, first]).await?;
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    equal("those that are there", there, vec![true, false, true, true, true])
}

pub(super) async fn inspecting_no_images_returns_nothing(stage: Arc<Stage>) -> Outcome {
    equal("inspections", stage.backend().inspect_images(&[]).await?, Vec::new())
}

pub(super) async fn a_name_without_a_domain_works_everywhere(stage: Arc<Stage>) -> Outcome {
    let name = stage.image_named(&format!("{}/plain", stage.mark()))?;
    let container = stage.running("a").await?;
    container.commit(&CommitSpec::new(name.clone())).await?;
    let found = ids(&stage, &[stage.image("missing")?, name.clone()]).await?;
    holds("the second is there", found[0].is_none() && found[1].is_some(), &found)?;
    let mut second = stage.run(&stage.idle_of(name.clone(), "b")?).await?;
    second.remove_force().await?;
    stage.backend().remove_image(&name).await?;
    equal("after its removal", ids(&stage, &[name]).await?, vec![None])
}

pub(super) async fn removing_one_of_two_names_keeps_the_image(stage: Arc<Stage>) -> Outcome {
    let first = image(&stage, "a:1").await?;
    let second = stage.image("a:2")?;
    stage.backend().tag(&first, &second).await?;
    let before = ids(&stage, std::slice::from_ref(&first)).await?;
    stage.backend().remove_image(&first).await?;
    equal("after removal", ids(&stage, &[first, second]).await?, vec![None, before[0].clone()])
}

pub(super) async fn removing_the_last_name_removes_the_image(stage: Arc<Stage>) -> Outcome {
    let name = image(&stage, "a").await?;
    stage.backend().remove_image(&name).await?;
    equal("after removal", ids(&stage, std::slice::from_ref(&name)).await?, vec![None])?;
    let again = stage.backend().run(&stage.idle_of(name, "b")?).await;
    refused("a container of it", again, "ImageNotFound", |error| matches!(error, CommandError::ImageNotFound { .. }))
}

pub(super) async fn an_image_in_use_by_a_running_container_is_kept(stage: Arc<Stage>) -> Outcome {
    let name = image(&stage, "a").await?;
    stage.run(&stage.idle_of(name.clone(), "b")?).await?;
    kept_in_use(&stage, name).await
}

pub(super) async fn an_image_in_use_by_a_stopped_container_is_kept(stage: Arc<Stage>) -> Outcome {
    let name = image(&stage, "a").await?;
    let container = stage.run(&stage.script_of(name.clone(), "b", "exit 0")?).await?;
    container.wait().await?;
    stage.ended(&container).await?;
    kept_in_use(&stage, name).await
}

async fn kept_in_use(stage: &Stage, name: Reference) -> Outcome {
    let removed = stage.backend().remove_image(&name).await;
    refused("its removal", removed, "ImageInUse", |error| matches!(error, CommandError::ImageInUse { .. }))?;
    let found = ids(stage, &[name]).await?;
    holds("it is still there", found[0].is_some(), &found)
}

pub(super) async fn pulling_is_refused_where_there_is_no_registry(stage: Arc<Stage>) -> Outcome {
    if stage.kind() != Kind::Host {
        // An engine would ask a registry, and these tests must not need one.
        return Ok(());
    }
    let result = stage.backend().pull(&stage.image("a")?).await;
    refused("a pull", result, "Unsupported", |error| matches!(error, CommandError::Unsupported { .. }))
}
