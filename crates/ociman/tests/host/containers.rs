//! Containers of the host backend, from their start to their end.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{TestHost, eventually, is_alive, spec};
use ociman::command::ExitStatus;
use ociman::host::{HostError, HostImageConfig};
use ociman::label::{Filter, Labels};
use ociman::{CommandError, ContainerState, Lifetime, Mount, PublishedPort, Secret, Variable};

#[tokio::test]
async fn a_container_runs_and_is_gone_after_removal() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let mut container = test.run("one", &image).await;
    let pid = test.process_of("one").unwrap();
    assert!(is_alive(pid));
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Running);
    container.remove_force().await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(test.entries("containers"), Vec::<String>::new());
    assert!(matches!(container.inspect().await, Err(CommandError::ContainerNotFound { .. })));
    container.remove_force().await.unwrap();
}

#[tokio::test]
async fn the_output_is_logged_and_the_exit_status_is_reported() {
    let test = TestHost::new();
    let image = test.shell_image("test/talker:1", "echo one; echo two >&2; echo three; exit 3", &[]).await;
    let container = test.run("talker", &image).await;
    assert_eq!(container.wait().await.unwrap(), ExitStatus::Exited(3));
    assert_eq!(container.last_log_lines(2).await.unwrap(), "two\nthree\n");
    let info = container.inspect().await.unwrap();
    assert_eq!((info.state, info.exit_code), (ContainerState::Exited, Some(3)));
    assert_eq!(container.wait().await.unwrap(), ExitStatus::Exited(3));
    container.remove().await.unwrap();
    assert_eq!(test.entries("containers"), Vec::<String>::new());
}

#[tokio::test]
async fn an_inspection_waits_until_the_exit_status_is_recorded() {
    let test = TestHost::new();
    let image = test.shell_image("test/ends:1", "exit 3", &[]).await;
    let container = test.run("ends", &image).await;
    container.wait().await.unwrap();
    // This is the state after the starter has seen the end and before it has recorded it.
    let file = test.state.path().join("containers/ends/process");
    let whole = std::fs::read_to_string(&file).unwrap();
    let (before, word) = whole.split_at(whole.find("exited").unwrap());
    std::fs::write(&file, before).unwrap();
    let late = std::thread::spawn({
        let (file, word) = (file.clone(), word.to_owned());
        move || {
            std::thread::sleep(Duration::from_millis(100));
            std::fs::OpenOptions::new().append(true).open(file).unwrap().write_all(word.as_bytes()).unwrap();
        }
    });
    assert_eq!(container.inspect().await.unwrap().exit_code, Some(3));
    late.join().unwrap();
}

#[tokio::test]
async fn the_end_of_a_process_that_another_program_killed_is_noticed() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let container = test.run("one", &image).await;
    let pid = test.process_of("one").unwrap();
    let waiting = tokio::spawn(async move { container.wait().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begin = Instant::now();
    std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), ExitStatus::Signaled(15));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn exactly_one_of_many_concurrent_runs_gets_a_name() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(16));
    let runs: Vec<_> = (0..16)
        .map(|_| {
            let (backend, spec, barrier) = (test.backend.clone(), spec("same", &image), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                backend.run(&spec).await
            })
        })
        .collect();
    let mut won = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(_) => won += 1,
            Err(CommandError::NameTaken { name }) => assert_eq!(name, "same"),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(test.entries("containers"), ["same"]);
}

#[tokio::test]
async fn an_abandoned_run_leaves_nothing_behind() {
    let test = TestHost::new();
    let image = test.shell_image("test/sleeper:1", "exec sleep 600", &[("data", "1")]).await;
    test.run("first", &image).await.remove_force().await.unwrap();
    for number in 0..20 {
        let spec = spec(&format!("given-up-{number}"), &image);
        let limit = Duration::from_micros(number * 100);
        if let Ok(kept) = tokio::time::timeout(limit, test.backend.run(&spec)).await {
            kept.unwrap().remove_force().await.unwrap();
        }
    }
    // An abandoned run continues for a moment before it is undone.
    tokio::time::sleep(Duration::from_millis(300)).await;
    eventually("all have gone", || test.entries("containers").is_empty());
}

#[tokio::test]
async fn a_missing_program_is_an_error_and_leaves_nothing_behind() {
    let test = TestHost::new();
    let image = test.image("test/broken:1", HostImageConfig::new(["/no/such/program"]), |_| Ok(())).await;
    let error = test.backend.run(&spec("broken", &image)).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to start /no/such/program");
    assert_eq!(test.entries("containers"), Vec::<String>::new());
}

#[tokio::test]
async fn an_unknown_image_is_an_error_that_names_it() {
    let test = TestHost::new();
    let image = "no/such:image".parse().unwrap();
    let error = test.backend.run(&spec("x", &image)).await.unwrap_err();
    assert!(matches!(&error, CommandError::ImageNotFound { image } if image == "no/such:image"), "{error:?}");
}

#[tokio::test]
async fn the_environment_is_clean_and_secrets_are_not_stored() {
    let test = TestHost::new();
    let mut config = HostImageConfig::new(["/bin/sh", "-c", "env; exec sleep 600"]);
    config.environment.push(("DATA".to_owned(), "{root}/data".to_owned()));
    let image = test.image("test/env:1", config, |_| Ok(())).await;
    let spec = spec("env", &image)
        .variable(Variable::plain("OPEN", "{root} stays"))
        .variable(Variable::secret("PASSWORD", Secret::new("hunter2hunter2")));
    let container = test.backend.run(&spec).await.unwrap();
    eventually("it has printed", || {
        std::fs::read_to_string(test.state.path().join("containers/env/log")).unwrap().contains("PASSWORD=")
    });
    let log = container.last_log_lines(100).await.unwrap();
    let mut names: Vec<&str> = log.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_", "TZ"].contains(name));
    assert_eq!(names, ["DATA", "HOME", "OCIMAN_ROOT", "OPEN", "PASSWORD", "PATH"]);
    let root = test.state.path().join("containers/env/root");
    assert!(log.contains(&format!("DATA={}/data\n", root.display())), "{log}");
    assert!(log.contains("OPEN={root} stays\n"), "{log}");
    let config = std::fs::read_to_string(test.state.path().join("containers/env/config.json")).unwrap();
    assert!(config.contains("{root} stays") && !config.contains("hunter2"), "{config}");
    let info = container.inspect().await.unwrap();
    assert_eq!(info.environment, ["DATA={root}/data", "OPEN={root} stays"]);
}

#[tokio::test]
async fn labels_come_from_image_and_run_and_filter_a_listing() {
    let test = TestHost::new();
    let label = |key: &str, value: &str| (key.parse().unwrap(), value.parse().unwrap());
    let mut config = HostImageConfig::new(["sleep", "600"]);
    config.labels = Labels::from_iter([label("a", "image"), label("b", "image")]);
    let image = test.image("test/labels:1", config, |_| Ok(())).await;
    let mut first = spec("first", &image);
    first.labels = Labels::from_iter([label("b", "run"), label("c", "run")]);
    test.backend.run(&first).await.unwrap();
    test.backend.run(&spec("second", &image)).await.unwrap();
    let filter = Filter::exact(&"b".parse().unwrap(), &"run".parse().unwrap());
    let found = test.backend.list(&[filter], &["a".parse().unwrap()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].state), ("first", ContainerState::Running));
    assert_eq!(found[0].labels, Labels::from_iter([label("a", "image")]));
    let all = test.backend.list(&[Filter::key_only(&"a".parse().unwrap())], &[]).await.unwrap();
    assert_eq!(all.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["first", "second"]);
}

#[tokio::test]
async fn unsupported_mounts_and_ports_are_refused() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let bind = Mount::Bind { source: "/tmp".into(), target: "/x".into(), access: ociman::Access::ReadOnly };
    let error = test.backend.run(&spec("x", &image).mount(bind)).await.unwrap_err();
    assert_eq!(error.to_string(), "the host backend can't mount folders");
    let port = PublishedPort { container: 1, address: "127.0.0.1".parse().unwrap(), port: None };
    let error = test.backend.run(&spec("x", &image).port(port)).await.unwrap_err();
    assert_eq!(error.to_string(), "the host backend can't choose a port");
}

#[tokio::test]
async fn a_port_is_taken_while_a_process_listens_on_it() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    let port = PublishedPort { container: 5432, address: "127.0.0.1".parse().unwrap(), port: Some(number) };
    let error = test.backend.run(&spec("x", &image).port(port)).await.unwrap_err();
    assert!(matches!(error, CommandError::PortTaken { .. }), "{error:?}");
    drop(listener);
    let container = test.backend.run(&spec("x", &image).port(port)).await.unwrap();
    let published = container.published_port(5432).await.unwrap().unwrap();
    assert_eq!(published.to_string(), format!("127.0.0.1:{number}"));
}

#[tokio::test]
async fn a_running_container_is_removed_only_by_force() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let container = test.run("one", &image).await;
    let error = container.remove().await.unwrap_err();
    assert!(matches!(error, CommandError::Host(HostError::Running { .. })), "{error:?}");
    container.stop(Duration::from_secs(5)).await.unwrap();
    container.stop(Duration::from_secs(5)).await.unwrap();
    container.remove().await.unwrap();
}

#[tokio::test]
async fn a_stopped_container_starts_again_on_its_own_files() {
    let test = TestHost::new();
    let script = "echo more >> $OCIMAN_ROOT/data; wc -l < $OCIMAN_ROOT/data; exec sleep 600";
    let image = test.shell_image("test/counter:1", script, &[("data", "first\n")]).await;
    let mut container = test.run("counter", &image).await;
    let log = test.state.path().join("containers/counter/log");
    eventually("first start", || std::fs::read_to_string(&log).unwrap() == "2\n");
    container.stop(Duration::from_secs(5)).await.unwrap();
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Exited);
    container.start().await.unwrap();
    container.start().await.unwrap();
    eventually("second start", || std::fs::read_to_string(&log).unwrap() == "2\n3\n");
    assert_eq!(container.inspect().await.unwrap().state, ContainerState::Running);
    container.remove_force().await.unwrap();
    let mut again = test.run("counter", &image).await;
    eventually("third start", || std::fs::read_to_string(&log).unwrap_or_default() == "2\n");
    again.remove_force().await.unwrap();
}

#[tokio::test]
async fn a_container_that_ignores_the_stop_signal_is_killed_after_the_limit() {
    let test = TestHost::new();
    let image = test.shell_image("test/stubborn:1", "trap '' TERM; while :; do sleep 0.05; done", &[]).await;
    let container = test.run("stubborn", &image).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begin = Instant::now();
    container.stop(Duration::from_millis(300)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(container.wait().await.unwrap(), ExitStatus::Signaled(9));
}

#[tokio::test]
async fn removal_ends_the_whole_process_tree() {
    let test = TestHost::new();
    let script = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait";
    let image = test.shell_image("test/tree:1", script, &[("data", "x")]).await;
    let mut container = test.run("tree", &image).await;
    let log = test.state.path().join("containers/tree/log");
    eventually("the grandchild runs", || std::fs::read_to_string(&log).unwrap().ends_with('\n'));
    let grandchild: u32 = std::fs::read_to_string(&log).unwrap().trim().parse().unwrap();
    assert!(is_alive(grandchild));
    container.remove_force().await.unwrap();
    assert!(!is_alive(grandchild));
    assert_eq!(test.entries("containers"), Vec::<String>::new());
}

#[tokio::test]
async fn an_ended_process_does_not_remain_as_a_zombie() {
    let test = TestHost::new();
    let image = test.shell_image("test/short:1", "exit 0", &[]).await;
    let container = test.run("short", &image).await;
    let pid = test.process_of("short").unwrap();
    container.wait().await.unwrap();
    eventually("it was waited for", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_detached_container_has_a_session_of_its_own() {
    let test = TestHost::new();
    let image = test.sleeper().await;
    let mut spec = spec("detached", &image);
    spec.lifetime = Lifetime::Detached;
    let mut container = test.backend.run(&spec).await.unwrap();
    let pid = test.process_of("detached").unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().parse::<u32>().unwrap();
    assert_eq!(session, pid);
    container.remove_force().await.unwrap();
}

#[tokio::test]
async fn an_image_without_a_program_needs_one_from_the_caller() {
    let test = TestHost::new();
    let image = test.image("test/empty:1", HostImageConfig::new(Vec::<String>::new()), |_| Ok(())).await;
    let error = test.backend.run(&spec("empty", &image)).await.unwrap_err();
    assert!(
        matches!(&error, CommandError::Host(HostError::NoProgram { container, .. }) if container == "empty"),
        "{error:?}"
    );
    assert_eq!(test.entries("containers"), Vec::<String>::new());
    let container = test.backend.run(&spec("empty", &image).entrypoint(["true"])).await.unwrap();
    assert!(container.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_damaged_container_is_an_error_that_names_its_file_and_others_are_still_listed() {
    let test = TestHost::new();
    let image = test.shell_image("test/short:1", "true", &[]).await;
    for name in ["damaged", "whole"] {
        test.run(name, &image).await.wait().await.unwrap();
    }
    std::fs::write(test.state.path().join("containers/damaged/config.json"), "{").unwrap();
    let error = test.backend.container(crate::support::name("damaged")).inspect().await.unwrap_err();
    assert!(
        matches!(&error, CommandError::Host(HostError::Malformed { path, .. }) if path.ends_with("damaged/config.json")),
        "{error:?}"
    );
    let listed = test.backend.list(&[], &[]).await.unwrap();
    assert_eq!(listed.iter().map(|container| container.name.as_str()).collect::<Vec<_>>(), ["whole"]);
}
