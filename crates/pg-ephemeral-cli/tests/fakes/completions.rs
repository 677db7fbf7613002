//! Tests of completion in real shells. `PG_EPHEMERAL_TEST_SHELLS` lists the shells (default: `bash`). Each listed shell
//! must be installed.

use std::time::{Duration, Instant};

use crate::support::fakes::{Container, fake};
use crate::support::terminal::Terminal;
use crate::support::{self, AMPLE};
use pg_ephemeral_testkit::{Project, wait_until};

const CONFIG: &str = "[instances.main]\n[instances.shop]\n[instances.shelf]\n";

fn shells() -> Vec<String> {
    let named = std::env::var("PG_EPHEMERAL_TEST_SHELLS").unwrap_or_else(|_| "bash".to_owned());
    named.split_whitespace().map(str::to_owned).collect()
}

/// Returns the commands that put the binary on `PATH` and set up completion in a shell.
fn set_up(project: &Project, shell: &str) -> String {
    let folder = project.binary().parent().unwrap().display();
    match shell {
        "fish" => format!("set -x PATH $PATH {folder}; pg-ephemeral completions fish | source"),
        "zsh" => {
            format!("PATH=$PATH:{folder}; autoload -U compinit; compinit -D; eval \"$(pg-ephemeral completions zsh)\"")
        }
        _ => format!("PATH=$PATH:{folder}; eval \"$(pg-ephemeral completions {shell})\""),
    }
}

/// Returns the candidates that a shell offers for the last word of a line, sorted.
fn offered(project: &Project, shell: &str, line: &str) -> Vec<String> {
    let set_up = set_up(project, shell);
    let script = match shell {
        "bash" => format!(
            "{set_up}; COMP_WORDS=({line} {end}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; \
             _clap_complete_pg_ephemeral pg-ephemeral \"${{COMP_WORDS[COMP_CWORD]}}\" x; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            end = if line.ends_with(' ') { "''" } else { "" },
        ),
        "fish" => format!("{set_up}; complete -C '{line}' | string replace -r '\\t.*' ''; true"),
        // zsh completes only in an interactive shell, so the binary is called as zsh's completion script calls it.
        "zsh" => format!(
            "words=({line} {end}); PATH=$PATH:{folder}; _CLAP_IFS=$'\\n' _CLAP_COMPLETE_INDEX=$((${{#words}} - 1)) \
             PG_EPHEMERAL_COMPLETE=zsh pg-ephemeral -- \"${{words[@]}}\" | sed 's/:.*//'",
            end = if line.ends_with(' ') { "''" } else { "" },
            folder = project.binary().parent().unwrap().display(),
        ),
        other => panic!("no such shell is known: {other}"),
    };
    let ran = project.command(["-c", &script]).program(format!("/usr/bin/{shell}")).run();
    ran.status(0).stderr("");
    let mut offered: Vec<_> = ran.stdout_text().lines().map(|line| line.trim_end().to_owned()).collect();
    offered.retain(|word| !word.is_empty());
    offered.sort();
    offered
}

#[test]
fn commands_instances_and_tools_are_completed() {
    let project = support::project().database_toml(CONFIG).file("other.toml", "[instances.elsewhere]\n");
    for shell in shells() {
        let offered = |line: &str| offered(&project, &shell, line);
        assert_eq!(offered("pg-ephemeral comp"), ["completions"]);
        assert_eq!(offered("pg-ephemeral cache pu"), ["pull", "push"]);
        assert_eq!(offered("pg-ephemeral --instance sh"), ["shelf", "shop"]);
        assert_eq!(offered("pg-ephemeral psql --instance "), ["main", "shelf", "shop"]);
        assert_eq!(offered("pg-ephemeral --config-file other.toml --instance "), ["elsewhere"]);
        assert_eq!(offered("pg-ephemeral bin -- pg_dum"), ["pg_dump", "pg_dumpall"]);
        assert_eq!(offered("pg-ephemeral --backend po"), ["podman"]);
    }
}

#[test]
fn completion_ignores_a_broken_configuration_silently() {
    let project = support::project().database_toml("imgae = 1\n");
    for shell in shells() {
        assert_eq!(offered(&project, &shell, "pg-ephemeral --instance "), ["main"]);
        // The offered words do not matter here, only that nothing is printed on standard error.
        offered(&project, &shell, "pg-ephemeral nosuch --wrong ");
    }
}

#[test]
fn completing_sessions_takes_one_listing_and_removes_no_expired_session() {
    for engine in ["docker", "podman"] {
        let containers = [
            Container::session("review", "main", &[]),
            Container::session("report", "main", &[]),
            Container::session("reaped-by-the-next-command", "main", &[("expires", "1")]),
        ];
        let project = fake(engine, &containers);
        for shell in shells() {
            assert_eq!(offered(&project, &shell, "pg-ephemeral session psql --name re"), ["report", "review"]);
        }
        let journal = project.engine_journal(engine);
        assert_eq!(journal.lines().count(), shells().len(), "{journal}");
        assert!(journal.lines().all(|line| line.contains(" ps ")), "{journal}");
    }
}

#[test]
fn completion_gives_up_on_an_engine_that_hangs() {
    let hang = "[[failures]]\noperation = \"list\"\nfailure = \"hang\"\n";
    let project = support::fakes::and_fake(support::project().scenario(hang), "podman");
    // The machine's own Docker could have sessions.
    let project = support::fakes::and_fake(project, "docker");
    let begin = Instant::now();
    assert_eq!(offered(&project, "bash", "pg-ephemeral session psql --name "), [""; 0]);
    // The time limit of the engine, plus ample time for two shells on a busy machine.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    wait_until("what the engines were asked has ended", AMPLE, || project.processes().is_empty());
}

#[test]
fn the_tab_key_in_a_terminal_completes_the_word() {
    let project = support::project().database_toml(CONFIG);
    project.write("rc", format!("{}; PS1='ready> '\n", set_up(&project, "bash")));
    let terminal = Terminal::new(&project, "bash --noprofile --rcfile rc");
    terminal.wait_for_prompt("ready>");
    terminal.enter("bind 'set bell-style none'");
    terminal.wait_for("the next prompt", |screen| screen.matches("ready>").count() == 2);
    // `key` sends the text without Enter.
    terminal.key("pg-ephemeral --instance sho");
    terminal.key("Tab");
    terminal.wait_for("the instance", |screen| screen.contains("pg-ephemeral --instance shop"));
}
