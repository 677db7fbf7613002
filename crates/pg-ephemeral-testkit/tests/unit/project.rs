//! Tests of [`Project`]: which commands pass their checks, and the messages for those that fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pg_ephemeral_testkit::{Project, ProjectCommand, project, wait_until};

const AMPLE: Duration = Duration::from_secs(20);

fn shell<'a>(project: &'a Project, script: &str) -> ProjectCommand<'a> {
    project.command(["-c", script])
}

/// Returns the message of a failing check.
fn explanation(check: impl FnOnce()) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(check));
    outcome.err().and_then(|panic| panic.downcast::<String>().ok()).map(|text| *text).unwrap_or_default()
}

#[test]
fn a_command_with_the_expected_status_and_output_passes() {
    let project = project("/bin/sh").database_toml("image = \"17\"\n");
    let ran = shell(&project, "cat database.toml; echo e >&2; exit 3").run();
    ran.status(3).stdout("image = \"17\"\n").stderr("e\n");
}

#[test]
fn a_failure_is_explained_with_command_folder_files_and_both_streams() {
    let project = project("/bin/sh").file("db/schema.sql", "select 1;");
    let text = explanation(|| {
        shell(&project, "echo out; echo err >&2; exit 4").run().status(0);
    });
    for part in
        ["expected status 0", "/bin/sh -c echo out", "work/db/schema.sql", "exit status: 4", "\nout\n", "\nerr\n"]
    {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn texts_that_differ_between_runs_are_replaced() {
    let project = project("/bin/sh").redact_text("secret-name", "[NAME]");
    let hash = "0123456789abcdef".repeat(4);
    let script = format!("pwd; echo localhost:5432 secret-name; echo {hash}; echo PGPASSWORD=abc");
    let ran = shell(&project, &script).run();
    ran.stdout("[ROOT]/work\nlocalhost:[PORT] [NAME]\n[HASH]\nPGPASSWORD=[PASSWORD]\n");
    ran.stdout(&format!("[ROOT]/work\nlocalhost:5432 [NAME]\n{hash}\nPGPASSWORD=abc\n"));
}

#[test]
fn commands_have_the_environment_of_their_project() {
    let project = project("/bin/sh").variable("GIVEN", "1");
    let ran = shell(&project, "echo $GIVEN $HOME $XDG_RUNTIME_DIR $CARGO_MANIFEST_DIR").run();
    ran.stdout("1 [ROOT]/home [ROOT]/run\n");
}

#[test]
fn a_socket_fits_into_the_runtime_folder() {
    let project = project("/bin/sh");
    let socket = project.root().join("run").join("x".repeat(60));
    std::os::unix::net::UnixListener::bind(socket).expect("a socket");
}

#[test]
fn a_program_of_the_project_is_first_on_path() {
    let project = project("/bin/sh").program("sleep", "/bin/echo");
    shell(&project, "sleep 60").run().stdout("60\n");
}

#[test]
fn a_command_receives_its_input_but_need_not_read_it() {
    let project = project("/bin/sh");
    shell(&project, "cat").input("text").run().stdout("text");
    shell(&project, "true").input(vec![0; 1 << 20]).run().status(0);
}

#[test]
fn a_command_that_does_not_end_is_killed_and_fails() {
    let project = project("/bin/sh");
    let start = Instant::now();
    let text = explanation(|| {
        shell(&project, "echo begun; exec sleep 60").limit(Duration::from_millis(300)).run();
    });
    assert!(text.contains("no end within 0.3 s") && text.contains("\nbegun\n"), "{text}");
    assert!(start.elapsed() < AMPLE);
    project.assert_nothing_left();
}

#[test]
fn a_running_command_can_be_interrupted() {
    let project = project("/bin/sh");
    let script = "trap 'echo interrupted; exit 130' INT; echo ready; while :; do sleep 0.01; done";
    let mut started = shell(&project, script).start();
    started.wait_for("ready");
    started.signal(rustix::process::Signal::INT);
    started.wait().status(130).stdout("ready\ninterrupted\n");
}

#[test]
fn a_file_that_is_left_behind_is_reported() {
    let project = project("/bin/sh");
    project.assert_nothing_left();
    shell(&project, "touch $TMPDIR/forgotten").run();
    assert_eq!(project.leftovers(), ["t/forgotten"]);
}

#[test]
fn a_process_that_is_left_behind_is_reported() {
    let project = project("/bin/sh");
    let started = shell(&project, "sleep 300 & echo $!; wait").start();
    wait_until("the process is there", AMPLE, || started.stdout_so_far().ends_with('\n'));
    let pid = started.stdout_so_far();
    drop(started);
    assert!(project.leftovers().iter().any(|line| line.contains("sleep 300")));
    std::process::Command::new("kill").arg(pid.trim()).status().expect("kill");
}
