//! End-to-end tests of the command line with the PostgreSQL of this machine. They compare the exact output on both
//! streams and the exit status.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use crate::support::{self, AMPLE, make_executable, on_host, project, warm_project};
use rustix::process::Signal;

/// The message of the first start in a state folder.
const COLD: &str = "pg-ephemeral: initialise the base layer\n";

#[test]
fn a_query_prints_exactly_its_result_on_the_first_run_and_on_the_next() {
    let project = project();
    let query = ["run-env", "--", "psql", "-Atc", "select 42"];
    on_host(&project, &query).run().status(0).stdout("42\n").stderr(COLD);
    on_host(&project, &query).run().status(0).stdout("42\n").stderr("");
    project.assert_nothing_left();
}

#[test]
fn psql_reads_from_a_pipe() {
    let project = warm_project();
    on_host(&project, &["-q"])
        .input("select 1 as one")
        .run()
        .status(0)
        .stderr("")
        .stdout(" one \n-----\n   1\n(1 row)\n\n");
    on_host(&project, &["psql"])
        .input("select 1;\n\\echo done\n")
        .run()
        .status(0)
        .stderr("")
        .stdout(" ?column? \n----------\n        1\n(1 row)\n\ndone\n");
    project.assert_nothing_left();
}

#[test]
fn arguments_of_psql_are_passed_on_unchanged() {
    let project = warm_project();
    on_host(&project, &["-q", "psql", "-Atc", "select 1"]).run().status(0).stdout("1\n").stderr("");
    on_host(&project, &["psql", "--", "-At", "-c", "select 1", "-c", "select 2"]).run().status(0).stdout("1\n2\n");
    on_host(&project, &["psql", "--", "-Atc", "select 1/0"])
        .run()
        .status(1)
        .stdout("")
        .stderr("ERROR:  division by zero\n");
    project.write("broken.sql", "select 1/0;\n");
    // Before the command, `-q` and `-v` are options of pg-ephemeral.
    let script = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", "broken.sql"];
    on_host(&project, &script).run().status(3).stdout("").stderr("psql:broken.sql:1: ERROR:  division by zero\n");
}

#[test]
fn the_schema_is_dumped_on_standard_output() {
    let project = warm_project();
    on_host(&project, &["-q", "schema-dump"])
        .run()
        .status(0)
        .stderr("")
        .stdout("--\n-- PostgreSQL database dump\n--\n...\n-- PostgreSQL database dump complete\n--\n...\n");
    on_host(&project, &["schema-dump", "--", "--schema", "nosuch"])
        .run()
        .status(1)
        .stdout("")
        .stderr("pg_dump: error: no matching schemas were found\n");
}

#[test]
fn pgbench_runs_on_its_own_and_twice_in_one_server() {
    let project = warm_project();
    let initialised = on_host(&project, &["-q", "pgbench", "-i", "-s", "1"]).run();
    initialised.status(0).stdout("");
    let both = ["run-env", "--", "sh", "-c", "pgbench -i 2>/dev/null && pgbench -t 10 2>/dev/null"];
    on_host(&project, &both)
        .run()
        .status(0)
        .stderr("")
        .stdout("pgbench (1[..]\n...\nnumber of transactions actually processed: 10/10\n...\n");
    project.assert_nothing_left();
}

#[test]
fn shell_reads_from_a_pipe_and_runs_the_users_shell() {
    let project = warm_project();
    let script = "psql -Atc 'select 1'\nexit 7\n";
    on_host(&project, &["-q", "shell"])
        .variable("SHELL", "/bin/sh")
        .input(script)
        .run()
        .status(7)
        .stdout("1\n")
        .stderr("");
    let without = on_host(&project, &["shell"]).without_variable("SHELL").input("echo $0\n").run();
    without.status(0).stdout("/bin/sh\n").stderr("");
}

#[test]
fn the_host_forms_work_like_the_bare_forms() {
    let project = warm_project();
    let query = ["-q", "host", "run-env", "--", "psql", "-Atc", "select 1"];
    on_host(&project, &query).run().status(0).stdout("1\n").stderr("");
    on_host(&project, &["host", "psql", "-Atc", "select 2"]).run().status(0).stdout("2\n").stderr("");
    on_host(&project, &["host", "shell"]).variable("SHELL", "/bin/sh").input("exit 3").run().status(3);
    on_host(&project, &["host", "schema-dump"]).run().status(0).stderr("");
    on_host(&project, &["host", "pgbench", "--version"]).run().status(0).stdout("pgbench (PostgreSQL) [..]\n");
}

#[test]
fn bin_runs_the_installed_program_and_starts_no_server() {
    let project = warm_project();
    project.write("list.sql", "select 'read';\n");
    on_host(&project, &["bin", "pg_dump", "--version"])
        .run()
        .status(0)
        .stdout("pg_dump (PostgreSQL) [..]\n")
        .stderr("");
    let missing = on_host(&project, &["bin", "nosuch"]).run();
    missing.status(127).stdout("").stderr(
        "error: the PostgreSQL in [..] has no program nosuch\n\
         hint: install the package that has it, or use docker or podman\n",
    );
    on_host(&project, &["bin", "--", "/bin/sh", "-c", "true"]).run().status(125).stdout("").stderr(
        "error: /bin/sh is not the name of one of PostgreSQL's programs\n\
         hint: name it without a folder, such as pg_dump\n",
    );
    // `bin psql` connects to the server that the caller's variables name.
    let binary = project.binary().display();
    let script = format!("exec {binary} --backend host bin psql -Atf list.sql");
    on_host(&project, &["-q", "run-env", "--", "sh", "-c", &script]).run().status(0).stdout("read\n").stderr("");
    let refused = on_host(&project, &["bin", "psql", "-c", "select 1"]).variable("PGHOST", "/nosuch").run();
    refused.status(2).stdout("").stderr("psql: error: connection to server on socket \"/nosuch[..]\n...");
    project.assert_nothing_left();
}

#[test]
fn a_dump_through_run_env_is_clean_to_the_last_byte() {
    let project = warm_project();
    // `PG_EPHEMERAL_TEST_DUMP` sets the size in megabytes.
    let size: u32 = std::env::var("PG_EPHEMERAL_TEST_DUMP").map_or(4, |size| size.parse().unwrap());
    for form in [&["run-env"][..], &["host", "run-env"]] {
        let script = support::dump_script(size);
        let ran = on_host(&project, &[&["-q"], form, &["--", "sh", "-c", &script]].concat()).limit(4 * AMPLE).run();
        support::assert_dump_is_clean(&ran, size);
    }
    project.assert_nothing_left();
}

#[test]
fn the_container_forms_are_refused_with_a_hint() {
    let project = warm_project();
    for form in ["psql", "shell", "schema-dump", "pgbench"] {
        on_host(&project, &["container", form]).run().status(125).stdout("").stderr(
            "error: the host backend has no container to run a command in\n\
             hint: leave out `container`, or use docker or podman\n",
        );
    }
    project.assert_nothing_left();
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    let project = warm_project();
    let status = |line: &str| on_host(&project, &["-q", "run-env", "--", "sh", "-c", line]).run();
    status("exit 42").status(42).stdout("").stderr("");
    status("exit 125").status(125).stdout("").stderr("");
    for signal in [1, 2, 9, 15] {
        status(&format!("kill -{signal} $$")).status(128 + signal).stdout("").stderr("");
    }
    project.assert_nothing_left();
}

#[test]
fn a_command_that_does_not_exist_ends_with_127() {
    let project = warm_project();
    let run = |program: &str| on_host(&project, &["-q", "run-env", "--", program]).run();
    run("nosuch").status(127).stdout("").stderr("error: no program \"nosuch\" on PATH\n");
    run("/nosuch/program").status(127).stdout("").stderr("error: no program \"/nosuch/program\"[..]\n");
    project.write("orphan", "#!/nosuch/interpreter\n");
    make_executable(&project.folder().join("orphan"));
    run("./orphan").status(127).stdout("").stderr(
        "error: no program \"./orphan\"[..]\nhint: the file is there: the interpreter that its first line names is not\n",
    );
    project.assert_nothing_left();
}

#[test]
fn a_command_that_can_not_be_executed_ends_with_126() {
    let project = warm_project().file("plain", "echo hi\n").file("folder/file", "");
    let run = |program: &str| on_host(&project, &["-q", "run-env", "--", program]).run();
    let denied =
        |program: &str| format!("error: failed to start \"{program}\"\ncaused by: Permission denied (os error 13)\n");
    run("./plain").status(126).stdout("").stderr(&denied("./plain"));
    run("./folder").status(126).stdout("").stderr(&denied("./folder"));
    project.assert_nothing_left();
}

#[cfg(target_os = "linux")]
#[test]
fn an_executable_file_without_an_interpreter_line_is_run_by_the_shell_as_env_does() {
    let project = warm_project().file("script", "echo \"$1 $PGUSER\"\n");
    make_executable(&project.folder().join("script"));
    on_host(&project, &["-q", "run-env", "--", "./script", "hello"]).run().status(0).stdout("hello postgres\n");
    project.assert_nothing_left();
}

#[test]
fn the_command_gets_the_connection_variables_and_none_of_the_callers() {
    let project = warm_project().file("passwords", "");
    fs::set_permissions(project.folder().join("passwords"), fs::Permissions::from_mode(0o600)).unwrap();
    let hostile = |arguments: &[&str]| {
        let mut command = on_host(&project, arguments);
        for (name, value) in [
            ("PGHOST", "nowhere.invalid"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGPORT", "1"),
            ("PGUSER", "nobody"),
            ("PGDATABASE", "nothing"),
            ("PGPASSWORD", "wrong"),
            ("PGPASSFILE", "passwords"),
            ("PGSERVICE", "nosuch"),
            ("PGSERVICEFILE", "/nosuch"),
            ("PGOPTIONS", "-c nosuch.parameter"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/nosuch"),
            ("PGREQUIREAUTH", "none"),
            ("PGCHANNELBINDING", "require"),
            ("PGTARGETSESSIONATTRS", "standby"),
            ("PGCLIENTENCODING", "nosuch"),
            ("PGTZ", "nosuch"),
            ("PGAPPNAME", "caller"),
            ("PGCONNECT_TIMEOUT", "garbage"),
            ("PGDATA", "/nosuch"),
            ("DATABASE_URL", "postgresql://nowhere.invalid"),
        ] {
            command = command.variable(name, value);
        }
        command
    };
    hostile(&["-q", "psql", "-Atc", "select 1"]).run().status(0).stdout("1\n").stderr("");
    let shown = ["run-env", "--", "sh", "-c", "env | grep -E '^(PG|DATABASE_)' | LC_ALL=C sort"];
    hostile(&shown).run().status(0).stderr("").stdout(
        "DATABASE_URL=postgresql://postgres:[..]@127.0.0.1:[..]/postgres?sslmode=disable\nPGDATABASE=postgres\n\
         PGHOST=127.0.0.1\nPGPASSWORD=[..]\nPGPORT=[..]\nPGSSLMODE=disable\nPGUSER=postgres\n",
    );
    hostile(&["schema-dump"]).run().status(0).stderr("");
    project.assert_nothing_left();
}

#[test]
fn the_url_alone_is_enough_to_connect() {
    let project = warm_project();
    let by_url = "env -i PATH=\"$PATH\" psql \"$DATABASE_URL\" -Atc 'select 1'";
    on_host(&project, &["-q", "run-env", "--", "sh", "-c", by_url]).run().status(0).stdout("1\n").stderr("");
}

#[test]
fn parameters_of_the_command_line_override_those_of_the_instance_and_the_top_level() {
    let project = warm_project().file(
        "database.toml",
        "parameters = { work_mem = \"11MB\", statement_timeout = \"11s\", lock_timeout = \"11s\" }\n\
         [instances.main.parameters]\nStatement_Timeout = \"22s\"\nlock_timeout = \"22s\"\n",
    );
    let query = "select string_agg(current_setting(name), ' ' order by name) \
                 from (values ('work_mem'), ('statement_timeout'), ('lock_timeout')) names (name)";
    let arguments = ["-q", "--parameter", "LOCK_TIMEOUT=33s", "psql", "-Atc", query];
    on_host(&project, &arguments).run().status(0).stdout("33s 22s 11MB\n").stderr("");
}

#[test]
fn a_throw_away_server_is_not_durable_unless_asked() {
    let project = warm_project();
    let query = ["-q", "psql", "-Atc", "select current_setting('fsync') || current_setting('synchronous_commit')"];
    on_host(&project, &query).run().status(0).stdout("offoff\n");
    project.write("database.toml", "durability = true\n");
    on_host(&project, &query).run().status(0).stdout("onon\n");
}

#[test]
fn superuser_and_database_may_have_odd_names() {
    let project = warm_project()
        .file("database.toml", "superuser = \"Me & you @:/%?#ü\"\ndatabase = \"my db '/\\\\@%?#=&\\\"ü\"\n");
    let script =
        "psql -Atc 'select current_user' -c 'select current_database()'; psql \"$DATABASE_URL\" -Atc 'select 1'";
    let ran = on_host(&project, &["-q", "run-env", "--", "sh", "-c", script]).run();
    ran.status(0).stdout("Me & you @:/%?#ü\nmy db '/\\@%?#=&\"ü\n1\n").stderr("");
    on_host(&project, &["schema-dump"]).run().status(0).stderr("");
    project.assert_nothing_left();
}

#[test]
fn a_major_version_that_is_not_installed_is_an_error_that_names_those_that_are() {
    let project = warm_project();
    on_host(&project, &["--image", "9.1", "psql"]).run().status(125).stdout("").stderr(
        "error: PostgreSQL 9.1 is not installed on this machine: there is [..]\n\
         hint: install it, use docker or podman, or ask for an installed one: --image [..]\n",
    );
    on_host(&project, &["--image", "ghcr.io/acme/postgres:1", "psql"]).run().status(125).stdout("").stderr(
        "error: the host backend can't run the image ghcr.io/acme/postgres:1: only PostgreSQL's official image stands for \
         what is installed\nhint: use docker or podman for it\n",
    );
    project.assert_nothing_left();
}

#[test]
fn a_parameter_that_pg_ephemeral_sets_is_refused_in_any_letter_case() {
    let project = warm_project();
    for name in ["port", "Listen_Addresses", "DATA_DIRECTORY", "unix_socket_directories"] {
        let assignment = format!("{name}=1");
        on_host(&project, &["--parameter", &assignment, "psql"])
            .run()
            .status(125)
            .stdout("")
            .stderr(&format!("error: the parameter {name} is set by pg-ephemeral itself\nhint: leave it out\n"));
    }
}

#[test]
fn a_server_that_dies_at_boot_fails_at_once_with_the_end_of_its_log() {
    let project = warm_project();
    on_host(&project, &["-q", "run-env", "true"]).run().status(0);
    let broken = ["--parameter", "shared_buffers=garbage", "run-env", "true"];
    let expected = "error: the server ended with status 1 before it was ready; its last words:\n\
                    [..]FATAL:  invalid value for parameter \"shared_buffers\": \"garbage\"\n\
                    hint: correct the parameter, in `parameters` of database.toml or in --parameter\n";
    let message = |ran: &pg_ephemeral_testkit::Ran<'_>| {
        ran.status(125).stdout("").stderr(&format!("...\n{expected}"));
    };
    message(&on_host(&project, &broken).run());
    let warm = on_host(&project, &broken).run();
    message(&warm);
    warm.within(Duration::from_secs(10));
    project.assert_nothing_left();
}

#[test]
fn timings_are_printed_on_standard_error_at_the_end() {
    let project = warm_project();
    on_host(&project, &["-q", "run-env", "true"]).run().status(0);
    on_host(&project, &["--timings", "run-env", "echo", "result"]).run().status(0).stdout("result\n").stderr(
        "timing: find a backend: [..] ms\ntiming: look up layers: [..] ms\ntiming: run: [..] ms\n\
         timing: connect: [..] ms\ntiming: ready: [..] ms\ntiming: command: [..] ms\ntiming: stop: [..] ms\n\
         timing: total: [..] ms\n",
    );
}

#[test]
fn a_quiet_command_says_nothing_and_a_verbose_one_says_what_it_does() {
    let project = warm_project();
    on_host(&project, &["--quiet", "run-env", "true"]).run().status(0).stdout("").stderr("");
    let verbose = on_host(&project, &["-v", "run-env", "true"]).run();
    verbose.status(0).stdout("").stderr("DEBUG [..]\n...\n");
    let everything = on_host(&project, &["-vv", "run-env", "printenv", "PGPASSWORD"]).run();
    everything.status(0);
    let password = everything.stdout_text();
    assert!(password.len() > 20 && !everything.stderr_text().contains(password.trim()));
}

#[test]
fn servers_that_run_are_listed_and_left_alone_by_gc() {
    let project = warm_project();
    let mut running =
        on_host(&project, &["-q", "run-env", "--", "sh", "-c", "echo port=$PGPORT; exec sleep 60"]).start();
    running.wait_for("port=");
    running.wait_for("\n");
    let port = running.stdout_so_far().trim().trim_start_matches("port=").to_owned();
    let pid = running.id();
    on_host(&project, &["list"]).run().status(0).stderr("").stdout(&format!(
        " NAME [..] BACKEND  INSTANCE  IMAGE [..] STATE    OWNER[..]PORT\n pg-ephemeral-[..] host     main      [..]postgres:1[..] running  {pid}[..] {port}\n"
    ));
    let json = on_host(&project, &["list", "--format", "json"]).run();
    json.status(0).stderr("").stdout(&format!(
        "[\n  {{\n    \"name\": \"pg-ephemeral-[..]\",\n    \"backend\": \"host\",\n    \"instance\": \"main\",\n    \
         \"image\": \"[..]postgres:1[..]\",\n    \"session\": null,\n    \"state\": \"running\",\n    \
         \"owner_pid\": {pid},\n    \"port\": {port}\n  }}\n]\n"
    ));
    on_host(&project, &["gc"]).run().status(0).stdout("").stderr("nothing was left behind\n");
    on_host(&project, &["gc", "--format", "json"]).run().status(0).stdout("[]\n").stderr("");
    running.signal(Signal::TERM);
    running.wait().status(143);
    on_host(&project, &["list", "--format", "json"]).run().status(0).stdout("[]\n").stderr("");
    project.assert_nothing_left();
}

#[test]
fn an_empty_home_is_enough_and_state_files_are_private() {
    let project = warm_project();
    let mut command = on_host(&project, &["-q", "run-env", "--", "psql", "-Atc", "select 1"]);
    for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR", "LANG"] {
        command = command.without_variable(name);
    }
    command.run().status(0).stdout("1\n").stderr("");
    let state = project.root().join("home/.local/state");
    let mode = |path: &str| fs::metadata(state.join(path)).unwrap().mode() & 0o777;
    assert_eq!(mode("pg-ephemeral"), 0o700);
    assert_eq!(mode("ociman"), 0o700);
    assert_eq!(mode("pg-ephemeral/secret"), 0o600);
    assert_eq!(fs::read_dir(project.root().join("home")).unwrap().count(), 1);
    assert!(project.processes().is_empty());
}

#[test]
fn a_state_folder_that_can_not_be_created_is_an_error_that_names_it() {
    let project = warm_project().file("file", "");
    let state = project.folder().join("file");
    let ran = on_host(&project, &["run-env", "true"]).variable("XDG_STATE_HOME", &state).run();
    ran.status(125).stdout("").stderr(
        "error: [..][ROOT]/work/file/[..]\ncaused by: Not a directory (os error 20)\n\
         hint: `pg-ephemeral doctor` shows whether you may read it\n",
    );
    let listed = on_host(&project, &["list"]).variable("XDG_STATE_HOME", &state).run();
    listed.status(1).stdout("").stderr("error: [..][ROOT]/work/file/[..]\ncaused by: Not a directory (os error 20)\n");
}

#[test]
fn a_state_folder_without_write_permission_is_an_error_that_names_it() {
    if rustix::process::geteuid().is_root() {
        // Permissions do not stop root, so the test uses a file system in which nobody can create folders.
        let project = warm_project();
        let ran = on_host(&project, &["run-env", "true"]).variable("XDG_STATE_HOME", "/proc/state").run();
        ran.status(125).stdout("").stderr(
            "error: [..]/proc/state/[..]\ncaused by: No such file or directory (os error 2)\n\
                 hint: `pg-ephemeral doctor` tells which folders have to be yours\n",
        );
        return;
    }
    let project = warm_project();
    fs::set_permissions(project.state(), fs::Permissions::from_mode(0o500)).unwrap();
    on_host(&project, &["run-env", "true"]).run().status(125).stdout("").stderr(
        "error: [..][ROOT]/state/[..]\ncaused by: Permission denied (os error 13)\n\
             hint: `pg-ephemeral doctor` tells which folders have to be yours\n",
    );
}

#[test]
fn the_command_runs_in_a_working_folder_of_any_name() {
    let project = warm_project().file("it's ü & \"more\" $x/here", "found\n");
    let folder = project.folder().join("it's ü & \"more\" $x");
    let ran = on_host(&project, &["-q", "run-env", "--", "cat", "here"]).folder(&folder).run();
    ran.status(0).stdout("found\n").stderr("");
    let pipe = on_host(&project, &["psql", "-At"]).folder(&folder).input("\\! cat here\n").run();
    pipe.status(0).stdout("found\n").stderr("");
}

#[test]
fn any_bytes_go_through_the_commands_pipes() {
    let project = warm_project();
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    let ran = on_host(&project, &["-q", "run-env", "cat"]).input(bytes.clone()).run();
    ran.status(0).stderr("");
    assert!(ran.stdout_bytes() == bytes);
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let project = warm_project();
    let arguments = ["-q", "run-env", "--", "printf", "<%s>\n", "", "a b", "--", "-q", "KEY=VALUE", "*", "$HOME", "\n"];
    on_host(&project, &arguments)
        .run()
        .status(0)
        .stderr("")
        .stdout("<>\n<a b>\n<-->\n<-q>\n<KEY=VALUE>\n<*>\n<$HOME>\n<\n>\n");
}

#[test]
fn several_instances_have_clusters_of_their_own() {
    let project = warm_project()
        .file("database.toml", "[instances.main]\n[instances.other]\nsuperuser = \"owner\"\ndatabase = \"shop\"\n");
    let query = ["psql", "-Atc", "select current_user, current_database()"];
    on_host(&project, &["-q"]).run().status(0);
    on_host(&project, &query).run().status(0).stdout("postgres|postgres\n");
    let other = [&["-q", "--instance", "other"], &query[..]].concat();
    on_host(&project, &other).limit(AMPLE).run().status(0).stdout("owner|shop\n").stderr("");
}
