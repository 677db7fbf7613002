//! Operations that run eight times at once.

use std::sync::Arc;

use ociman::{CommandError, CommitSpec, ExecSpec};
use tokio::task::JoinSet;

use super::expect::{Outcome, equal, holds, text};
use super::stage::{ENTER, MARK, Stage};

/// Runs the same operation eight times at once, and returns all results.
async fn eight<T, F>(make: impl Fn(usize) -> F) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let mut tasks: JoinSet<Outcome<T>> = (0..8).map(make).collect();
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        results.push(result.map_err(std::io::Error::other)??);
    }
    Ok(results)
}

pub(super) async fn eight_containers_run_at_once(stage: Arc<Stage>) -> Outcome {
    eight(|number| {
        let stage = Arc::clone(&stage);
        async move {
            let container = stage.running(&format!("c{number}")).await?;
            stage.shell(&container, &format!("{ENTER}; echo {number} > conformance-file")).await?;
            let text = stage.shell(&container, &format!("{ENTER}; cat conformance-file")).await?;
            equal("the file", text, format!("{number}\n"))
        }
    })
    .await?;
    equal("number of containers", stage.backend().list(&[stage.filter()?], &[]).await?.len(), 8)
}

pub(super) async fn one_of_eight_containers_gets_a_contested_name(stage: Arc<Stage>) -> Outcome {
    let won = eight(|_| {
        let stage = Arc::clone(&stage);
        async move {
            match stage.backend().run(&stage.idle("wanted")?).await {
                Ok(_) => Ok(true),
                Err(CommandError::NameTaken { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
    })
    .await?;
    equal("those that got it", won.into_iter().filter(|won| *won).count(), 1)?;
    let found = stage.backend().list(&[stage.filter()?], &[]).await?;
    equal("number of containers", found.len(), 1)
}

pub(super) async fn eight_removals_of_one_container_all_work(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    eight(|_| {
        let mut container = container.clone();
        async move { Ok(container.remove_force().await?) }
    })
    .await?;
    equal("it is there", stage.is_there(container.name()).await?, false)
}

pub(super) async fn eight_commands_run_in_one_container(stage: Arc<Stage>) -> Outcome {
    let container = stage.running("a").await?;
    eight(|number| {
        let container = container.clone();
        async move {
            let input = format!("{number}").repeat(100_000);
            let spec = ExecSpec::new(["sh", "-c", "cat; exit $0", &number.to_string()]);
            let output = container.exec(&spec, input.as_bytes()).await?;
            equal("status", output.status.code(), i32::try_from(number).unwrap_or(-1))?;
            text("output", &output.stdout, &input)
        }
    })
    .await?;
    Ok(())
}

pub(super) async fn eight_commits_of_eight_containers_work(stage: Arc<Stage>) -> Outcome {
    let images = eight(|number| {
        let stage = Arc::clone(&stage);
        async move {
            let container = stage.running(&format!("c{number}")).await?;
            stage.shell(&container, &format!("{ENTER}; echo {number} > conformance-file")).await?;
            let image = stage.image(&format!("i{number}"))?;
            container.commit(&CommitSpec::new(image.clone())).await?;
            Ok(image)
        }
    })
    .await?;
    let found = stage.backend().inspect_images(&images).await?;
    let mut ids: Vec<_> = found.into_iter().flatten().map(|info| info.id).collect();
    ids.sort();
    ids.dedup();
    equal("number of images", ids.len(), 8)
}

pub(super) async fn a_listing_works_while_containers_come_and_go(stage: Arc<Stage>) -> Outcome {
    let listed = eight(|number| {
        let stage = Arc::clone(&stage);
        async move {
            if number % 2 == 0 {
                for round in 0..3 {
                    let mut container = stage.running(&format!("c{number}-{round}")).await?;
                    container.remove_force().await?;
                }
                return Ok(0);
            }
            let mut most = 0;
            for _ in 0..6 {
                most = most.max(stage.backend().list(&[stage.filter()?], &[MARK]).await?.len());
            }
            Ok(most)
        }
    })
    .await?;
    holds("never more than there can be", listed.iter().all(|count| *count <= 4), &listed)
}

pub(super) async fn a_listing_of_images_works_while_images_come_and_go(stage: Arc<Stage>) -> Outcome {
    eight(|number| {
        let stage = Arc::clone(&stage);
        async move {
            if number == 0 {
                let container = stage.running("a").await?;
                for round in 0..4 {
                    let image = stage.image(&format!("i{round}"))?;
                    container.commit(&CommitSpec::new(image.clone())).await?;
                    stage.backend().remove_image(&image).await?;
                    if stage.kind() == ociman::Kind::Host {
                        container.start().await?;
                    }
                }
                return Ok(());
            }
            for _ in 0..6 {
                stage.backend().images(&format!("localhost/{}/", stage.mark())).await?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}
