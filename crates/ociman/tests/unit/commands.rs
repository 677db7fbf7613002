//! Every way in which a command of an engine can fail to be run, as the error that tells of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ociman::command::{CommandLine, Executor, ExitStatus, Process, ProcessError, QueryOutput, Stream};
use ociman::{Backend, CommandError, RunSpec, System};

const AMPLE: Duration = Duration::from_secs(20);

/// Starts every command, and then loses it.
#[derive(Debug)]
struct Losing;

#[async_trait::async_trait]
impl Executor for Losing {
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
async fn a_program_that_is_not_there_is_told_from_one_that_does_not_start() {
    let missing = || CommandLine::new("no-such-program-of-anybody");
    assert!(matches!(System.spawn(missing()).await, Err(ProcessError::ProgramNotFound { .. })));
    assert!(matches!(System.query(missing(), AMPLE).await, Err(ProcessError::ProgramNotFound { .. })));
    let file = file(0o600);
    let started = System.spawn(CommandLine::new(file.path())).await;
    let Err(ProcessError::Spawn { program, source }) = started else { panic!("{started:?}") };
    assert_eq!((program.as_os_str(), source.kind()), (file.path().as_os_str(), io::ErrorKind::PermissionDenied));
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_ended_and_told_with_its_limit() {
    let limit = Duration::from_millis(50);
    let error = System.query(CommandLine::new("sleep").argument("600"), limit).await.unwrap_err();
    assert_eq!(error.to_string(), "sleep 600: no answer within 0.05 s");
    assert!(matches!(error, ProcessError::TimedOut { .. }));
}

/// Whether a process still runs that does with this file what its command line says.
fn runs(file: &Path) -> bool {
    let file = file.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&file))
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_may_tidy_up_and_is_killed_when_it_does_not_end() {
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
async fn a_process_that_can_not_be_waited_for_is_told() {
    let error = Losing.capture(CommandLine::new("docker"), b"").await.unwrap_err();
    assert!(matches!(&error, ProcessError::Communicate { program, .. } if program == "docker"), "{error:?}");
    assert_eq!(error.to_string(), "talk to \"docker\"");
}

#[tokio::test]
async fn a_command_of_an_engine_that_could_not_be_run_is_the_cause_of_its_error() {
    let spec = RunSpec::new("a".parse().unwrap(), "docker.io/library/postgres:17".parse().unwrap());
    for backend in [Backend::docker_with(Arc::new(Losing)), Backend::podman_with(Arc::new(Losing))] {
        let error = backend.run(&spec).await.unwrap_err();
        assert!(matches!(&error, CommandError::Command { source: ProcessError::Communicate { .. }, .. }), "{error:?}");
    }
}
