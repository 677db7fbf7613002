//! Tests of the terminal output of commands on an engine that is slow enough for the spinner to appear.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::fakes::{Container, fake};
use crate::support::make_executable;
use crate::support::terminal::Terminal;
use pg_ephemeral_testkit::Project;

/// All commands that end by themselves and whose result does not depend on the time, including wrong usage.
const COMMANDS: [&str; 25] = [
    "list",
    "gc",
    "doctor",
    "platform support",
    "meta info",
    "config check",
    "config show",
    "cache status",
    "cache prune",
    "cache reset",
    "cache inspect pg-ephemeral/main:nothing",
    "cache credentials pg-ephemeral/main:nothing",
    "session list",
    "session status",
    "session stop --name a",
    "session stop --name nobody",
    "session stop --all",
    "session url --name a",
    "session env --name a",
    "session url",
    "session url --name nobody",
    "session snapshots",
    "session psql",
    "database list",
    "database --session nobody list",
];

/// Creates a project with a session `a` on a fake Podman whose commands each take 0.3 seconds longer.
fn slow() -> Project {
    let project = fake("podman", &[Container::session("a", "main", &[])]);
    let (slow, fast) = (project.root().join("programs/podman"), project.root().join("fast/podman"));
    fs::create_dir(fast.parent().unwrap()).unwrap();
    symlink(fs::read_link(&slow).unwrap(), &fast).unwrap();
    fs::remove_file(&slow).unwrap();
    project.write(&slow, format!("#!/bin/sh\nsleep 0.3\nexec {} \"$@\"\n", fast.display()));
    make_executable(&slow);
    // The machine's own Docker is hidden, because its containers may change at any time.
    let docker = project.root().join("programs/docker");
    project.write(&docker, "#!/bin/sh\nexit 1\n");
    make_executable(&docker);
    project.database_toml("image = \"17\"\n[instances.main]\n")
}

/// Returns the output of a project without white space, because a terminal breaks long lines, and without digits and
/// keys, because they change from run to run.
fn words(project: &Project, text: &str) -> String {
    let words: String = text.split_whitespace().collect();
    let words = words.replace(&*project.root().to_string_lossy(), "[ROOT]");
    // Removes numbers and keys.
    words.chars().filter(|character| !character.is_ascii_hexdigit()).collect()
}

#[test]
fn the_spinner_leaves_nothing_beside_a_result_or_an_error() {
    for command in COMMANDS {
        let project = slow();
        let line = format!("{} --backend podman {command}", project.binary().display());
        let terminal = Terminal::new(&project, &line);
        let screen = terminal.wait_for("an end", |screen| screen.contains("[status "));
        drop(terminal);
        let screen = words(&project, &screen);
        // The command may change the project, so the comparison runs in a new one.
        let project = slow();
        let ran = project.command(["--backend", "podman"].into_iter().chain(command.split(' '))).run();
        let printed = format!("{}{}[status {}]", ran.stdout_text(), ran.stderr_text(), ran.code());
        assert_eq!(screen, words(&project, &printed), "{command}");
    }
}

/// Returns the bytes that a command writes to a terminal of this type.
fn written(project: &Project, terminal: &str, command: &str) -> String {
    let line = format!("{} --backend podman {command}", project.binary().display());
    let ran = project.command(["-qc", &line, "/dev/null"]).program("script").variable("TERM", terminal).run();
    ran.stdout_text().to_owned()
}

#[test]
fn a_dumb_terminal_is_sent_no_escape_codes() {
    let project = slow();
    for command in ["session list", "session url --name nobody", "--nonsense", "session list -v", "--help"] {
        for ci in ["", "true"] {
            let project = slow().variable("CI", ci);
            let text = written(&project, "dumb", command);
            assert!(!text.is_empty() && !text.contains('\x1b'), "{command} wrote {text:?}");
        }
    }
    let text = written(&project, "xterm", "session list");
    let (spinner, result) = text.rsplit_once('\x1b').unwrap();
    assert!(spinner.contains(" 0s"), "the engine is not slow enough for a spinner: {text:?}");
    assert!(result.starts_with("[2K NAME"), "{text:?}");
}
