//! Tests of `integration-server` with a shell as the caller, which uses two named pipes.

use crate::support::{AMPLE, warm_project};
use pg_ephemeral_testkit::{Project, ProjectCommand, wait_until};
use rustix::process::Signal;

/// Returns a shell command that starts the server in the background, reads its first line into `$line`, and then runs
/// `rest`. The control pipe is descriptor 5, the result pipe descriptor 6.
fn caller<'a>(project: &'a Project, arguments: &str, rest: &str) -> ProjectCommand<'a> {
    let script = format!(
        "mkfifo control result\n\
         \"$0\" -q --backend host {arguments} integration-server --result-fd 3 --control-fd 4 4<control 3>result &\n\
         exec 5>control 6<result\n\
         rm control result\n\
         read -r line <&6\n\
         {rest}"
    );
    let binary = project.binary().to_str().unwrap();
    project.command(["-c", &script, binary]).program("/bin/sh")
}

#[test]
fn the_result_line_describes_a_server_that_ends_when_the_control_descriptor_is_closed() {
    let project = warm_project();
    let rest = "url=$(printf %s \"$line\" | sed 's/.*\"url\":\"\\([^\"]*\\)\".*/\\1/')\n\
         psql \"$url\" -XAtc 'select 42'\n\
         exec 5>&-\n\
         wait $!; echo \"status $?\"; printf '%s\\n' \"$line\"";
    let ran = caller(&project, "", rest).run();
    ran.status(0).stderr("");
    let told = ran.stdout_text();
    let line = told.strip_prefix("42\nstatus 0\n").unwrap_or_else(|| ran.fail("no answer"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let port = line["endpoint"]["port"].as_u64().unwrap();
    let password = line["password"].as_str().unwrap();
    let expected = serde_json::json!({
        "database": "postgres", "user": "postgres", "password": password,
        "endpoint": { "host": "127.0.0.1", "host_address": null, "port": port },
        "ssl_mode": "disable", "ssl_root_cert": null, "application_name": null,
        "url": format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"),
        "protocol_version": 1,
    });
    assert_eq!(line, expected);
    project.assert_nothing_left();
}

#[test]
fn with_tls_the_result_line_describes_a_verified_connection() {
    let project = warm_project();
    let rest = "url=$(printf %s \"$line\" | sed 's/.*\"url\":\"\\([^\"]*\\)\".*/\\1/')\n\
         psql \"$url\" -XAtc 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'\n\
         printf '%s\\n' \"$line\" | grep -o '\"ssl_mode\":\"[^\"]*\"'\n\
         exec 5>&-; wait $!; echo \"status $?\"";
    let ran = caller(&project, "--ssl-hostname localhost", rest).run();
    ran.status(0).stdout("t\n\"ssl_mode\":\"verify-full\"\nstatus 0\n").stderr("");
    project.assert_nothing_left();
}

#[test]
fn a_single_byte_stops_the_server_and_an_invalid_command_does_not() {
    let project = warm_project();
    let rest = "printf '{\"command\":\"dance\"}\\n{broken\\nhello\\n\\377\\n' >&5\n\
         read -r line <&6; printf '%s\\n' \"$line\"\n\
         read -r line <&6; printf '%s\\n' \"$line\"\n\
         read -r line <&6; printf '%s\\n' \"$line\"\n\
         read -r line <&6; printf '%s\\n' \"$line\"\n\
         printf x >&5\n\
         wait $!; echo \"status $?\"";
    caller(&project, "", rest)
        .run()
        .status(0)
        .stdout(
            "{\"error\":\"protocol version 1 has no command \\\"dance\\\"\",\"hint\":null}\n\
             {\"error\":\"read the command: key must be a string at line 1 column 2\",\"hint\":null}\n\
             {\"error\":\"read the command: expected value at line 1 column 1\",\"hint\":null}\n\
             {\"error\":\"read the command: expected value at line 1 column 1\",\"hint\":null}\n\
             status 0\n",
        )
        .stderr("");
    project.assert_nothing_left();
}

#[test]
fn databases_are_created_and_dropped_on_command() {
    let project = warm_project().database_toml(
        "[instances.main.seeds.t]\ntype = \"sql-statement\"\nstatement = \"create table t as select 1 as a\"\n",
    );
    let rest = "say() { printf '%s\\n' \"$1\" >&5; read -r line <&6; }\n\
         field() { printf %s \"$line\" | sed \"s/.*\\\"$1\\\":\\\"\\([^\\\"]*\\)\\\".*/\\1/\"; }\n\
         say '{\"command\":\"create-database\"}'; first=$(field url); name=$(field database)\n\
         say '{\"command\":\"create-database\"}'; second=$(field url)\n\
         psql \"$first\" -XAtc 'insert into t values (2) returning a' -c 'select count(*) from t' | tr '\\n' ' '\n\
         psql \"$second\" -XAtc 'select count(*) from t'\n\
         say \"{\\\"command\\\":\\\"drop-database\\\",\\\"database\\\":\\\"$name\\\"}\"\n\
         test \"$line\" = \"{\\\"dropped\\\":\\\"$name\\\"}\" && echo dropped\n\
         psql \"$first\" -c 'select 1' 2>&1 | grep -o 'does not exist'\n\
         say '{\"command\":\"drop-database\",\"database\":\"postgres\"}'; printf '%s\\n' \"$line\"\n\
         say '{\"command\":\"drop-database\"}'; printf '%s\\n' \"$line\"\n\
         say '{\"command\":\"create-database\",\"database\":\"x\"}'; printf '%s\\n' \"$line\"\n\
         exec 5>&-; wait $!; echo \"status $?\"";
    caller(&project, "", rest).run().status(0).stderr("").stdout(
        "2 INSERT 0 1 2 1\ndropped\ndoes not exist\n\
         {\"error\":\"there is no database \\\"postgres\\\" of yours\",\"hint\":null}\n\
         {\"error\":\"drop-database takes the name of a database\",\"hint\":null}\n\
         {\"error\":\"create-database takes no name\",\"hint\":null}\nstatus 0\n",
    );
    project.assert_nothing_left();
}

#[test]
fn a_command_sent_before_the_server_is_ready_is_answered_afterwards() {
    let project = warm_project();
    let script = "mkfifo control result\n\
         \"$0\" -q --backend host integration-server --result-fd 3 --control-fd 4 4<control 3>result &\n\
         exec 5>control; printf '{\"command\":\"dance\"}\\n' >&5\n\
         exec 6<result; rm control result\n\
         read -r line <&6; printf '%s\\n' \"$line\" | grep -o protocol_version\n\
         read -r line <&6; printf '%s\\n' \"$line\"\n\
         exec 5>&-; wait $!; echo \"status $?\"";
    let binary = project.binary().to_str().unwrap();
    let ran = project.command(["-c", script, binary]).program("/bin/sh").run();
    ran.status(0).stderr("").stdout(
        "protocol_version\n{\"error\":\"protocol version 1 has no command \\\"dance\\\"\",\"hint\":null}\nstatus 0\n",
    );
    project.assert_nothing_left();
}

#[test]
fn a_failed_start_is_reported_in_the_result_line() {
    let project = warm_project();
    let ran = caller(&project, "--image 1", "wait $!; echo \"status $?\"; printf '%s\\n' \"$line\"").run();
    let told = ran.stdout_text();
    let line = told.strip_prefix("status 1\n").unwrap_or_else(|| ran.fail("it went well"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("PostgreSQL 1 is not installed on this machine"), "{line}");
    assert!(line["hint"].as_str().unwrap().starts_with("install it"), "{line}");
    assert!(ran.stderr_text().starts_with("error: PostgreSQL 1 is not installed"), "{}", ran.stderr_text());
    project.assert_nothing_left();
}

#[test]
fn the_server_ends_when_its_caller_is_killed() {
    let project = warm_project();
    let mut caller = caller(&project, "", "echo ready; read -r never <&6").start();
    caller.wait_for("ready");
    caller.signal(Signal::KILL);
    wait_until("the server has gone", AMPLE, || {
        let children = std::fs::read_to_string(format!("/proc/{}/stat", caller.id()));
        children.is_err() || !std::fs::read_dir(project.state().join("ociman/containers")).unwrap().any(|_| true)
    });
    drop(caller);
    project.assert_nothing_left();
}

#[test]
fn descriptors_that_were_not_passed_are_wrong_usage() {
    let project = warm_project();
    let ran = project.command(["integration-server", "--result-fd", "77", "--control-fd", "0"]).run();
    ran.status(2).stdout("");
    let told = ran.stderr_text();
    assert!(told.contains("invalid value '77' for '--result-fd <N>'"), "{told}");
    assert!(told.contains("file descriptor 77 is not open"), "{told}");
}
