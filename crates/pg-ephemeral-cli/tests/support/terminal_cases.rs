//! Test cases for commands on a session in a terminal that hold on Docker, Podman and the host.

use super::site::Site;
use super::terminal::Terminal;

/// A time in seconds that is longer than the delay of the spinner.
const LONGER_THAN_THE_SPINNER_WAITS: &str = "0.5";

/// The spinner does not disturb a program that reads from the terminal and writes to it.
pub fn programs_on_a_session_have_the_terminal_to_themselves(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("one");
    site.start(&name);
    for options in ["", "--fresh-database "] {
        psql_has_the_terminal(&site.terminal(&format!("session --name {name} {options}psql -X")));
    }
    for form in ["", "host ", "container "] {
        if (backend, form) != ("host", "container ") {
            run_env_has_the_terminal(&site, &name, form);
        }
    }
    shell_has_the_terminal(&site.terminal(&format!("session --name {name} shell")));
    site.stop(&name);
    site.assert_nothing_left();
}

#[track_caller]
fn psql_has_the_terminal(terminal: &Terminal<'_>) {
    let query = format!("select 40 + 2 as answer from pg_sleep({LONGER_THAN_THE_SPINNER_WAITS});");
    terminal.wait_for_prompt("=# ");
    terminal.enter("\\set PROMPT1 'ready> '");
    terminal.wait_for("the prompt", |screen| screen.ends_with("\nready>"));
    terminal.enter(&query);
    terminal.wait_for("the answer", |screen| screen.contains("(1 row)"));
    let screen = terminal.wait_for_prompt("ready> ");
    let (banner, after) = screen.split_once("\nready> ").unwrap();
    assert!(banner.starts_with("psql ("), "{screen}");
    assert_eq!(after.trim_end(), format!("{query}\n answer\n--------\n     42\n(1 row)\n\nready>"));
    terminal.enter("\\q");
    terminal.wait_for_status(0);
}

#[track_caller]
fn run_env_has_the_terminal(site: &Site, name: &str, form: &str) {
    let script = format!("printf \"who? \"; read who; sleep {LONGER_THAN_THE_SPINNER_WAITS}; echo \"hello $who\"");
    let terminal = site.terminal(&format!("session --name {name} {form}run-env -- sh -c '{script}'"));
    terminal.wait_for_prompt("who? ");
    terminal.enter("me");
    let screen = terminal.wait_for_status(0);
    assert_eq!(screen, "who? me\nhello me\n[status 0]");
}

#[track_caller]
fn shell_has_the_terminal(terminal: &Terminal<'_>) {
    terminal.wait_for("a prompt", |screen| !screen.is_empty());
    terminal.enter("PS1='ready> '");
    terminal.wait_for("the prompt", |screen| screen.ends_with("\nready>"));
    terminal.enter(&format!("sleep {LONGER_THAN_THE_SPINNER_WAITS}; echo 'still ''here'"));
    let screen = terminal.wait_for("the answer", |screen| screen.ends_with("still here\nready>"));
    let (_, after) = screen.split_once("\nready> ").unwrap();
    assert_eq!(after, format!("sleep {LONGER_THAN_THE_SPINNER_WAITS}; echo 'still ''here'\nstill here\nready>"));
    terminal.enter("exit");
    terminal.wait_for_status(0);
}

/// If a backend is so slow that the spinner appears, nothing of the spinner remains on the screen.
pub fn database_commands_leave_only_their_results_on_the_screen(backend: &'static str) {
    let site = Site::new(backend);
    let name = site.name("one");
    site.start(&name);
    for (arguments, expected) in [
        ("create a", "a\n"),
        ("list", " NAME  OF A PROCESS  CONNECTIONS  SIZE\n a     no"),
        ("url a", "postgresql://postgres:"),
        ("reset a", "database a is back at its seeds\n"),
        ("drop a", "database a is dropped\n"),
        ("drop a", "error: "),
    ] {
        let terminal = site.terminal(&format!("database --session {name} {arguments}"));
        let screen = terminal.wait_for("an end", |screen| screen.contains("[status "));
        assert!(screen.starts_with(expected), "database {arguments}:\n{screen}");
    }
    site.stop(&name);
    site.assert_nothing_left();
}
