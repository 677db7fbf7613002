//! Tests that a shortage of system resources causes an error and no panic.

use crate::support::{on_host, project, warm_project};
use pg_ephemeral_testkit::{Project, Ran};

/// The ID of the user `nobody`, who has few processes on any machine.
const NOBODY: &str = "65534";

/// Runs a command with a limit set by `prlimit`, as an ordinary user, because a process limit does not apply to root.
fn limited<'a>(project: &'a Project, limit: &str) -> Ran<'a> {
    let binary = project.binary().to_str().unwrap();
    let command = [binary, "--backend", "host", "run-env", "--", "true"];
    let limited = ["prlimit", limit].into_iter().chain(command);
    let reuid = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let words: Vec<&str> = match rustix::process::geteuid().is_root() {
        true => reuid.into_iter().chain(limited).collect(),
        false => limited.collect(),
    };
    project.command(&words[1..]).program(words[0]).run()
}

#[track_caller]
fn assert_no_panic(ran: &Ran<'_>) -> bool {
    let told = ran.stderr_text();
    let code = ran.code();
    assert!(code == 0 || code == 125, "status {code}: {told}");
    assert!(!told.contains("panicked"), "{told}");
    assert!(code == 0 || told.contains("error: "), "{told}");
    if code != 0 {
        eprintln!("{told}");
    }
    code == 0
}

/// Waits until every System V shared-memory segment of the user has an attached process. While a server starts, a
/// segment has none for a moment.
#[track_caller]
fn assert_no_shared_memory() {
    let unused = || {
        let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row[6] == "0" && row[7] == NOBODY).map(|row| row.join(" ")).collect::<Vec<_>>()
    };
    if rustix::process::geteuid().is_root() {
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !unused().is_empty() && std::time::Instant::now() < limit {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(unused(), Vec::<String>::new());
    }
}

/// Makes a project's folders writable for the user of [`limited`].
fn open_to_everybody(project: &Project) {
    let mut chown = std::process::Command::new("chown");
    if rustix::process::geteuid().is_root() {
        assert!(chown.args(["-R", NOBODY]).arg(project.root()).status().unwrap().success());
    }
}

#[test]
fn a_process_limit_causes_no_panic_and_leaves_nothing() {
    let project = project();
    open_to_everybody(&project);
    let worked: Vec<bool> =
        (1..=12).map(|limit| assert_no_panic(&limited(&project, &format!("--nproc={limit}")))).collect();
    if rustix::process::geteuid().is_root() {
        assert!(!worked[0], "one process is not enough");
    }
    assert!(assert_no_panic(&limited(&project, "--nproc=1000")));
    assert_no_shared_memory();
    project.assert_nothing_left();
}

#[test]
fn an_open_file_limit_causes_no_panic_and_leaves_nothing() {
    let project = project();
    open_to_everybody(&project);
    for limit in 8..=24 {
        assert_no_panic(&limited(&project, &format!("--nofile={limit}")));
    }
    // Removing a folder takes a file descriptor, so a command without a free one leaves the folder to the next command.
    on_host(&project, &["-q", "gc"]).run().status(0);
    assert_no_shared_memory();
    project.assert_nothing_left();
}

#[test]
fn an_address_space_limit_causes_no_panic_and_leaves_nothing() {
    let project = project();
    open_to_everybody(&project);
    let megabytes = |number: u64| format!("--as={}", number << 20);
    // This command builds the base layer as the limited user.
    assert!(assert_no_panic(&limited(&project, &megabytes(4096))));
    // With less than 64 MiB the system does not start the program at all.
    let worked: Vec<bool> =
        (64..=512).step_by(16).map(|limit| assert_no_panic(&limited(&project, &megabytes(limit)))).collect();
    assert!(!worked[0], "64 MiB are not enough");
    assert!(assert_no_panic(&limited(&project, &megabytes(4096))));
    on_host(&project, &["-q", "gc"]).run().status(0);
    assert_no_shared_memory();
    project.assert_nothing_left();
}

#[test]
fn a_missing_folder_of_temporary_files_is_an_error_and_is_not_created() {
    let project =
        warm_project().database_toml("[instances.main.seeds.a]\ntype = \"sql-statement\"\nstatement = \"select 1\"\n");
    // The path has to be short: a longer one could not hold sockets, so it would not be used.
    let name = project.root().file_name().unwrap().to_str().unwrap();
    let missing = std::path::Path::new("/tmp").join(format!("{name}-missing"));
    let ran = on_host(&project, &["-q", "run-env", "true"]).variable("TMPDIR", &missing).run();
    ran.status(125);
    let told = ran.stderr_text();
    assert!(told.contains("-missing does not exist"), "{told}");
    assert!(told.contains("hint: set TMPDIR"), "{told}");
    assert!(!missing.exists());
    project.assert_nothing_left();
}
