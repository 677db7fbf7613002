//! Tests of the binary with an engine that appears to be on another machine. They need root, iproute2 and util-linux.

use std::fs;

use crate::support::AMPLE;
use crate::support::engine::{Engine, commands_of_a_start};
use crate::support::remote_engine::RemoteEngine;
use pg_ephemeral_testkit::wait_until;
use rustix::process::Signal;

/// Runs all checks on one engine, because starting an engine takes long.
fn a_remote_engine_does_everything_but_mounts(program: &'static str) {
    let remote = RemoteEngine::new(program);
    let engine = Engine::at(program, remote.variables());
    mounts_are_refused_before_anything_is_started(&engine, &remote);
    servers_are_reached_at_the_engines_address(&engine, &remote);
    sessions_are_attached_at_the_engines_address(&engine, &remote);
    only_commands_that_use_the_remote_engine_remove_its_leftovers(&engine, &remote);
    let doctor = engine.command(&["doctor"]).run();
    assert!(doctor.stdout_text().contains(&remote.url()), "{}", doctor.stdout_text());
    engine.assert_nothing_left();
}

fn mounts_are_refused_before_anything_is_started(engine: &Engine, remote: &RemoteEngine) {
    for form in [&["psql"][..], &["run-env", "true"], &["bin", "--", "psql", "--version"]] {
        engine.command(&[&["-q"], form].concat()).run().status(125).stdout("").stderr(&format!(
            "error: failed to mount [ROOT]/work: the {} engine is on another machine, {}\nhint: use the `host` form of the command, or \
             the `container` form, which does without the folder\n",
            engine.program(),
            remote.address(),
        ));
    }
    assert!(engine.layers().is_empty(), "something was started: {:?}", engine.layers());
}

fn servers_are_reached_at_the_engines_address(engine: &Engine, remote: &RemoteEngine) {
    let seeds = format!(
        "image = \"15\"\n[instances.{0}.seeds.table]\ntype = \"sql-statement\"\nstatement = \"create table t (a int)\"\n\
         [instances.{0}.seeds.rows]\ntype = \"script\"\nscript = \"psql -qc 'insert into t values (42)'\"\n\
         [instances.{0}.seeds.more]\ntype = \"script\"\nscript = \"psql -qc 'update t set a = a + 1'\"\ncache = {{ type = \"none\" }}\n",
        engine.instance()
    );
    engine.project.write("database.toml", seeds);
    let query = ["-q", "host", "run-env", "--", "sh", "-c", "echo $PGHOST && exec psql -Atc 'select a from t'"];
    let expected = format!("{}\n43\n", remote.address());
    engine.command(&query).run().status(0).stdout(&expected).stderr("");
    let (path, notes) = engine.noting();
    engine.command(&query).variable("PATH", &path).run().status(0).stdout(&expected).stderr("");
    let asked = fs::read_to_string(&notes).unwrap();
    assert!(commands_of_a_start(&asked) <= 5, "a warm start asked more often than five times:\n{asked}");
    engine.command(&["-q", "container", "psql", "-Atc", "select a from t"]).run().status(0).stdout("43\n").stderr("");
    let verified = ["-q", "--ssl-hostname", "db.example.com", "host", "psql", "-Atc"];
    let verified =
        engine.command(&[&verified[..], &["select ssl from pg_stat_ssl where pid = pg_backend_pid()"]].concat());
    verified.run().status(0).stdout("t\n").stderr("");
    engine.assert_nothing_left();
}

fn sessions_are_attached_at_the_engines_address(engine: &Engine, remote: &RemoteEngine) {
    let name = engine.instance();
    let session = |words: &[&str]| engine.command(&[&["-q", "session"], words, &["--name", name]].concat()).run();
    session(&["start"]).status(0);
    let url = session(&["url"]);
    url.status(0);
    assert!(url.stdout_text().contains(&format!("@{}:", remote.address())), "the address is another one");
    session(&["status"]).status(0);
    let query = |form: &[&str]| {
        let all = [&["-q", "session"], form, &["psql", "--name", name, "--", "-Atc", "select a from t"]].concat();
        engine.command(&all).run()
    };
    query(&["host"]).status(0).stdout("43\n").stderr("");
    query(&["container"]).status(0).stdout("43\n").stderr("");
    query(&[]).status(125).stdout("").stderr(
        "error: the session [..] does not see the working directory [ROOT]/work\nhint: nothing of this machine is on that of \
         its engine, or use the `host` or `container` form of the command\n",
    );
    session(&["stop"]).status(0);
    engine.assert_nothing_left();
}

/// A command that works with another engine neither removes the leftover nor forgets it.
fn only_commands_that_use_the_remote_engine_remove_its_leftovers(engine: &Engine, remote: &RemoteEngine) {
    let mut started =
        engine.command(&["-q", "container", "run-env", "--", "sh", "-c", "echo ready; exec sleep 1000"]).start();
    started.wait_for("ready");
    started.signal(Signal::KILL);
    assert_eq!(started.wait().code(), 137);
    let (variable, _) = &remote.variables()[0];
    engine.command(&["session", "list"]).without_variable(variable).run().status(0);
    assert_eq!(engine.containers().len(), 1, "it is not that one's to remove");
    engine.command(&["session", "list"]).run().status(0);
    wait_until("the next command there removes it", AMPLE, || engine.containers().is_empty());
}

#[test]
fn a_remote_docker_does_everything_but_mounts() {
    a_remote_engine_does_everything_but_mounts("docker");
}

/// Tests that CI leaves out.
mod also {
    #[test]
    fn a_remote_podman_does_everything_but_mounts() {
        super::a_remote_engine_does_everything_but_mounts("podman");
    }
}
