//! Shared code of the tests of the binary: projects whose commands run the binary.
#![allow(dead_code, unreachable_pub)]

pub mod database_cases;

pub mod engine;
pub mod engine_cases;
pub mod fakes;
pub mod markdown;
pub mod pages;
pub mod readme;
pub mod remote_engine;
pub mod rootless;
pub mod session_cases;
pub mod site;
pub mod snapshot_cases;
pub mod terminal;
pub mod terminal_cases;
pub mod tls_cases;
pub mod tool_cases;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use pg_ephemeral_testkit::base_layer::put_base_layer_on_host;
use pg_ephemeral_testkit::{Project, ProjectCommand, Ran};

/// A time limit that is ample for one command on a busy machine.
pub const AMPLE: Duration = Duration::from_secs(60);

/// Creates an empty project that may have the base layer of the host backend already.
pub fn warm_project() -> Project {
    let project = project();
    put_base_layer_on_host("main", &project.state());
    project
}

/// Creates an empty project without any state.
pub fn project() -> Project {
    pg_ephemeral_testkit::project(env!("CARGO_BIN_EXE_pg-ephemeral"))
}

/// Returns a command on the host backend.
pub fn on_host<'a>(project: &'a Project, arguments: &[&str]) -> ProjectCommand<'a> {
    project.command(["--backend", "host"].iter().chain(arguments))
}

/// Returns a command that finds no engine on `PATH` and no PostgreSQL.
pub fn with_nothing<'a>(project: &'a Project, arguments: &[&str]) -> ProjectCommand<'a> {
    let empty = project.root().join("cache");
    without_engines(project, arguments).variable("PG_EPHEMERAL_BIN_DIR", empty)
}

/// Returns a command that finds no engine on `PATH`.
pub fn without_engines<'a>(project: &'a Project, arguments: &[&str]) -> ProjectCommand<'a> {
    project.command(arguments).variable("PATH", project.root().join("cache"))
}

/// Makes a file executable.
pub fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns a script that creates an incompressible table of `megabytes`, dumps it to standard output, and prints the
/// checksum of the dump on standard error.
pub fn dump_script(megabytes: u32) -> String {
    let rows = megabytes * 16;
    format!(
        "set -e; copy=$(mktemp); psql -qXc \"create table t as select i, (select string_agg(sha512((i * 1000 + j)::text::bytea), \
         '') from generate_series(1, 1000) j) from generate_series(1, {rows}) i\"; \
         pg_dump -Fc | tee $copy; sha256sum <$copy >&2; rm $copy"
    )
}

/// Checks that the output of a [`dump_script`] matches the checksum that the script printed.
#[track_caller]
pub fn assert_dump_is_clean(ran: &Ran<'_>, megabytes: u32) {
    ran.status(0);
    let told = ran.stderr_text();
    let megabytes = usize::try_from(megabytes).unwrap();
    assert!(ran.stdout_bytes().len() > megabytes * 1_000_000, "{} bytes: {told}", ran.stdout_bytes().len());
    let mut sum = std::process::Command::new("sha256sum");
    let mut sum = sum.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a program sha256sum");
    sum.stdin.take().unwrap().write_all(ran.stdout_bytes()).unwrap();
    let came = sum.wait_with_output().unwrap().stdout;
    assert_eq!(told, String::from_utf8_lossy(&came), "other bytes came out than went in");
}
