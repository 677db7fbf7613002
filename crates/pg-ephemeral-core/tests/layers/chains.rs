//! Only changed seeds, and the seeds after them, run again.

use ociman::Kind;
use pg_ephemeral_core::progress::Step;
use pg_ephemeral_testkit::Operation;

use super::{TestProject, value};

const LENGTH: usize = 16;

/// Writes SQL files that each create a table, and returns their seeds.
fn files(ground: &TestProject, count: usize) -> String {
    for number in 1..=count {
        ground.write(&format!("{number}.sql"), format!("create table t{number} as select {number} as id;\n"));
    }
    toml(count, |number| format!("{number}.sql"))
}

fn toml(count: usize, path: impl Fn(usize) -> String) -> String {
    let seed = |number| format!("s{number} = {{ type = \"sql-file\", path = \"{}\" }}\n", path(number));
    (1..=count).map(seed).collect()
}

/// The number of engine commands, without the one that only a slow start runs.
fn commands(ground: &TestProject) -> usize {
    ground.recorder.total() - ground.recorder.count(Operation::Wait)
}

async fn boot(ground: &TestProject, seeds: &str) -> usize {
    ground.start(seeds).await.stop().await.unwrap();
    commands(ground)
}

/// One test for several behaviours, because building the chain takes most of the time.
pub(crate) async fn sixteen_seeds_are_built_in_one_container_and_run_again_only_from_a_change_on(ground: TestProject) {
    let seeds = files(&ground, LENGTH);
    ground.populate("").await;
    ground.populate(&seeds).await;
    assert_eq!(ground.applied(), (1..=LENGTH).collect::<Vec<_>>());
    assert_built_in_one_container(&ground);

    ground.populate(&seeds).await;
    assert!(!ground.steps().iter().any(|step| matches!(step, Step::Run | Step::Commit)), "{:?}", ground.steps());

    let without = boot(&ground, "").await;
    let with = boot(&ground, &seeds).await;
    assert!(ground.applied().is_empty());
    assert_eq!(with, without, "{}", ground.recorder.journal());
    if ground.kind != Kind::Host {
        assert!(with <= 5, "{}", ground.recorder.journal());
    }

    ground.write("9.sql", "create table t9 as select 99 as id;\n");
    let server = ground.start(&seeds).await;
    assert_eq!(ground.applied(), (9..=LENGTH).collect::<Vec<_>>());
    assert_eq!(ground.count(&Step::Initialise), 0);
    assert_eq!(value(&server, "(select id from t9) * 100 + (select id from t16)").await, "9916");
    server.stop().await.unwrap();

    // The layers of the earlier state still exist.
    ground.write("9.sql", "create table t9 as select 9 as id;\n");
    boot(&ground, &seeds).await;
    assert!(ground.applied().is_empty());
}

fn assert_built_in_one_container(ground: &TestProject) {
    assert_eq!((ground.count(&Step::Run), ground.count(&Step::Commit)), (1, LENGTH));
    if ground.kind != Kind::Host {
        let journal = ground.recorder.journal();
        assert_eq!(ground.recorder.count(Operation::Run), 1, "{journal}");
        assert_eq!(ground.recorder.count(Operation::Commit), LENGTH, "{journal}");
        assert!(commands(ground) <= LENGTH + 7, "{journal}");
    }
    ground.assert_nothing_runs();
    assert_eq!(ground.layers().len(), LENGTH + 1);
}

pub(crate) async fn renaming_or_moving_files_seeds_or_images_runs_no_seed_again(mut ground: TestProject) {
    const LENGTH: usize = 3;
    let seeds = files(&ground, LENGTH);
    ground.populate(&seeds).await;

    std::fs::create_dir(ground.project().join("sql")).unwrap();
    for number in 1..=LENGTH {
        let name = format!("{number}.sql");
        std::fs::rename(ground.project().join(&name), ground.project().join("sql").join(&name)).unwrap();
    }
    let moved = toml(LENGTH, |number| format!("sql/{number}.sql"));
    boot(&ground, &moved).await;
    assert!(ground.applied().is_empty(), "files were moved");

    let renamed = ground.home.join("renamed");
    std::fs::rename(ground.project(), &renamed).unwrap();
    ground.forget();
    ground.definition_in(&renamed, &moved).start().await.unwrap().stop().await.unwrap();
    assert!(ground.applied().is_empty(), "the folder was renamed");
    std::fs::rename(&renamed, ground.project()).unwrap();

    boot(&ground, &moved.replace("\ns", "\nother-")).await;
    assert!(ground.applied().is_empty(), "seeds were renamed");

    if ground.kind == Kind::Host {
        return;
    }
    let tag = format!("localhost/{}/base:1", ground.instance);
    ground.engine(&["tag", &ground.image, &tag]);
    let official = std::mem::replace(&mut ground.image, tag.clone());
    boot(&ground, &moved).await;
    assert!(ground.applied().is_empty(), "the image has another name");

    // Give the same tag to another image.
    let container = format!("{}-change", ground.instance);
    let label = format!("pg-ephemeral.instance={}", ground.instance);
    ground.engine(&["run", "--name", &container, "--label", &label, "--entrypoint", "touch", &official, "/changed"]);
    ground.engine(&["commit", &container, &tag]);
    ground.engine(&["rm", "--force", "--volumes", &container]);
    ground.populate(&moved).await;
    assert_eq!(ground.applied(), (1..=LENGTH).collect::<Vec<_>>(), "the image is another one");
    let server = ground.start(&moved).await;
    assert!(ground.applied().is_empty());
    super::tool(&server, "test", &["-e", "/changed"]).await;
    server.stop().await.unwrap();
    ground.engine(&["rmi", "--force", &tag]);
}
