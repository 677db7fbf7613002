//! Every way in which running an engine command can fail, and the error that reports it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ociman::command::{CommandLine, Executor, ExitStatus, Process, ProcessError, QueryOutput, Stream};
use ociman::{Backend, CommandError, RunSpec, System};

const AMPLE: Duration = Duration::from_secs(20);

/// Starts every command, but then fails to wait for it.
#[derive(Debug)]
struct FailsToWait;

#[async_trait::async_trait]
impl Executor for FailsToWait {
    async fn spawn(&self, line: CommandLine) -> Result<Process, ProcessError> {
        assert_eq!(line.stdout, Stream::Piped);
        let exit: io::Result<ExitStatus> = Err(io::ErrorKind::NotFound.into());
        Ok(Process { id: None, stdin: None, stdout: None, stderr: None, exit: Box::pin(std::future::ready(exit)) })
    }

    async fn query(&self, line: CommandLine, limit: Duration) -> Result<QueryOutput, ProcessError> {
        System.query(line, limit).await
    }
}

fn file(mode: u32) -> tempfile::NamedTempFile {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    file
}

#[tokio::test]
async fn a_missing_program_is_another_error_than_one_that_can_not_be_started() {
    let missing = || CommandLine::new("no-such-program-of-anybody");
    assert!(matches!(System.spawn(missing()).await, Err(ProcessError::ProgramNotFound { .. })));
    assert!(matches!(System.query(missing(), AMPLE).await, Err(ProcessError::ProgramNotFound { .. })));
    let file = file(0o600);
    let started = System.spawn(CommandLine::new(file.path())).await;
    let Err(ProcessError::Spawn { program, source }) = started else { panic!("{started:?}") };
    assert_eq!((program.as_os_str(), source.kind()), (file.path().as_os_str(), io::ErrorKind::PermissionDenied));
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_ended_and_the_error_shows_the_limit() {
    let limit = Duration::from_millis(50);
    let error = System.query(CommandLine::new("sleep").argument("600"), limit).await.unwrap_err();
    assert_eq!(error.to_string(), "sleep 600: no answer within 0.05 s");
    assert!(matches!(error, ProcessError::TimedOut { .. }));
}

/// Returns `true` if a process is still running that has this file in its command line.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn captured_output_does_not_go_to_a_pipe_that_would_break_if_this_process_were_killed() {
    let script = "cat; readlink /proc/self/fd/1; readlink /proc/self/fd/2 >&2; exit 7";
    let output = System.capture(CommandLine::new("sh").arguments(["-c", script]), b"input\n").await.unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), 7);
    assert!(stdout.starts_with("input\n/memfd:") && stderr.starts_with("/memfd:"), "{stdout}{stderr}");
}

fn runs(file: &Path) -> bool {
    let file = file.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&file))
}

#[tokio::test]
async fn an_abandoned_query_may_clean_up_and_is_killed_if_it_does_not_end() {
    for (handler, tidies) in [("rm \"$0\"; exit", true), ("", false)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("trap '{handler}' TERM; echo started >\"$0\"; while :; do sleep 0.05; done");
        let line = CommandLine::new("sh").arguments(["-c", &script]).argument(file.path());
        let query = tokio::spawn(async move { System.query(line, AMPLE).await });
        let started = || std::fs::read(file.path()).is_ok_and(|text| !text.is_empty());
        eventually("it has started", started).await;
        query.abort();
        eventually("it has ended", || !runs(file.path())).await;
        assert_eq!(file.path().exists(), !tidies);
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < AMPLE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_process_that_can_not_be_waited_for_is_an_error() {
    let error = FailsToWait.capture(CommandLine::new("docker"), b"").await.unwrap_err();
    assert!(matches!(&error, ProcessError::Communicate { program, .. } if program == "docker"), "{error:?}");
    assert_eq!(error.to_string(), "failed to talk to \"docker\"");
}

#[tokio::test]
async fn the_failure_to_run_an_engine_command_is_the_cause_of_the_error() {
    let spec = RunSpec::new("a".parse().unwrap(), "docker.io/library/postgres:17".parse().unwrap());
    for backend in [Backend::docker_with(Arc::new(FailsToWait)), Backend::podman_with(Arc::new(FailsToWait))] {
        let error = backend.run(&spec).await.unwrap_err();
        assert!(matches!(&error, CommandError::Command { source: ProcessError::Communicate { .. }, .. }), "{error:?}");
    }
}
