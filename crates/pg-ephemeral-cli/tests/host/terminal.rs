//! Tests of commands in a real terminal, on the host backend.

use crate::support::terminal::Terminal;
use crate::support::{AMPLE, project, warm_project};
use pg_ephemeral_testkit::{Project, wait_until};

fn line(project: &Project, arguments: &str) -> String {
    format!("{} --backend host {arguments}", project.binary().display())
}

#[test]
fn psql_is_interactive_and_leaves_nothing() {
    let project = warm_project();
    let terminal = Terminal::new(&project, &line(&project, ""));
    let screen = terminal.wait_for_prompt("postgres=# ");
    assert!(screen.starts_with("psql ("), "the spinner left something on the screen:\n{screen}");
    terminal.enter("select 40 + 2 as answer;");
    terminal.wait_for("the answer", |screen| screen.contains("     42\n(1 row)"));
    terminal.wait_for_prompt("postgres=# ");
    terminal.enter("\\q");
    terminal.wait_for_status(0);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn ctrl_c_in_psql_cancels_only_the_query() {
    let project = warm_project();
    let terminal = Terminal::new(&project, &line(&project, "psql"));
    terminal.wait_for_prompt("postgres=# ");
    for _ in 0..2 {
        terminal.cancel_a_query("postgres=# ");
        terminal.enter("\\! clear");
        terminal.wait_for("an empty screen", |screen| screen.trim().ends_with("postgres=#"));
    }
    terminal.enter("select 'still ' || 'there';");
    terminal.wait_for("the answer", |screen| screen.contains("still there"));
    terminal.enter("\\q");
    terminal.wait_for_status(0);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn ctrl_c_ends_a_command_that_is_not_interactive() {
    let project = warm_project();
    let terminal = Terminal::new(&project, &line(&project, "run-env -- sh -c 'echo ready; exec sleep 1000'"));
    terminal.wait_for("the command", |screen| screen.contains("ready"));
    terminal.key("C-c");
    terminal.wait_for_status(130);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn ctrl_c_stops_a_loop_and_a_script_around_commands() {
    let project = warm_project();
    let command = line(&project, "run-env -- sh -c 'echo ready; exec sleep 1000'");
    let script = format!("for i in 1 2; do {command}; done; echo survived");
    project.write("loop", script);
    let terminal = Terminal::new(&project, "bash loop");
    terminal.wait_for("the command", |screen| screen.contains("ready"));
    terminal.key("C-c");
    let screen = terminal.wait_for_status(130);
    assert!(!screen.contains("survived") && screen.matches("ready").count() == 1, "{screen}");
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn ctrl_z_stops_a_command_of_this_machine_and_fg_continues_it() {
    let project = warm_project();
    let terminal = Terminal::new(&project, "bash --noprofile --norc -i");
    terminal.enter("PS1='ready> '");
    terminal.wait_for("the prompt", |screen| screen.ends_with("\nready>"));
    terminal.enter(&line(&project, "host run-env -- sh -c 'echo be''gun; read line; echo got $line'"));
    terminal.wait_for("the command", |screen| screen.contains("\nbegun"));
    terminal.key("C-z");
    terminal.wait_for("the prompt", |screen| screen.contains("Stopped") && screen.ends_with("\nready>"));
    terminal.enter("fg");
    // The shell prints the command once more before it gives the terminal to the command. Until then, it would read the
    // line itself.
    let printed = |screen: &str| screen.matches("; read line;").count();
    terminal.wait_for("the continued command", |screen| printed(screen) == 3);
    terminal.enter("a line");
    terminal.wait_for("the end", |screen| screen.contains("\ngot a line\n"));
    terminal.enter("exit");
    terminal.wait_for_status(0);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn a_command_in_the_background_of_a_shell_leaves_the_terminal_alone() {
    let project = project();
    let command = line(&project, "run-env -- sleep 1");
    let terminal = Terminal::new(&project, "bash --noprofile --norc -i");
    terminal.enter("PS1='ready> '");
    terminal.wait_for("the prompt", |screen| screen.ends_with("\nready>"));
    terminal.enter(&format!("{command} & wait $!; echo ended"));
    let screen = terminal.wait_for("the end", |screen| screen.contains("\nended"));
    assert!(!screen.contains(" 0s"), "the spinner was drawn:\n{screen}");
    terminal.enter("exit");
    terminal.wait_for_status(0);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn ctrl_c_during_a_start_ends_it_and_removes_the_spinner() {
    let project = project();
    let terminal = Terminal::new(&project, &line(&project, "psql"));
    terminal.wait_for("the spinner", |screen| screen.contains("initialise the base layer"));
    terminal.key("C-c");
    let screen = terminal.wait_for_status(130);
    assert!(!screen.contains("initialise"), "the spinner left something on the screen:\n{screen}");
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn closing_the_terminal_removes_the_server() {
    let project = warm_project();
    let terminal = Terminal::new(&project, &line(&project, "psql"));
    terminal.wait_for_prompt("postgres=# ");
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn a_shell_is_interactive_and_handles_signals_itself() {
    let project = warm_project();
    let command = format!("SHELL=/bin/sh PS1='ready> ' {}", line(&project, "shell"));
    let terminal = Terminal::new(&project, &command);
    terminal.wait_for_prompt("ready> ");
    terminal.enter("sleep 1000");
    terminal.wait_for("the command", |screen| screen.ends_with("sleep 1000"));
    wait_until("the sleep has begun", AMPLE, || project.processes().iter().any(|line| line.ends_with(": sleep 1000 ")));
    terminal.key("C-c");
    terminal.wait_for_prompt("ready> ");
    terminal.enter("psql -Atc \"select 'an' || 'swer'\"");
    terminal.wait_for("the answer", |screen| screen.contains("answer"));
    terminal.enter("exit 9");
    terminal.wait_for_status(9);
    drop(terminal);
    project.assert_nothing_left();
}

#[test]
fn a_redirected_result_is_clean_and_the_spinner_is_removed() {
    let project = warm_project();
    let quiet = line(&project, "run-env -- psql -Atc 'select 42' >result");
    let terminal = Terminal::new(&project, &quiet);
    let screen = terminal.wait_for_status(0);
    assert_eq!(screen, "[status 0]");
    drop(terminal);
    assert_eq!(std::fs::read_to_string(project.folder().join("result")).unwrap(), "42\n");
    project.assert_nothing_left();
}

#[test]
fn a_table_that_is_wider_than_the_terminal_has_a_line_for_each_value() {
    let project = warm_project();
    let screen = |columns| {
        let terminal = Terminal::with_columns(&project, &line(&project, "cache status"), columns);
        terminal.wait_for_status(0)
    };
    let wide = screen(200);
    assert!(wide.contains(" SEED  TYPE        STATUS  CACHE IMAGE"), "{wide}");
    let narrow = screen(60);
    assert!(narrow.contains("\nSEED         -\nTYPE         base layer\nSTATUS       "), "{narrow}");
}
