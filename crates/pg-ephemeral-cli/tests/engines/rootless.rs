//! Tests of the binary as an ordinary user with a rootless Podman. They need root to create that user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::engine::Engine;
use crate::support::rootless::Rootless;

/// Runs all checks with one user, because the image has to be loaded for each user.
#[test]
fn a_rootless_podman_works_as_a_podman_of_root_does() {
    let Some(rootless) = Rootless::new() else { return };
    let engine = Engine::of(&rootless);
    servers_are_seeded_and_reached(&engine);
    files_belong_to_the_caller(&engine, rootless.ids());
    sessions_are_started_used_and_stopped(&engine, rootless.ids());
    let doctor = engine.command(&["doctor"]).run();
    let told = doctor.stdout_text();
    assert!(told.contains("subordinate ids") && told.contains("XDG_RUNTIME_DIR"), "{told}");
    engine.assert_nothing_left();
}

fn servers_are_seeded_and_reached(engine: &Engine) {
    let seeds = format!(
        "image = \"15\"\n[instances.{0}.seeds.table]\ntype = \"sql-statement\"\nstatement = \"create table t (a int)\"\n\
         [instances.{0}.seeds.rows]\ntype = \"script\"\nscript = \"psql -qc 'insert into t values (42)'\"\n",
        engine.instance()
    );
    engine.project.write("database.toml", seeds);
    for form in [&["psql"][..], &["host", "psql"], &["container", "psql"]] {
        let ran = engine.command(&[&["-q"], form, &["-Atc", "select a from t"]].concat()).run();
        ran.status(0).stdout("42\n").stderr("");
    }
    assert_eq!(engine.layers().len(), 3);
    engine.assert_nothing_left();
}

#[track_caller]
fn assert_belongs_to(file: &Path, ids: (u32, u32)) {
    let metadata = fs::metadata(file).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), ids, "{}", file.display());
}

fn files_belong_to_the_caller(engine: &Engine, ids: (u32, u32)) {
    let folder = engine.project.folder();
    let write = "mkdir -p $0 && cat query >$0/file";
    engine.project.write("query", "select 1");
    for form in ["run-env", "bin"] {
        engine.command(&["-q", form, "--", "sh", "-ec", write, form]).run().status(0).stdout("").stderr("");
        assert_belongs_to(&folder.join(form), ids);
        assert_belongs_to(&folder.join(form).join("file"), ids);
    }
    // A tool runs as the caller and not as root, because some tools refuse to run as root.
    engine.command(&["-q", "bin", "--", "id", "-u"]).run().status(0).stdout(&format!("{}\n", ids.0)).stderr("");
    engine.command(&["-q", "psql", "-Atf", "query", "-o", "result"]).run().status(0).stdout("").stderr("");
    assert_belongs_to(&folder.join("result"), ids);
    let status = |words: &[&str]| engine.command(&[&["-q", "run-env", "--"], words].concat()).run();
    status(&["sh", "-c", "exit 42"]).status(42).stdout("").stderr("");
}

fn sessions_are_started_used_and_stopped(engine: &Engine, ids: (u32, u32)) {
    let name = engine.instance();
    let session = |words: &[&str], rest: &[&str]| {
        engine.command(&[&["-q", "session"], words, &["--name", name], rest].concat()).run()
    };
    session(&["start"], &[]).status(0);
    session(&["psql"], &["--", "-Atc", "select a from t"]).status(0).stdout("42\n").stderr("");
    session(&["host", "psql"], &["--", "-Atc", "select a from t"]).status(0).stdout("42\n").stderr("");
    session(&["run-env"], &["--", "sh", "-c", "echo >of-a-session"]).status(0).stdout("").stderr("");
    assert_belongs_to(&engine.project.folder().join("of-a-session"), ids);
    session(&["stop"], &[]).status(0);
}
