//! Layers that have disappeared, or have too many file systems, when they are needed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ociman::command::{CommandLine, Executor, Process, ProcessError, QueryOutput};
use pg_ephemeral_testkit::Recorder;

use super::{TestProject, value};

/// An executor that runs every command, and removes an image just before the first container is started.
#[derive(Debug)]
struct TakesAway {
    inner: Recorder,
    image: Mutex<Option<String>>,
}

#[async_trait::async_trait]
impl Executor for TakesAway {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        if line.arguments.first().is_some_and(|word| word == "run")
            && let Some(image) = self.image.lock().unwrap().take()
        {
            let removed = std::process::Command::new(&line.program).args(["rmi", &image]).output().unwrap();
            assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
        }
        self.inner.spawn(line).await
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        self.inner.query(line, limit).await
    }
}

fn seeds(count: usize) -> String {
    let seed = |number| {
        format!("s{number} = {{ type = \"sql-statement\", statement = \"create table t{number} as select 1\" }}\n")
    };
    (1..=count).map(seed).collect()
}

/// Returns the name of the layer of the last of `count` seeds.
async fn deepest(ground: &TestProject, count: usize) -> String {
    ground.populate(&seeds(count - 1)).await;
    let before = ground.layers();
    ground.populate(&seeds(count)).await;
    let tag = ground.layers().into_iter().find(|tag| !before.contains(tag)).unwrap();
    format!("{}:{tag}", ground.layer_name())
}

pub(crate) async fn a_layer_that_is_removed_after_it_was_found_is_built_again(ground: TestProject) {
    let image = Mutex::new(Some(deepest(&ground, 3).await));
    ground.forget();
    let executor = Arc::new(TakesAway { inner: ground.recorder.clone(), image });
    let server = ground.definition(&seeds(3)).executor(executor).start().await.unwrap();
    assert_eq!(ground.applied(), [3]);
    assert_eq!(value(&server, "select count(*) from t3").await, "1");
    server.stop().await.unwrap();
    ground.assert_nothing_runs();
    assert_eq!(ground.layers().len(), 4);
}

pub(crate) async fn a_chain_of_sixty_four_seeds_is_built_once_and_boots(ground: TestProject) {
    let seeds = seeds(64);
    ground.populate(&seeds).await;
    assert_eq!(ground.layers().len(), 65);
    let server = ground.start(&seeds).await;
    assert!(ground.applied().is_empty());
    let tables = "select count(*) from pg_class where relname ~ '^t[0-9]+$' and relkind = 'r'";
    assert_eq!(value(&server, tables).await, "64");
    server.stop().await.unwrap();
}

/// The image of a layer whose seeds were added one by one consists of as many file systems, and an engine limits their
/// number.
pub(crate) async fn a_layer_with_too_many_file_systems_still_boots_and_can_be_extended(ground: TestProject) {
    let layer = deepest(&ground, 2).await;
    add_file_systems(&ground, &layer, 100);

    ground.start(&seeds(2)).await.stop().await.unwrap();
    assert!(ground.applied().is_empty(), "a layer that lies deep boots");

    let server = ground.start(&seeds(3)).await;
    assert_eq!(ground.applied(), [2, 3], "the build starts from the layer below");
    assert_eq!(value(&server, "(select count(*) from t2) + (select count(*) from t3)").await, "2");
    super::tool(&server, "test", &["!", "-e", "/pad"]).await;
    server.stop().await.unwrap();
    assert_eq!(ground.layers().len(), 4, "each state is kept once");

    ground.populate(&seeds(4)).await;
    assert_eq!(ground.applied(), [4], "what was built flat can be built upon");
}

/// Adds `count` file systems to an image, as if that many builds had added to it. An engine would take a second for
/// each of them, so they are added to the image's archive instead.
fn add_file_systems(ground: &TestProject, image: &str, count: usize) {
    let folder = ground.project().join("archive");
    std::fs::create_dir(&folder).unwrap();
    ground.engine(&["save", "--output", folder.join("image.tar").to_str().unwrap(), image]);
    shell(&folder, "mkdir image && tar -xf image.tar -C image && rm image.tar");
    let make = "for n in $(seq \"$COUNT\"); do echo $n > pad && tar -cf image/pad-$n.tar --mtime=@0 pad; done";
    shell(&folder, &make.replace("$COUNT", &count.to_string()));
    let sums = shell(&folder, "cd image && sha256sum pad-*.tar");
    let pads: Vec<(&str, &str)> = sums.lines().filter_map(|line| line.split_once("  ")).collect();
    assert_eq!(pads.len(), count);

    let manifest_path = folder.join("image/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest_path).unwrap()).unwrap();
    let config_path = folder.join("image").join(manifest[0]["Config"].as_str().unwrap());
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&config_path).unwrap()).unwrap();
    let list = |value: &mut serde_json::Value, item: serde_json::Value| value.as_array_mut().unwrap().push(item);
    for (sum, file) in pads {
        list(&mut manifest[0]["Layers"], file.into());
        list(&mut config["rootfs"]["diff_ids"], format!("sha256:{sum}").into());
        list(&mut config["history"], serde_json::json!({ "created_by": file }));
    }
    std::fs::write(manifest_path, manifest.to_string()).unwrap();
    std::fs::write(config_path, config.to_string()).unwrap();

    shell(&folder, "tar -cf image.tar -C image .");
    ground.engine(&["rmi", image]);
    ground.engine(&["load", "--input", folder.join("image.tar").to_str().unwrap()]);
    std::fs::remove_dir_all(folder).unwrap();
}

fn shell(folder: &std::path::Path, script: &str) -> String {
    let output = std::process::Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
