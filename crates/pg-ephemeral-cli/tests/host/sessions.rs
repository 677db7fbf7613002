//! Tests of sessions on the host backend: a session outlives its command, its terminal and a logout.

use crate::support::site::Site;
use crate::support::terminal::Terminal;
use rustix::process::Signal;

crate::session_tests! { "host" }
crate::backend_tests! { tls_cases, "host": every_network_connection_to_a_session_verifies_the_server_certificate }

crate::backend_tests! { terminal_cases, "host":
    programs_on_a_session_have_the_terminal_to_themselves
    database_commands_leave_only_their_results_on_the_screen
}

/// Returns the shell command that starts a session.
fn line(site: &Site, name: &str) -> String {
    format!("{} --backend host -q session start --name {name}", site.project().binary().display())
}

#[test]
fn a_session_outlives_its_terminal() {
    let site = Site::new("host");
    let terminal = Terminal::new(site.project(), &line(&site, "review"));
    terminal.wait_for_status(0);
    // Dropping the terminal ends all processes that belong to it.
    drop(terminal);
    assert_eq!(site.ask("review", "select 1"), "1");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn a_session_outlives_every_process_of_its_log_in() {
    let site = Site::new("host");
    for signal in [Signal::HUP, Signal::KILL] {
        let script = format!("{}; echo up; sleep 1000", line(&site, "review"));
        let mut shell = site.project().command(["-c", &script]).program("/bin/sh").start();
        shell.wait_for("up");
        shell.signal_group(signal);
        assert_eq!(shell.wait().code(), 128 + signal.as_raw());
        assert_eq!(site.ask("review", "select 1"), "1");
        site.stop("review");
        site.assert_nothing_left();
    }
}

#[test]
fn a_session_does_not_keep_its_callers_streams_open() {
    let site = Site::new("host");
    // `cat` ends only when no process has the other end of the pipe open any more.
    let piped = format!("{} 2>&1 | cat", line(&site, "review"));
    site.project().command(["-c", &piped]).program("/bin/sh").run().status(0).stdout("session review runs on host\n");
    site.stop("review");
    site.assert_nothing_left();
}

#[test]
fn session_stop_all_stops_every_session_and_no_other_server() {
    let site = Site::new("host");
    site.start("one");
    site.start_with("two", &["--ttl", "1h"]);
    let mut running = site.command(&["-q", "run-env", "--", "sh", "-c", "echo ready; exec sleep 1000"]).start();
    running.wait_for("ready");
    let stopped = "session one is stopped\nsession two is stopped\n";
    site.command(&["session", "stop", "--all"]).run().status(0).stdout("").stderr(stopped);
    assert!(site.names().is_empty());
    assert_eq!(site.containers().len(), 1);
    site.command(&["session", "stop", "--all"]).run().status(0).stdout("").stderr("");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), 143);
    site.assert_nothing_left();
}

#[test]
fn the_longest_allowed_session_name_works() {
    let site = Site::new("host");
    let name = "n".repeat(255 - "pg-ephemeral-session-".len());
    site.start_with(&name, &["--ttl", "1h"]);
    assert_eq!(site.ask(&name, "select 1"), "1");
    assert_eq!(site.names(), [name.as_str()]);
    site.stop(&name);
    site.assert_nothing_left();
    let too_long = site.on(&format!("{name}n"), &["start"]).run();
    too_long.status(2).stdout("").stderr("error: invalid value [..] for '--name <NAME>': [..]256[..]\n...");
}

#[test]
fn commands_on_a_session_have_its_name_in_their_environment_and_others_have_none() {
    let site = Site::new("host");
    let run = |words: &[&str]| {
        let words =
            ["--backend", "host", "-q"].iter().chain(words).chain(&["--", "sh", "-c", "echo $PG_EPHEMERAL_SESSION"]);
        site.project().command(words).variable("PG_EPHEMERAL_SESSION", "elsewhere").run().status(0).stdout_text()
    };
    site.project().command(["--backend", "host", "-q", "session", "start", "--name", "review"]).run().status(0);
    assert_eq!(run(&["session", "run-env", "--name", "review"]), "review\n");
    assert_eq!(run(&["run-env"]), "\n");
    site.stop("review");
    site.assert_nothing_left();
}
