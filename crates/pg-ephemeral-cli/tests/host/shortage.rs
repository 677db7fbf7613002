//! What the system refuses is an error that says so, and no panic.

use crate::support::{on_host, project, warm_project};
use pg_ephemeral_testkit::{Project, Ran};

/// The user `nobody`, who has few processes on any machine.
const NOBODY: &str = "65534";

/// Runs a command under a limit of the system's `prlimit`, as an ordinary user: root has no limit of processes.
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

/// Waits until no segment of System V shared memory of the user's is without a process. One is for a moment, while a
/// server starts.
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

/// Lets everybody write a project's folders.
fn open_to_everybody(project: &Project) {
    let mut chown = std::process::Command::new("chown");
    if rustix::process::geteuid().is_root() {
        assert!(chown.args(["-R", NOBODY]).arg(project.root()).status().unwrap().success());
    }
}

#[test]
fn a_limit_of_processes_is_an_error_or_does_not_matter() {
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
fn a_limit_of_open_files_is_an_error_or_does_not_matter() {
    let project = project();
    open_to_everybody(&project);
    for limit in 8..=24 {
        assert_no_panic(&limited(&project, &format!("--nofile={limit}")));
    }
    // Removing a folder takes a descriptor, so a command that has none left leaves it to the next command.
    on_host(&project, &["-q", "gc"]).run().status(0);
    assert_no_shared_memory();
    project.assert_nothing_left();
}

#[test]
fn a_limit_of_address_space_is_an_error_or_does_not_matter() {
    let project = project();
    open_to_everybody(&project);
    let megabytes = |number: u64| format!("--as={}", number << 20);
    // The base layer has to be this user's.
    assert!(assert_no_panic(&limited(&project, &megabytes(4096))));
    // With less the system does not start the program.
    let worked: Vec<bool> =
        (64..=512).step_by(16).map(|limit| assert_no_panic(&limited(&project, &megabytes(limit)))).collect();
    assert!(!worked[0], "64 MiB are not enough");
    assert!(assert_no_panic(&limited(&project, &megabytes(4096))));
    on_host(&project, &["-q", "gc"]).run().status(0);
    assert_no_shared_memory();
    project.assert_nothing_left();
}

#[test]
fn a_folder_of_temporary_files_that_is_not_there_is_an_error_and_not_made() {
    let project =
        warm_project().database_toml("[instances.main.seeds.a]\ntype = \"sql-statement\"\nstatement = \"select 1\"\n");
    // A longer path would be no place for sockets, and not be used.
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
