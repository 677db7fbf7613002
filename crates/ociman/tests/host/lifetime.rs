//! How long a container of the host backend lives: as long as its owner, or until it is removed.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{TestHost, eventually, is_alive, name, spec};
use ociman::command::ExitStatus;
use ociman::host::{Host, HostError};
use ociman::{Backend, ContainerState, Lifetime};

const STATE: &str = "OCIMAN_TEST_STATE";
const LIFETIME: &str = "OCIMAN_TEST_LIFETIME";

/// Starts another process that runs the container `helped` on a state folder, reports that, and waits to be killed.
fn helper(state: &Path, lifetime: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "lifetime::helper_process", "--nocapture"])
        .env(STATE, state)
        .env(LIFETIME, lifetime)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("the container runs")));
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "not a test: the other process of the tests here"]
fn helper_process() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let lifetime = match std::env::var(LIFETIME).as_deref() {
        Ok("detached") => Lifetime::Detached,
        _ => Lifetime::Owner,
    };
    // A container must not depend on a thread of the runtime, so the runtime ends before the process does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut spec = spec("helped", &"test/image:1".parse().unwrap());
        spec.lifetime = lifetime;
        Backend::host(Host::at(state)).run(&spec).await.unwrap();
    });
    drop(runtime);
    std::thread::sleep(Duration::from_millis(100));
    println!("the container runs");
    std::thread::sleep(Duration::from_secs(600));
}

#[tokio::test]
async fn a_container_dies_with_its_killed_owner_and_any_process_can_remove_it() {
    let test = TestHost::new();
    test.shell_image("test/image:1", "echo running; exec sleep 600", &[("data", "1")]).await;
    let owner = helper(test.state.path(), "owner");
    let pid = test.process_of("helped").unwrap();
    assert!(is_alive(pid));
    let mut container = test.backend.container(name("helped"));
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Running);
    kill(owner);
    eventually("the container's process has gone", || !is_alive(pid));
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Exited);
    // No process was there to see how it ended.
    assert_eq!(container.wait().await.unwrap(), ExitStatus::Exited(255));
    container.remove_force().await.unwrap();
    assert_eq!(test.entries("containers"), Vec::<String>::new());
    assert!(test.host.slots().await.unwrap().iter().all(|slot| !slot.in_use));
}

#[tokio::test]
async fn a_detached_container_survives_its_starter_and_another_process_can_stop_it() {
    let test = TestHost::new();
    test.shell_image("test/image:1", "echo running; exec sleep 600", &[("data", "1")]).await;
    kill(helper(test.state.path(), "detached"));
    let pid = test.process_of("helped").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(is_alive(pid));
    let container = test.backend.container(name("helped"));
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Running);
    assert_eq!(container.last_log_lines(5).await.unwrap(), "running\n");
    let waiting = {
        let container = container.clone();
        tokio::spawn(async move { container.wait().await })
    };
    container.stop(Duration::from_secs(5)).await.unwrap();
    assert!(!is_alive(pid));
    waiting.await.unwrap().unwrap();
    container.remove().await.unwrap();
}

#[tokio::test]
async fn a_slot_is_not_used_again_while_a_process_of_a_killed_owner_lives_in_it() {
    let test = TestHost::new();
    let script = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait";
    let image = test.shell_image("test/image:1", script, &[("data", "1")]).await;
    kill(helper(test.state.path(), "owner"));
    eventually("the leader has gone", || !is_alive(test.process_of("helped").unwrap()));
    let log = test.state.path().join("containers/helped/log");
    let grandchild: u32 = std::fs::read_to_string(log).unwrap().trim().parse().unwrap();
    assert!(is_alive(grandchild));
    let before = test.host.slots().await.unwrap();
    assert!(before.len() == 1 && before[0].in_use);
    // The container itself does not matter here, only that a process still uses its files.
    std::fs::remove_dir_all(test.state.path().join("containers/helped")).unwrap();
    let mut container = test.run("other", &image).await;
    let after = test.host.slots().await.unwrap();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|slot| slot.in_use));
    container.remove_force().await.unwrap();
    Command::new("kill").args(["-9", &grandchild.to_string()]).status().unwrap();
    // The child that it had started itself takes a second to end.
    while test.host.slots().await.unwrap().iter().any(|slot| slot.in_use) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Both slots are free now, and the changed one is reset before it is used.
    let runs = [test.run("one", &image).await, test.run("two", &image).await];
    assert_eq!(test.host.slots().await.unwrap().len(), 2);
    for mut run in runs {
        run.remove_force().await.unwrap();
    }
}

#[tokio::test]
async fn removal_kills_processes_that_survive_their_leader() {
    let test = TestHost::new();
    let script = "setsid sh -c 'echo $$; while :; do sleep 1; done' & wait";
    test.shell_image("test/image:1", script, &[("data", "1")]).await;
    kill(helper(test.state.path(), "owner"));
    eventually("the leader has gone", || !is_alive(test.process_of("helped").unwrap()));
    let log = test.state.path().join("containers/helped/log");
    let grandchild: u32 = std::fs::read_to_string(log).unwrap().trim().parse().unwrap();
    assert!(is_alive(grandchild));
    test.backend.container(name("helped")).remove_force().await.unwrap();
    assert!(!is_alive(grandchild));
}

#[tokio::test]
async fn a_name_claimed_by_a_process_that_died_before_it_started_anything_is_free_again() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let mut container = test.run("half", &image).await;
    let folder = test.state.path().join("containers/half");
    let config = std::fs::read(folder.join("config.json")).unwrap();
    container.remove_force().await.unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    assert_eq!(test.backend.list(&[], &[]).await.unwrap(), []);
    assert_eq!(test.entries("containers"), Vec::<String>::new());
    std::fs::create_dir(&folder).unwrap();
    test.run("half", &image).await.remove_force().await.unwrap();
}

#[test]
#[ignore = "not a test: what a user whom the machine does not know finds"]
fn homeless_process() {
    let error = Host::for_user().unwrap_err();
    assert!(matches!(error, HostError::NoHome), "{error:?}");
    println!("no home");
}

#[test]
fn a_user_without_a_home_directory_has_no_state_folder() {
    // Only root can become such a user.
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return assert!(Host::for_user().is_ok());
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let binary = folder.path().join("homeless");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut homeless = Command::new(binary);
    homeless.args(["--ignored", "--exact", "lifetime::homeless_process", "--nocapture"]);
    homeless.env_clear().current_dir("/").uid(4_000_000_001);
    let ended = homeless.output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stdout).contains("no home"), "{ended:?}");
}
