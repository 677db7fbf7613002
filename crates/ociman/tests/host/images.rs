//! Images of the host backend: created from a folder or from a container, named, listed and removed.

use std::time::Duration;

use crate::support::{TestHost, eventually, reference, spec};
use ociman::host::{HostError, HostImageConfig};
use ociman::label::Labels;
use ociman::{CommandError, CommitSpec, ContainerState, ExecSpec, Reference};

const FILES: &[(&str, &str)] = &[("data", "original\n")];
const APPEND: &str = "trap 'echo stopped >> $OCIMAN_ROOT/data; exit 0' TERM; echo started >> $OCIMAN_ROOT/data; \
                      cat $OCIMAN_ROOT/data; while :; do sleep 0.02; done";

async fn names(test: &TestHost, prefix: &str) -> Vec<String> {
    let images = test.backend.images(prefix).await.unwrap();
    images.into_iter().map(|image| image.reference.to_string()).collect()
}

async fn data_of(test: &TestHost, image: &Reference) -> String {
    let run = spec("reader", image).entrypoint(["sleep"]).arguments(["600"]);
    let mut container = test.backend.run(&run).await.unwrap();
    let output = container.exec(&ExecSpec::new(["sh", "-c", "cat $OCIMAN_ROOT/data"]), b"").await.unwrap();
    container.remove_force().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_inspected_image_shows_its_configuration() {
    let test = TestHost::new();
    let mut config = HostImageConfig::new(["sleep", "600"]);
    config.environment.push(("A".to_owned(), "{root}/b".to_owned()));
    config.labels = Labels::from_iter([("key".parse().unwrap(), "value".parse().unwrap())]);
    config.diff_ids.push("one".to_owned());
    let image = test.image("localhost:5000/a/b:tag", config, |root| std::fs::write(root.join("x"), "12345")).await;
    let found = test.backend.inspect_images(&[image, reference("localhost:5000/a/b")]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], None);
    let info = found[0].clone().unwrap();
    assert_eq!(info.names, ["localhost:5000/a/b:tag"]);
    assert_eq!(info.diff_ids, ["one"]);
    assert_eq!(info.environment, ["A={root}/b"]);
    assert_eq!(info.size, 5);
    assert_eq!(info.labels.get("key").unwrap().as_str(), "value");
}

#[tokio::test]
async fn an_image_whose_creation_fails_does_not_exist() {
    let test = TestHost::new();
    let image = reference("test/failing:1");
    let config = HostImageConfig::new(["true"]);
    let result = test.host.create_image(&image, config, |_| Err(std::io::Error::other("no more"))).await;
    assert!(matches!(result, Err(CommandError::Host(HostError::File { action: "fill image", .. }))), "{result:?}");
    assert_eq!(test.backend.inspect_images(&[image]).await.unwrap(), [None]);
    assert_eq!(test.entries("images"), Vec::<String>::new());
}

#[tokio::test]
async fn names_are_listed_by_the_prefix_of_their_canonical_form() {
    let test = TestHost::new();
    for image in ["acme/app:1", "acme/app/part:1", "acme/app:2", "ghcr.io/acme/app:1", "tool"] {
        test.image(image, HostImageConfig::new(["true"]), |_| Ok(())).await;
    }
    let all = ["docker.io/acme/app:1", "docker.io/acme/app:2", "docker.io/acme/app/part:1"];
    assert_eq!(names(&test, "docker.io/acme/app").await, all);
    assert_eq!(names(&test, "docker.io/library/").await, ["docker.io/library/tool:latest"]);
    assert_eq!(names(&test, "").await.len(), 5);
    assert_eq!(test.backend.inspect_images(&[reference("docker.io/library/tool:latest")]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_image_is_kept_until_its_last_name_is_removed() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let other = reference("other/name:2");
    test.backend.tag(&image, &other).await.unwrap();
    test.backend.tag(&image, &other).await.unwrap();
    let ids: Vec<String> = test.backend.images("").await.unwrap().into_iter().map(|summary| summary.id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    test.backend.remove_image(&image).await.unwrap();
    assert!(matches!(test.backend.remove_image(&image).await, Err(CommandError::ImageNotFound { .. })));
    test.run("one", &other).await.remove_force().await.unwrap();
    test.backend.remove_image(&other).await.unwrap();
    assert_eq!(test.entries("images"), Vec::<String>::new());
    assert_eq!(test.entries("names"), Vec::<String>::new());
}

#[tokio::test]
async fn an_image_in_use_is_not_removed() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let container = test.run("one", &image).await;
    assert!(matches!(test.backend.remove_image(&image).await, Err(CommandError::ImageInUse { .. })));
    container.stop(Duration::from_secs(5)).await.unwrap();
    assert!(matches!(test.backend.remove_image(&image).await, Err(CommandError::ImageInUse { .. })));
    container.remove().await.unwrap();
    test.backend.remove_image(&image).await.unwrap();
}

#[tokio::test]
async fn a_commit_of_a_running_container_shuts_it_down_cleanly() {
    let test = TestHost::new();
    let image = test.shell_image("test/base:1", APPEND, FILES).await;
    let container = test.run("one", &image).await;
    let log = test.state.path().join("containers/one/log");
    eventually("it has started", || std::fs::read_to_string(&log).unwrap() == "original\nstarted\n");
    let layer = reference("test/layer:1");
    container.commit(&CommitSpec::new(layer.clone())).await.unwrap();
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Exited);
    assert_eq!(data_of(&test, &layer).await, "original\nstarted\nstopped\n");
    assert_eq!(data_of(&test, &image).await, "original\n");
    // The container continues with its files, and a second commit replaces the first.
    container.start().await.unwrap();
    eventually("it has started again", || std::fs::read_to_string(&log).unwrap().matches("started\n").count() == 3);
    container.commit(&CommitSpec::new(layer.clone())).await.unwrap();
    assert_eq!(data_of(&test, &layer).await, "original\nstarted\nstopped\nstarted\nstopped\n");
    assert_eq!(test.entries("images").len(), 2);
    container.remove().await.unwrap();
}

#[tokio::test]
async fn a_commit_has_the_labels_of_the_container_and_one_more_layer() {
    let test = TestHost::new();
    let label = |key: &str, value: &str| (key.parse().unwrap(), value.parse().unwrap());
    let mut config = HostImageConfig::new(["sleep", "600"]);
    config.labels = Labels::from_iter([label("image", "1")]);
    config.diff_ids.push("base".to_owned());
    let image = test.image("test/base:1", config, |_| Ok(())).await;
    let mut run = spec("one", &image);
    run.labels = Labels::from_iter([label("session", "1"), label("seeds", "1")]);
    let container = test.backend.run(&run).await.unwrap();
    let mut commit = CommitSpec::new(reference("test/layer:1"));
    commit.labels = Labels::from_iter([label("session", ""), label("seeds", "2")]);
    container.commit(&commit).await.unwrap();
    let info = test.backend.inspect_images(&[commit.image]).await.unwrap().remove(0).unwrap();
    assert_eq!(info.labels, Labels::from_iter([label("image", "1"), label("seeds", "2")]));
    assert_eq!(info.diff_ids.len(), 2);
    assert_eq!(info.diff_ids[0], "base");
    container.remove().await.unwrap();
}

#[tokio::test]
async fn an_image_made_shortly_before_a_crash_of_the_machine_is_not_used() {
    let test = TestHost::new();
    let image = test.shell_image("test/base:1", "exec sleep 600", FILES).await;
    let id = test.entries("images").remove(0);
    std::fs::write(test.state.path().join("images").join(id).join("fresh"), "another boot").unwrap();
    assert_eq!(test.backend.inspect_images(std::slice::from_ref(&image)).await.unwrap(), [None]);
    assert_eq!(names(&test, "").await, Vec::<String>::new());
    assert!(matches!(test.backend.run(&spec("x", &image)).await, Err(CommandError::ImageNotFound { .. })));
    test.shell_image("test/base:1", "exec sleep 600", FILES).await;
    test.run("x", &image).await.remove_force().await.unwrap();
    test.host.prune_slots(|_| true).await.unwrap();
    assert_eq!(test.entries("images").len(), 1);
}

#[tokio::test]
async fn an_image_can_be_run_while_it_is_being_replaced() {
    let test = TestHost::new();
    let image = test.shell_image("test/base:1", "exec sleep 600", FILES).await;
    let replacing = {
        let (host, image) = (test.host.clone(), image.clone());
        tokio::spawn(async move {
            for _ in 0..50 {
                let config = HostImageConfig::new(["sleep", "600"]);
                host.create_image(&image, config, |root| std::fs::write(root.join("data"), "replaced\n"))
                    .await
                    .unwrap();
            }
        })
    };
    let mut number = 0;
    while !replacing.is_finished() {
        number += 1;
        test.run(&format!("run-{number}"), &image).await.remove_force().await.unwrap();
    }
    replacing.await.unwrap();
    test.host.prune_slots(|_| false).await.unwrap();
    assert_eq!(test.entries("images").len(), 1);
    assert!(test.entries("slots").len() <= 1);
}

#[tokio::test]
async fn a_panic_while_an_image_is_filled_is_an_error_and_leaves_no_image() {
    let test = TestHost::new();
    let name = reference("test/panics:1");
    let config = HostImageConfig::new(["true"]);
    let error = test.host.create_image(&name, config, |_| panic!("on purpose")).await.unwrap_err();
    assert!(matches!(&error, CommandError::Host(HostError::Background { .. })), "{error:?}");
    assert!(names(&test, "").await.is_empty());
    test.host.sweep();
    assert_eq!(test.host.leftovers(), 0);
}
