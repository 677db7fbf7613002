//! Commands in a container of the host backend.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use crate::support::{TestHost, name, spec};
use ociman::command::{ExitStatus, UserIds, communicate};
use ociman::host::{HostError, HostImageConfig, RunAs, find_user};
use ociman::{CommandError, Container, ExecSpec, Secret, Variable};

async fn running(test: &TestHost) -> Container {
    let mut config = HostImageConfig::new(["sleep", "600"]);
    config.environment.push(("FROM_IMAGE".to_owned(), "{root}/data".to_owned()));
    let image = test.image("test/image:1", config, |root| std::fs::write(root.join("data"), "42\n")).await;
    test.backend.run(&spec("one", &image).variable(Variable::plain("FROM_RUN", "run"))).await.unwrap()
}

fn shell(script: &str) -> ExecSpec {
    ExecSpec::new(["sh", "-c", script])
}

#[tokio::test]
async fn a_command_has_the_environment_of_the_container_and_its_own() {
    let test = TestHost::new();
    let container = running(&test).await;
    let spec = shell("cat $FROM_IMAGE; cat; echo $FROM_RUN $OPEN $HIDDEN $PWD ${CARGO_MANIFEST_DIR-clean}")
        .variable(Variable::plain("OPEN", "open"))
        .variable(Variable::secret("HIDDEN", Secret::new("hidden")))
        .variable(Variable::plain("FROM_RUN", "exec"))
        .folder("/usr");
    let output = container.exec(&spec, b"input\n").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\ninput\nexec open hidden /usr clean\n");
    assert_eq!(output.status, ExitStatus::Exited(0));
}

#[tokio::test]
async fn each_way_to_end_has_its_own_exit_status() {
    let test = TestHost::new();
    let container = running(&test).await;
    let plain = test.state.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    let plain = plain.to_str().unwrap();
    for (spec, status, message) in [
        (shell("exit 7"), ExitStatus::Exited(7), String::new()),
        (shell("kill -9 $$"), ExitStatus::Signaled(9), String::new()),
        (ExecSpec::new(["no-such-program"]), ExitStatus::Exited(127), "no-such-program: not found\n".to_owned()),
        (ExecSpec::new(["/no/such"]), ExitStatus::Exited(127), "/no/such: not found\n".to_owned()),
        (ExecSpec::new([plain]), ExitStatus::Exited(126), format!("{plain}: Permission denied (os error 13)\n")),
        (shell("true").folder("/no/such"), ExitStatus::Exited(126), "sh: no folder /no/such\n".to_owned()),
    ] {
        let output = container.exec(&spec, b"").await.unwrap();
        assert_eq!((output.status, String::from_utf8_lossy(&output.stderr).into_owned()), (status, message.clone()));
        let streamed = container.exec_streamed(&spec).await.unwrap();
        let output = communicate(streamed, b"input").await.unwrap();
        assert_eq!((output.status, String::from_utf8_lossy(&output.stderr).into_owned()), (status, message));
        if !matches!(status, ExitStatus::Signaled(_)) {
            assert_eq!(container.attach(&spec).await.unwrap().exit.await.unwrap(), status);
        }
    }
}

#[tokio::test]
async fn a_command_needs_a_running_container() {
    let test = TestHost::new();
    let container = running(&test).await;
    container.stop(Duration::from_secs(5)).await.unwrap();
    let error = container.exec(&shell("true"), b"").await.unwrap_err();
    assert!(matches!(error, CommandError::ContainerNotRunning { .. }), "{error:?}");
    let error = test.backend.container(name("other")).exec(&shell("true"), b"").await.unwrap_err();
    assert!(matches!(error, CommandError::ContainerNotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unknown_user_is_an_error() {
    let test = TestHost::new();
    let container = running(&test).await;
    let error = container.exec(&shell("true").user("no-such-user"), b"").await.unwrap_err();
    assert!(matches!(error, CommandError::Host(HostError::UnknownUser { .. })), "{error:?}");
}

/// As root, the processes run as the image's user, who can't reach the folder by its path. Without root privileges,
/// processes of another user can't be started at all.
#[tokio::test]
async fn as_root_processes_run_as_the_user_of_the_image_and_reach_their_files() {
    let test = TestHost::new();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let other = find_user(if is_root { "nobody" } else { "root" }).unwrap();
    let script = "cd /; id -u; cat $OCIMAN_ROOT/data; echo more >> $OCIMAN_ROOT/data; exec sleep 600";
    let mut config = HostImageConfig::new(["/bin/sh", "-c", script]);
    config.run_as = RunAs::User(other);
    std::fs::set_permissions(test.state.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let image = "test/image:1".parse().unwrap();
    let made = test
        .host
        .create_image(&image, config, |root| {
            std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700))?;
            std::fs::write(root.join("data"), "42\n")
        })
        .await;
    if !is_root {
        assert!(matches!(made, Err(CommandError::Host(HostError::ChangeUser { .. }))), "{made:?}");
        return;
    }
    made.unwrap();
    for _ in 0..2 {
        let mut container = test.run("one", &image).await;
        let UserIds { uid, .. } = other;
        let written =
            shell("while [ $(wc -l < $OCIMAN_ROOT/data) = 1 ]; do sleep 0.01; done; id -u; cat $OCIMAN_ROOT/data");
        let output = container.exec(&written, b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{uid}\n42\nmore\n"), "{output:?}");
        assert_eq!(container.last_log_lines(9).await.unwrap(), format!("{uid}\n42\n"));
        let output = container.exec(&shell("id -u; id -g; id -G").user("1:2"), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n2\n");
        let output = container.exec(&shell("id -u").user("root"), b"").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
        container.remove_force().await.unwrap();
        let slot = test.host.slots().await.unwrap().remove(0).path.join("root/data");
        assert_eq!(std::fs::metadata(slot).unwrap().uid(), uid);
    }
}
