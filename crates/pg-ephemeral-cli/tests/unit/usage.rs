//! Tests of help texts, of errors about wrong input, and of commands that describe the binary itself. No test here
//! starts a server.

use std::net::TcpListener;

use crate::support::{self, project, with_nothing, without_engines};

/// All commands that have a help text.
const HELPS: [&str; 54] = [
    "",
    "psql",
    "run-env",
    "shell",
    "schema-dump",
    "pgbench",
    "database",
    "database create",
    "database list",
    "database url",
    "database drop",
    "database reset",
    "host",
    "host psql",
    "host run-env",
    "container",
    "container psql",
    "container run-env",
    "bin",
    "cache",
    "cache status",
    "cache populate",
    "cache inspect",
    "cache credentials",
    "cache pull",
    "cache push",
    "cache reset",
    "cache prune",
    "config",
    "config check",
    "config show",
    "config schema",
    "init",
    "session",
    "session start",
    "session list",
    "session status",
    "session stop",
    "session snapshot",
    "session snapshots",
    "session restore",
    "session reset",
    "session fork",
    "session url",
    "session env",
    "session psql",
    "list",
    "meta",
    "meta info",
    "platform",
    "platform support",
    "doctor",
    "gc",
    "completions",
];

#[test]
fn the_formats_shell_and_dotenv_are_refused_for_commands_other_than_session_env() {
    let project = project();
    let others =
        ["", "psql", "run-env true", "list", "gc", "cache status", "session list --name a", "session url --name a"];
    for words in others {
        for format in ["shell", "dotenv"] {
            let ran = project.command(["--format", format].into_iter().chain(words.split_whitespace())).run();
            ran.status(2).stdout("").stderr(
                "error: `--format shell` and `--format dotenv` are for `session env` only: use text or json\n\n\
                 Usage: pg-ephemeral [OPTIONS] [COMMAND]\n\nFor more information, try '--help'.\n",
            );
        }
    }
}

#[test]
fn every_help_text_is_complete() {
    let project = project();
    for words in HELPS {
        let ran = project.command(words.split_whitespace().chain(["--help"])).run();
        ran.status(0).stderr("");
        insta::assert_snapshot!(format!("help {words}").trim().replace(' ', "_"), ran.stdout_text());
    }
}

#[test]
fn the_short_help_flag_and_the_help_command_print_the_same() {
    let project = project();
    let long = project.command(["--help"]).run().stdout_text();
    assert_eq!(project.command(["-h"]).run().stdout_text(), long);
    assert_eq!(project.command(["help"]).run().stdout_text(), long);
}

#[test]
fn the_version_is_one_line_on_standard_output() {
    let expected = concat!("pg-ephemeral ", env!("CARGO_PKG_VERSION"), "\n");
    let project = project();
    for flag in ["--version", "-V"] {
        project.command([flag]).run().status(0).stdout(expected).stderr("");
    }
}

#[test]
fn an_unknown_command_ends_with_status_2_and_suggests_the_nearest_one() {
    project().command(["lits"]).run().status(2).stdout("").stderr(
        "error: unrecognized subcommand 'lits'\n\n  tip: a similar subcommand exists: 'list'\n\n\
         Usage: pg-ephemeral [OPTIONS] [COMMAND]\n\nFor more information, try '--help'.\n",
    );
}

#[test]
fn wrong_options_end_with_status_2_and_say_what_is_wrong() {
    let project = project();
    for (arguments, message) in [
        ("--nosuch psql", "error: unexpected argument '--nosuch' found\n...\n"),
        ("list extra", "error: unexpected argument 'extra' found\n...\n"),
        ("run-env", "error: the following required arguments were not provided:\n  <COMMAND>...\n...\n"),
        (
            "--format xml list",
            "error: invalid value 'xml' for '--format <FORMAT>'\n  [possible values: text, json, shell, dotenv]\n...\n",
        ),
        ("-q -v list", "error: the argument '--quiet' cannot be used with '--verbose...'\n...\n"),
        (
            "--no-config-file --config-file x list",
            "error: the argument '--no-config-file' cannot be used with '--config-file <FILE>'\n...\n",
        ),
        ("--backend", "error: a value is required for '--backend <BACKEND>' but none was supplied\n...\n"),
        ("host", "Run psql, a command, a shell and so on as a process of this machine, connected over TCP\n...\n"),
        ("meta", "Show information about pg-ephemeral\n...\n"),
    ] {
        let arguments = arguments.split(' ');
        project.command(arguments).run().status(2).stdout("").stderr(message);
    }
}

#[test]
fn bad_names_end_with_status_2_and_say_what_is_wrong() {
    let project = project();
    let ending = "\n\nFor more information, try '--help'.\n";
    for (arguments, message) in [
        (
            ["--backend", "bad"],
            "error: invalid value 'bad' for '--backend <BACKEND>': \"bad\" is not a backend: auto, docker, podman, host",
        ),
        (
            ["--instance", "Bad"],
            "error: invalid value 'Bad' for '--instance <NAME>': name has 'B' at byte 0, allowed are lower-case ASCII \
             letters, digits and inner dashes",
        ),
        (["--instance", ""], "error: invalid value '' for '--instance <NAME>': name is empty"),
        (
            ["--image", "a b"],
            "error: invalid value 'a b' for '--image <IMAGE>': image \"a b\" is neither a version of the official image nor \
             a full reference",
        ),
        (
            ["--parameter", "port"],
            "error: invalid value 'port' for '--parameter <NAME=VALUE>': parameter has no `=` between name and value",
        ),
        (
            ["--parameter", "1x=2"],
            "error: invalid value '1x=2' for '--parameter <NAME=VALUE>': parameter name starts with '1', not with an ASCII \
             letter or `_`",
        ),
        (
            ["--ssl-hostname", "a b"],
            "error: invalid value 'a b' for '--ssl-hostname <HOST>': a host name has letters, digits, `-` and `.`, not ' '",
        ),
    ] {
        project.command(arguments).run().status(2).stdout("").stderr(&format!("{message}{ending}"));
    }
}

#[test]
fn an_unknown_instance_is_an_error_that_names_the_nearest_one() {
    let project = project().file("database.toml", "[instances.main]\n[instances.shop]\n");
    project
        .command(["--instance", "shp", "psql"])
        .run()
        .status(125)
        .stdout("")
        .stderr("error: there is no instance `shp`: there are main, shop\nhint: did you mean --instance shop?\n");
}

#[test]
fn without_a_configuration_only_the_instance_main_is_known() {
    project()
        .command(["--instance", "shop", "psql"])
        .run()
        .status(125)
        .stdout("")
        .stderr("error: there is no instance `shop`: there is main\nhint: instances are set up in database.toml\n");
}

#[test]
fn a_broken_configuration_is_shown_at_the_position_of_the_mistake() {
    let project = project().file("database.toml", "durability = true\nimgae = \"17\"\n");
    let picture = "error: [ROOT]/work/database.toml:2:1: unknown key `imgae` at the top level\n  |\n2 | imgae = \"17\"\n  \
                   | ^^^^^\n  = hint: did you mean `image`? valid keys: [..]\n";
    project.command(["psql"]).run().status(125).stdout("").stderr(picture);
    project.command(["list"]).run().status(1).stdout("").stderr(picture);
}

#[test]
fn a_configuration_is_found_from_a_folder_below_it_and_can_be_ignored() {
    let project = project().file("database.toml", "imgae = 1\n").file("deep/down/file", "");
    let below = project.folder().join("deep/down");
    project
        .command(["psql"])
        .folder(&below)
        .run()
        .status(125)
        .stderr("error: [ROOT]/work/database.toml:1:1: [..]\n...\n");
    project.command(["--no-config-file", "meta", "info"]).folder(&below).run().status(0).stderr("");
}

#[test]
fn a_configuration_named_by_config_file_must_exist() {
    project().command(["--config-file", "nosuch.toml", "psql"]).run().status(125).stdout("").stderr(
        "error: failed to read configuration nosuch.toml\ncaused by: No such file or directory (os error 2)\n\
             hint: `pg-ephemeral init` writes one to start from, also with --config-file\n",
    );
}

#[test]
fn a_state_folder_that_can_not_be_created_is_an_error_with_a_hint() {
    let project = project().file("state", "in the way\n");
    let ran = support::on_host(&project, &["psql", "-c", "select 1"])
        .variable("XDG_STATE_HOME", project.folder().join("state"));
    ran.run().status(125).stdout("").stderr(
        "error: failed to read the secret [ROOT]/work/state/pg-ephemeral/secret\ncaused by: Not a directory (os error 20)\n\
         hint: `pg-ephemeral doctor` shows whether you may read it\n",
    );
    let told = project.command(["doctor"]).variable("XDG_STATE_HOME", project.folder().join("state")).run();
    told.status(1).stdout(
        "...\nmissing: permissions: [ROOT]/work/state/pg-ephemeral: can't be created in [ROOT]/work/state; make [..]\n...",
    );
}

#[test]
fn a_bad_backend_in_the_environment_is_an_error() {
    let project = project();
    let message = "error: failed to choose a backend by OCIMAN_BACKEND\n\
                   caused by: \"bad\" is not a backend: auto, docker, podman, host\n\
                   hint: the backends are auto, docker, podman and host\n";
    project.command(["psql"]).variable("OCIMAN_BACKEND", "bad").run().status(125).stdout("").stderr(message);
    project.command(["list"]).variable("OCIMAN_BACKEND", "bad").run().status(1).stdout("").stderr(message);
}

#[test]
fn a_broken_configuration_of_the_user_is_shown_at_the_position_of_the_mistake() {
    let project = project();
    std::fs::write(project.config().join("ociman.toml"), "default_backend = host\n").unwrap();
    project.command(["psql"]).run().status(125).stdout("").stderr(
        "error: failed to read [ROOT]/config/ociman.toml\ncaused by: TOML parse error at line 1, column 19\n  |\n\
         1 | default_backend = host\n...\nhint: the backends are auto, docker, podman and host\n",
    );
}

#[test]
fn a_configuration_of_the_user_that_can_not_be_read_is_an_error() {
    let project = project();
    std::fs::create_dir(project.config().join("ociman.toml")).unwrap();
    project.command(["psql"]).run().status(125).stdout("").stderr(
        "error: failed to read [ROOT]/config/ociman.toml\ncaused by: is a directory\n\
         hint: the backends are auto, docker, podman and host\n",
    );
}

#[test]
fn a_bad_backend_in_the_configuration_of_the_user_is_an_error() {
    let project = project();
    std::fs::write(project.config().join("ociman.toml"), "default_backend = \"bad\"\n").unwrap();
    project.command(["psql"]).run().status(125).stdout("").stderr(
        "error: failed to choose a backend in [ROOT]/config/ociman.toml\n\
         caused by: \"bad\" is not a backend: auto, docker, podman, host\n\
         hint: the backends are auto, docker, podman and host\n",
    );
}

#[test]
fn an_explicit_backend_that_is_missing_is_an_error_wherever_it_was_chosen() {
    let project = project();
    let message = |origin: &str| {
        format!(
            "error: the docker backend, chosen {origin}, does not work: no program \"docker\" on PATH\n\
             hint: install the Docker engine and start it, and check that `docker version` answers\n"
        )
    };
    let explicit = without_engines(&project, &["--backend", "docker", "psql"]).run();
    explicit.status(125).stdout("").stderr(&message("explicitly"));
    let environment = without_engines(&project, &["psql"]).variable("OCIMAN_BACKEND", "docker").run();
    environment.status(125).stdout("").stderr(&message("by OCIMAN_BACKEND"));
    std::fs::write(project.config().join("ociman.toml"), "default_backend = \"docker\"\n").unwrap();
    let user = without_engines(&project, &["psql"]).run();
    user.status(125).stdout("").stderr(&message("in [ROOT]/config/ociman.toml"));
    project.write("database.toml", "backend = \"docker\"\n");
    let configured = without_engines(&project, &["psql"]).run();
    configured.status(125).stdout("").stderr(&message("in the configuration"));
    without_engines(&project, &["--backend", "docker", "list"])
        .run()
        .status(1)
        .stdout("")
        .stderr(&message("explicitly"));
}

#[test]
fn an_explicit_podman_or_host_that_is_missing_is_an_error_with_a_remedy() {
    let project = project();
    with_nothing(&project, &["--backend", "podman", "run-env", "true"]).run().status(125).stdout("").stderr(
        "error: the podman backend, chosen explicitly, does not work: no program \"podman\" on PATH\n\
         hint: install podman, and check that `podman info` answers\n",
    );
    with_nothing(&project, &["--backend", "host", "run-env", "true"]).run().status(125).stdout("").stderr(
        "error: the host backend, chosen explicitly, does not work: no PostgreSQL server programs found in \
         [ROOT]/cache (PG_EPHEMERAL_BIN_DIR)\n\
         hint: install PostgreSQL's server [..]or name its folder in PG_EPHEMERAL_BIN_DIR\n",
    );
}

#[test]
fn without_any_backend_the_error_lists_what_was_tried_and_how_to_get_one() {
    let project = project();
    let ran = with_nothing(&project, &["psql"]).run();
    ran.status(125).stdout("").stderr("error: no backend works[..]\n...\n");
    let text = ran.stderr_text();
    for part in [
        "docker: no program \"docker\" on PATH",
        "podman: no program \"podman\" on PATH",
        "host: no PostgreSQL server programs found in [ROOT]/cache (PG_EPHEMERAL_BIN_DIR)",
        "install the Docker engine",
        "install podman",
        "install PostgreSQL's server",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn an_engine_that_does_not_answer_is_an_error_that_names_its_address() {
    // A port that was just bound and closed is unlikely to have another listener.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", closed.local_addr().unwrap());
    drop(closed);
    let project = project();
    // A substitute that prints the message of the real docker client, which need not be installed.
    let program = project.folder().join("bin/docker");
    project.write(
        "bin/docker",
        "#!/bin/sh\necho \"Cannot connect to the Docker daemon at $DOCKER_HOST. Is the docker daemon running?\" >&2\nexit 1\n",
    );
    support::make_executable(&program);
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let command = project.command(["--backend", "docker", "psql"]).variable("PATH", path);
    command.variable("DOCKER_HOST", &address).run().status(125).stdout("").stderr(&format!(
        "error: the docker backend, chosen explicitly, does not work: [..]Cannot connect to the Docker daemon at {address}[..]\n\
         hint: start the Docker engine, and check that `docker version` answers\n"
    ));
}

#[test]
fn colours_are_used_only_when_asked_for_or_on_a_terminal() {
    let project = project();
    let plain = "error: there is no instance `x`: there is main\nhint: instances are set up in database.toml\n";
    let coloured = "\x1b[1;31merror:\x1b[0m there is no instance `x`: there is main\n\
                    \x1b[1mhint:\x1b[0m instances are set up in database.toml\n";
    project.command(["--instance", "x"]).run().status(125).stderr(plain);
    project.command(["--instance", "x", "--color", "never"]).run().status(125).stderr(plain);
    project.command(["--instance", "x", "--color", "always"]).run().status(125).stderr(coloured);
    project.command(["--instance", "x"]).variable("NO_COLOR", "1").variable("CLICOLOR_FORCE", "1").run().stderr(plain);
}

#[test]
fn meta_info_tells_version_folders_and_configuration() {
    let project = project().file("database.toml", "");
    project.command(["meta", "info"]).run().status(0).stderr("").stdout(concat!(
        "version: ",
        env!("CARGO_PKG_VERSION"),
        "\nlayer format: 3\nconfiguration: [ROOT]/work/database.toml\nstate: [ROOT]/state/pg-ephemeral\n\
         host backend's state: [ROOT]/state/ociman\n"
    ));
    project.command(["--no-config-file", "--format", "json", "meta", "info"]).run().status(0).stderr("").stdout(concat!(
        "{\n  \"version\": \"",
        env!("CARGO_PKG_VERSION"),
        "\",\n  \"layer_format\": 3,\n  \"config_file\": null,\n  \"state_folder\": \"[ROOT]/state/pg-ephemeral\",\n  \
         \"host_state_folder\": \"[ROOT]/state/ociman\"\n}\n"
    ));
}

#[test]
fn platform_support_tells_why_a_backend_does_not_work() {
    let project = project();
    with_nothing(&project, &["platform", "support"]).run().status(0).stderr("").stdout(
        "docker: does not work: no program \"docker\" on PATH\npodman: does not work: no program \"podman\" on PATH\n\
         host: does not work: no PostgreSQL server programs found in [ROOT]/cache (PG_EPHEMERAL_BIN_DIR)\n",
    );
    with_nothing(&project, &["--format", "json", "platform", "support"]).run().status(0).stderr("").stdout(
        "[\n  {\n    \"backend\": \"docker\",\n    \"works\": false,\n    \"version\": null,\n    \
         \"reason\": \"no program \\\"docker\\\" on PATH\"\n  },\n...\n]\n",
    );
}

#[test]
fn listings_without_any_backend_are_empty() {
    let project = project();
    with_nothing(&project, &["--format", "json", "list"]).run().status(0).stdout("[]\n").stderr("");
    with_nothing(&project, &["list"])
        .run()
        .status(0)
        .stderr("")
        .stdout(" NAME  BACKEND  INSTANCE  IMAGE  SESSION  STATE  OWNER  PORT\n");
    with_nothing(&project, &["gc"]).run().status(0).stdout("").stderr("nothing was left behind\n");
    with_nothing(&project, &["--format", "json", "gc"]).run().status(0).stdout("[]\n").stderr("");
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let project = project();
    let line = format!("{} --help | head -n 1; exit $?", project.binary().display());
    project
        .command(["-c", &line])
        .program("/bin/sh")
        .run()
        .status(0)
        .stderr("")
        .stdout("Start a temporary PostgreSQL server with your data, use it, and have it removed afterwards\n");
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    let project = project();
    let before = project.command(["--format", "json", "--no-config-file", "meta", "info"]).run().stdout_text();
    let after = project.command(["meta", "info", "--format", "json", "--no-config-file"]).run().stdout_text();
    assert_eq!(before, after);
}

#[test]
fn a_user_without_a_home_is_told_what_to_set() {
    let project = project();
    if !rustix::process::geteuid().is_root() {
        // Only root can run a process as an unknown user. A known user has a home folder even without HOME.
        project.command(["meta", "info"]).without_variable("HOME").run().status(0);
        return;
    }
    let binary = project.root().join("pg-ephemeral");
    std::fs::copy(project.binary(), &binary).unwrap();
    let mut command = std::process::Command::new(binary);
    command.args(["meta", "info"]).env_clear().current_dir(project.folder());
    // A binary built for coverage would print that this user can't write the profile file.
    command.env("LLVM_PROFILE_FILE", "/dev/null");
    std::os::unix::process::CommandExt::uid(&mut command, 4_000_000_001);
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.starts_with("error: failed to find the home folder"), "{told}");
    assert!(told.ends_with("hint: set HOME to a folder of yours\n"), "{told}");
}

#[test]
fn a_misspelt_option_before_the_command_is_wrong_usage_and_not_the_command() {
    let project = project();
    for form in [&["run-env"][..], &["host", "run-env"], &["session", "run-env", "--name", "a"], &["bin"]] {
        let ran = project.command(form.iter().chain(&["--bakend", "host", "--", "psql"])).run();
        ran.status(2).stdout("").stderr(
            "error: unexpected argument '--bakend' found\n\n  tip: a similar argument exists: '--backend'\n...\n",
        );
    }
}

#[test]
fn a_missing_program_of_this_machine_is_an_error_before_any_server_is_started() {
    let project = project();
    for (words, program) in [("host run-env -- nosuch", "\"nosuch\" on PATH"), ("run-env ./nosuch", "\"./nosuch\"")] {
        let ran = support::on_host(&project, &words.split(' ').collect::<Vec<_>>()).run();
        ran.status(127).stdout("").stderr(&format!("error: no program {program}\n"));
        assert!(!project.state().join("ociman").exists(), "{words}");
    }
}

#[test]
fn a_time_to_live_must_be_positive_and_have_a_unit() {
    let project = project();
    for (ttl, reason) in [
        ("0s", "it must be more than zero"),
        ("2", "expected a number with a unit, such as 90s, 2h or 30d: [..]"),
        ("soon", "expected a number with a unit, such as 90s, 2h or 30d: [..]"),
    ] {
        let ran = project.command(["session", "start", "--name", "a", "--ttl", ttl]).run();
        ran.status(2).stdout("").stderr(&format!("error: invalid value '{ttl}' for '--ttl <TIME>': {reason}\n...\n"));
    }
}

#[test]
fn only_commands_that_run_on_a_session_list_the_option_for_a_fresh_database() {
    let project = project();
    let lists = |words: &str| {
        let help = project.command(["session"].into_iter().chain(words.split(' ')).chain(["--help"])).run();
        help.stdout_text().contains("--fresh-database")
    };
    assert!(["psql", "run-env", "shell", "host run-env", "container psql"].into_iter().all(lists));
    assert!(!["start", "list", "stop", "snapshot", "fork", "url", "env"].into_iter().any(lists));
}
