//! Tests that a command leaves nothing, however and whenever it ends: no process, no container, no record and no
//! temporary file. Many tests repeat a command and wait longer each time, so that the signal arrives at different
//! moments.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{AMPLE, make_executable, on_host, project, warm_project};
use pg_ephemeral_core::Folders;
use pg_ephemeral_core::host_image::Installations;
use pg_ephemeral_testkit::{Project, ProjectCommand, Started, memory, wait_until};
use rustix::process::Signal;

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
/// The time limit for an end after a signal. A removal that runs into its own time-out takes longer than this.
const SWIFT: Duration = Duration::from_secs(4);

fn milliseconds(from: u64, to: u64, step: usize) -> impl Iterator<Item = Duration> {
    (from..=to).step_by(step).map(Duration::from_millis)
}

/// Returns a command that runs until it is interrupted.
fn sleeping(project: &Project) -> ProjectCommand<'_> {
    on_host(project, &["-q", "run-env", "--", "sleep", "1000"])
}

#[track_caller]
fn warm_up(project: &Project) {
    on_host(project, &["-q", "run-env", "true"]).run().status(0);
}

#[track_caller]
fn still_works(project: &Project) {
    on_host(project, &["-q", "psql", "-Atc", "select 1"]).run().status(0).stdout("1\n").stderr("");
    project.assert_nothing_left();
}

/// Sends a signal after `delay`, and checks that the command ends quickly and leaves nothing.
#[track_caller]
fn interrupt(project: &Project, started: Started<'_>, signal: Signal, delay: Duration) {
    sleep(delay);
    started.signal(signal);
    // The status is the same whether the command handled the signal or, on a busy machine, did not listen for signals
    // yet.
    let ran = started.wait();
    ran.stdout("").stderr("").within(delay + SWIFT);
    assert_eq!(ran.code(), 128 + signal.as_raw());
    project.assert_nothing_left();
}

#[test]
fn a_signal_at_any_moment_of_a_warm_start_leaves_nothing() {
    let project = warm_project();
    warm_up(&project);
    for (delay, signal) in milliseconds(0, 150, 6).zip(SIGNALS.iter().cycle()) {
        interrupt(&project, sleeping(&project).start(), *signal, delay);
    }
    still_works(&project);
}

#[test]
fn a_signal_at_any_moment_of_a_cold_start_leaves_nothing() {
    let project = project();
    for (delay, signal) in milliseconds(0, 1000, 110).zip(SIGNALS.iter().cycle()) {
        interrupt(&project, sleeping(&project).start(), *signal, delay);
        fs::remove_dir_all(project.state()).unwrap();
        fs::create_dir(project.state()).unwrap();
    }
    still_works(&project);
}

#[test]
fn a_signal_quickly_ends_a_start_in_the_background_of_a_shell() {
    let project = warm_project();
    warm_up(&project);
    // Such a shell starts its background commands with these signals ignored, and child processes inherit that.
    let line = format!("trap '' INT QUIT; exec {} --backend host -q run-env sleep 1000", project.binary().display());
    for delay in milliseconds(20, 100, 8) {
        let started = project.command(["-c", &line]).program("/bin/sh").start();
        interrupt(&project, started, Signal::TERM, delay);
    }
}

#[test]
fn the_command_handles_a_signal_itself() {
    let project = warm_project();
    for (signal, status) in [("TERM", 7), ("INT", 0), ("HUP", 3), ("QUIT", 4)] {
        let script = format!("trap 'echo handled; exit {status}' {signal}; echo ready; while :; do sleep 0.01; done");
        let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", &script]).start();
        started.wait_for("ready");
        started.signal(Signal::from_named_raw(signal_number(signal)).unwrap());
        started.wait().status(status).stdout("ready\nhandled\n").stderr("");
        project.assert_nothing_left();
    }
}

/// A shell stops a script when SIGINT kills a command, but goes on when a command exits with any status.
#[test]
fn an_interrupt_ends_the_process_by_sigint_and_other_signals_by_an_exit_status() {
    let project = warm_project();
    let ended = |script: &str, signal| {
        let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
        started.wait_for("ready");
        started.signal(signal);
        let ran = started.wait();
        ran.stderr("");
        project.assert_nothing_left();
        (ran.exit_status().code(), ran.exit_status().signal())
    };
    let sleeping = "echo ready; exec sleep 1000";
    assert_eq!(ended(sleeping, Signal::INT), (None, Some(2)));
    assert_eq!(ended(sleeping, Signal::TERM), (Some(143), None));
    let handling = |status: u8| format!("trap 'exit {status}' INT; echo ready; while :; do sleep 0.01; done");
    assert_eq!(ended(&handling(130), Signal::INT), (None, Some(2)));
    assert_eq!(ended(&handling(3), Signal::INT), (Some(3), None));
    // Here no SIGINT arrived, so 130 is an ordinary exit status.
    let ran = on_host(&project, &["-q", "run-env", "--", "sh", "-c", "exit 130"]).run();
    assert_eq!(ran.exit_status().code(), Some(130));
    project.assert_nothing_left();
}

/// The system protects process 1 from signals.
#[test]
fn process_1_exits_after_an_interrupt() {
    if !rustix::process::geteuid().is_root() {
        // Only root can create a PID namespace without a user namespace, in which a server would not start.
        return;
    }
    let project = warm_project();
    let binary = project.binary().display();
    let script = format!("exec {binary} --backend host -q run-env -- sh -c 'kill -INT 1; exec sleep 1000'");
    let ran = project.command(["--pid", "--fork", "--mount-proc", "sh", "-c", &script]).program("unshare").run();
    assert_eq!(ran.exit_status().code(), Some(130), "{}", ran.stderr_text());
    project.assert_nothing_left();
}

fn signal_number(name: &str) -> i32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        _ => 15,
    }
}

#[test]
fn a_signal_to_the_whole_group_reaches_the_command_once_and_leaves_nothing() {
    let project = warm_project();
    // The script runs for a while after the first signal, so that it would notice a second signal that was passed on.
    let script = "n=0; trap 'n=$((n + 1)); echo handled' INT TERM HUP; echo ready; i=0; \
                  while [ $i -lt 50 ]; do sleep 0.01; test $n = 0 || i=$((i + 1)); done; exit $((n + 4))";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
        started.wait_for("ready");
        started.signal_group(signal);
        // The shell may print that its own child was terminated, so standard error is not compared.
        started.wait().status(5).stdout("ready\nhandled\n");
        project.assert_nothing_left();
    }
    for delay in milliseconds(20, 120, 20) {
        let started = sleeping(&project).start();
        sleep(delay);
        started.signal_group(Signal::INT);
        let ran = started.wait();
        ran.stdout("").stderr("").within(delay + SWIFT);
        assert_eq!(ran.code(), 130);
        project.assert_nothing_left();
    }
}

#[test]
fn a_second_signal_kills_the_command_and_its_descendants() {
    let project = warm_project();
    let script = "trap 'echo handled' TERM; echo ready; while :; do sleep 1000 & wait $!; done";
    let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
    started.wait_for("ready");
    started.signal(Signal::TERM);
    started.wait_for("handled");
    started.signal(Signal::INT);
    started.wait().status(137).stdout("ready\nhandled\n").stderr("").within(AMPLE);
    project.assert_nothing_left();
}

#[test]
fn nohup_keeps_a_command_going_after_a_hangup() {
    let project = warm_project();
    let line = format!(
        "trap '' HUP; exec {} --backend host -q run-env -- sh -c 'echo ready; exec sleep 1000'",
        project.binary().display()
    );
    let mut started = project.command(["-c", &line]).program("/bin/sh").start();
    started.wait_for("ready");
    started.signal(Signal::HUP);
    started.signal(Signal::TERM);
    started.wait().status(143);
    project.assert_nothing_left();
}

#[test]
fn a_command_that_fails_or_writes_to_a_closed_pipe_leaves_nothing() {
    let project = warm_project();
    on_host(&project, &["-q", "run-env", "false"]).run().status(1).stdout("").stderr("");
    project.assert_nothing_left();
    on_host(&project, &["-q", "run-env", "nosuch"]).run().status(127);
    project.assert_nothing_left();
    let line = format!("{} --backend host run-env yes | head -n 1", project.binary().display());
    project.command(["-c", &line]).program("/bin/sh").run().status(0).stdout("y\n").stderr("");
    project.assert_nothing_left();
}

/// Returns a command that ends when its server ends.
fn connected(project: &Project) -> ProjectCommand<'_> {
    on_host(project, &["-q", "psql", "-qAtc", "select pg_sleep(1000)"])
}

/// Kills a command with SIGKILL after `delay`.
#[track_caller]
fn kill(started: Started<'_>, delay: Duration) {
    sleep(delay);
    started.signal(Signal::KILL);
    assert_eq!(started.wait().code(), 137);
}

#[test]
fn the_next_command_removes_what_a_killed_command_left() {
    let project = warm_project();
    warm_up(&project);
    for delay in milliseconds(0, 140, 10) {
        kill(connected(&project).start(), delay);
        still_works(&project);
    }
}

#[test]
fn the_next_command_removes_what_a_killed_first_start_left() {
    let project = project();
    for delay in milliseconds(20, 1000, 240) {
        kill(connected(&project).start(), delay);
        still_works(&project);
        fs::remove_dir_all(project.state()).unwrap();
        fs::create_dir(project.state()).unwrap();
    }
}

#[test]
fn gc_removes_what_a_killed_command_left_and_says_so() {
    let project = warm_project();
    let mut started =
        on_host(&project, &["-q", "psql", "-At"]).input("select 'ready';\nselect pg_sleep(1000);\n").start();
    started.wait_for("ready");
    kill(started, Duration::ZERO);
    on_host(&project, &["gc"]).run().status(0).stdout("removed pg-ephemeral-[..] on host\n").stderr("");
    project.assert_nothing_left();
    on_host(&project, &["gc"]).run().status(0).stdout("").stderr("nothing was left behind\n");
    for delay in milliseconds(20, 120, 25) {
        kill(connected(&project).start(), delay);
        let json = on_host(&project, &["gc", "--format", "json"]).run();
        json.status(0).stderr("");
        project.assert_nothing_left();
    }
}

#[test]
fn the_server_of_a_killed_command_ends_by_itself() {
    let project = warm_project();
    let mut started =
        on_host(&project, &["-q", "psql", "-At"]).input("select 'ready';\nselect pg_sleep(1000);\n").start();
    started.wait_for("ready");
    kill(started, Duration::ZERO);
    wait_until("every process has gone", AMPLE, || project.processes().is_empty());
}

#[test]
fn killing_pg_ephemeral_kills_the_wrapped_command_and_its_descendants() {
    let project = warm_project();
    let script = "sleep 1000 & setsid sleep 1000 & trap '' TERM HUP; echo ready; while :; do sleep 1000; done";
    let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
    started.wait_for("ready");
    kill(started, Duration::ZERO);
    wait_until("every process has gone", AMPLE, || project.processes().is_empty());
    on_host(&project, &["list", "--format", "json"]).run().status(0).stdout("[]\n");
    project.assert_nothing_left();
}

#[test]
fn killing_pg_ephemeral_kills_processes_that_the_wrapped_command_is_just_starting() {
    let project = warm_project();
    let script = "trap '' TERM HUP; echo ready; for i in $(seq 120); do sleep 1000 & done; wait";
    for delay in milliseconds(0, 10, 1) {
        let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
        started.wait_for("ready");
        kill(started, delay);
        wait_until("every process has gone", AMPLE, || project.processes().is_empty());
    }
    on_host(&project, &["list", "--format", "json"]).run().status(0).stdout("[]\n");
    project.assert_nothing_left();
}

#[test]
fn killing_pg_ephemeral_kills_the_scripts_and_statements_of_its_seeds() {
    for seed in [
        "type = \"script\"\nscript = \"sleep 1000 & touch ready; wait\"",
        "type = \"sql-statement\"\nstatement = \"\\\\! touch ready; sleep 1000\"",
    ] {
        let project = warm_project().database_toml(&format!("[instances.main.seeds.s]\n{seed}\n"));
        let started = sleeping(&project).start();
        wait_until("the seed runs", AMPLE, || project.folder().join("ready").exists());
        kill(started, Duration::ZERO);
        wait_until("every process has gone", AMPLE, || project.processes().is_empty());
    }
}

#[test]
fn no_shared_memory_segment_stays_behind() {
    let project = warm_project();
    let has_segment = |id: &str| segment_table().iter().any(|segment| segment.id == id);
    let script = "psql -Atc \"select 'segment=' || (regexp_matches(split_part(pg_read_file('postmaster.pid'), \
                  E'\\n', 7), '[0-9]+\\s*$'))[1] || ';'\"; exec psql -qAtc 'select pg_sleep(1000)'";
    for signal in [Signal::TERM, Signal::KILL] {
        let mut started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).start();
        started.wait_for(";");
        let shown = started.stdout_so_far();
        let id = shown.trim().trim_start_matches("segment=").trim_end_matches(';').trim().to_owned();
        assert!(has_segment(&id), "{id:?}");
        started.signal(signal);
        assert_eq!(started.wait().code(), 128 + signal.as_raw());
        wait_until("the segment has gone", AMPLE, || !has_segment(&id));
    }
    still_works(&project);
}

#[test]
fn an_interrupted_first_start_leaves_no_shared_memory() {
    for (delay, signal) in milliseconds(0, 800, 100).zip([Signal::TERM, Signal::KILL].iter().cycle()) {
        let project = project();
        // If the start is over before the signal, the command has to end by itself when pg-ephemeral is gone.
        let command = "while kill -0 $PPID 2>/dev/null; do sleep 0.1; done";
        let started = on_host(&project, &["-q", "run-env", "--", "sh", "-c", command]).start();
        let (mut files, mut segments) = (BTreeSet::new(), BTreeSet::new());
        let mut any = || {
            files.extend(files_of_shared_memory(&project));
            segments.extend(segments_of(&project));
            !files.is_empty() && !segments.is_empty()
        };
        wait_until("there is shared memory", AMPLE, &mut any);
        let begin = Instant::now();
        wait_until("the moment has come", AMPLE, || any() && begin.elapsed() >= delay);
        started.signal(*signal);
        assert_eq!(started.wait().code(), 128 + signal.as_raw());
        wait_until("all processes have gone", AMPLE, || any() && project.processes().is_empty());
        let what = format!("the shared memory has gone, after {delay:?} and {signal:?}");
        wait_until(&what, Duration::from_secs(10), || !files.iter().any(|file| file.exists()));
        if *signal == Signal::KILL {
            on_host(&project, &["gc"]).run().status(0);
        }
        assert!(segment_table().iter().all(|segment| !segments.contains(segment)), "{what}: {segments:?}");
    }
}

/// A process that is just creating shared memory has opened its file, but has not mapped it yet.
#[test]
fn a_first_start_interrupted_while_it_creates_shared_memory_leaves_none() {
    let project = project();
    let programs = project.root().join("programs");
    let file = PathBuf::from(format!("/dev/shm/PostgreSQL.{}", std::process::id()));
    project.write(programs.join("initdb"), format!("#!/bin/sh\nexec 3>{}\nexec sleep 1000\n", file.display()));
    make_executable(&programs.join("initdb"));
    let found = Installations::find(&Folders::at(project.root())).unwrap();
    symlink(found.pick(None).unwrap().bin.join("postgres"), programs.join("postgres")).unwrap();
    let started = sleeping(&project).variable("PG_EPHEMERAL_BIN_DIR", &programs).start();
    wait_until("there is shared memory", AMPLE, || file.exists());
    started.signal(Signal::TERM);
    assert_eq!(started.wait().code(), 143);
    wait_until("the shared memory has gone", AMPLE, || !file.exists());
}

/// Returns the shared-memory files that the processes in a project's folder have mapped.
fn files_of_shared_memory(project: &Project) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        if fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder.starts_with(project.root())) {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
            files.extend(pid.map(memory::shared_memory).unwrap_or_default());
        }
    }
    files
}

/// A System V shared-memory segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    key: i32,
    id: String,
}

/// Returns all System V shared-memory segments of this machine.
fn segment_table() -> Vec<Segment> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let segment = |line: &str| {
        let mut columns = line.split_whitespace();
        Segment { key: columns.next().unwrap().parse().unwrap(), id: columns.next().unwrap().to_owned() }
    };
    table.lines().skip(1).map(segment).collect()
}

/// Returns the segments of the servers in a project's containers. PostgreSQL uses the inode number of the data folder
/// as the key of its segment.
fn segments_of(project: &Project) -> Vec<Segment> {
    let containers = fs::read_dir(project.state().join("ociman/containers")).into_iter().flatten().flatten();
    let data = containers.filter_map(|container| container.path().join("root/data").metadata().ok());
    let keys: Vec<i32> = data.map(|data| data.ino() as i32).collect();
    segment_table().into_iter().filter(|segment| keys.contains(&segment.key)).collect()
}

#[test]
fn a_hundred_servers_one_after_the_other_leave_nothing() {
    let project = warm_project();
    for round in 0..100 {
        let query = format!("select {round}");
        let ran = on_host(&project, &["-q", "psql", "-Atc", &query]).run();
        ran.status(0).stdout(&format!("{round}\n")).stderr("");
    }
    project.assert_nothing_left();
}

#[test]
fn eight_servers_at_once_are_independent_and_leave_nothing() {
    let project = project();
    for _ in 0..3 {
        let script = "create table t as select :number as n; select sum(n) from t;\n";
        let start = |number: i32| {
            let number = format!("number={number}");
            on_host(&project, &["-q", "psql", "-qAt", "-v", &number]).input(script).start()
        };
        let running: Vec<_> = (0..8).map(start).collect();
        for (number, started) in running.into_iter().enumerate() {
            started.wait().status(0).stdout(&format!("{number}\n")).stderr("");
        }
        project.assert_nothing_left();
    }
}
