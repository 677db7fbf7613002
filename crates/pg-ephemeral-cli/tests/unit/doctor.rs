//! Tests that `doctor` reports what it finds and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::fakes::{Container, fake};
use crate::support::{project, with_nothing};
use pg_ephemeral_testkit::{Project, Ran};
use serde_json::Value;

/// Returns the paths of all files and folders below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        }
        all.push(entry.path());
    }
    all.sort();
    all
}

/// Returns the findings of an area, each as `level: subject: message`.
fn found(ran: &Ran<'_>, area: &str) -> Vec<String> {
    let report: Value = serde_json::from_slice(ran.stdout_bytes()).expect("standard output is JSON");
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["area"] == area);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings
        .map(|finding| {
            format!("{}: {}: {}", text(finding, "level"), text(finding, "subject"), text(finding, "message"))
        })
        .collect()
}

fn examined<'a>(project: &'a Project, arguments: &[&str]) -> Ran<'a> {
    project.command(arguments.iter().chain(&["--format", "json", "doctor"])).run()
}

#[test]
fn doctor_without_any_backend_fails_and_says_how_to_get_one() {
    let project = project();
    let before = files(project.root());
    let ran = with_nothing(&project, &["doctor"]).run();
    ran.status(1).stderr("").stdout(
        "missing: backend: docker: does not work: no program \"docker\" on PATH; install the Docker engine[..]\n\
         missing: backend: podman: does not work: no program \"podman\" on PATH; install podman[..]\n\
         missing: backend: host: does not work: no PostgreSQL server programs found in [..]; install PostgreSQL's server[..]\n\
         ...\n",
    );
    assert_eq!(files(project.root()), before);
    let ran = with_nothing(&project, &["--format", "json", "doctor"]).run();
    ran.status(1)
        .stderr("")
        .stdout("{\n  \"healthy\": false,\n  \"findings\": [\n    {\n      \"area\": \"backend\",\n...\n}\n");
}

#[test]
fn doctor_succeeds_with_one_working_engine_and_fails_if_the_chosen_backend_does_not_work() {
    for engine in ["docker", "podman"] {
        let project = fake(engine, &[]);
        let quiet = |arguments: &[&str]| {
            let nothing = project.root().join("cache");
            project
                .command(arguments.iter().chain(&["--format", "json", "doctor"]))
                .variable("PG_EPHEMERAL_BIN_DIR", nothing)
        };
        let ran = quiet(&[]).run();
        ran.status(0).stderr("");
        let works = found(&ran, "backend").into_iter().filter(|line| line.starts_with("ok: ")).collect::<Vec<_>>();
        assert!(works.iter().any(|line| line.starts_with(&format!("ok: {engine}: works: "))), "{works:?}");
        assert_eq!(found(&ran, "leftovers"), ["ok: all: nothing was left behind"]);
        let ran = quiet(&["--backend", "host"]).run();
        ran.status(1);
        let host = found(&ran, "backend").pop().unwrap();
        assert!(host.starts_with("missing: host: does not work, and was chosen explicitly: "), "{host}");
    }
}

#[test]
fn doctor_reports_leftovers_of_dead_owners_and_removes_nothing() {
    let dead = r#"{"host":"HOST","boot":"before","namespace":"n","pid":1,"start":1}"#;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let dead = dead.replace("HOST", &host);
    for engine in ["docker", "podman"] {
        let left = Container::new("pg-ephemeral-left", &[("version", "1"), ("owner", &dead), ("nonce", "n")]);
        let project = fake(engine, &[left, Container::session("kept", "main", &[])]);
        let before = files(&project.state());
        let ran = project.command(["--backend", engine, "doctor"]).run();
        let text = ran.status(0).stderr("").stdout_text();
        let line = format!(
            "warning: leftovers: containers on {engine}: 1 containers of dead owners, or of sessions whose server has ended; \
             `pg-ephemeral gc` removes them"
        );
        assert!(text.lines().any(|told| told == line), "{text}");
        assert_eq!(files(&project.state()), before);
        let journal = project.engine_journal(engine);
        assert!(!journal.contains(" rm ") && !journal.contains(" run "), "{journal}");
    }
}

#[test]
fn doctor_fails_on_a_broken_configuration() {
    let project = fake("podman", &[]).database_toml("imgae = 1\n");
    let ran = examined(&project, &[]);
    ran.status(1).stderr("");
    let told = found(&ran, "configuration").pop().unwrap();
    assert!(told.contains("database.toml:1:1: unknown key `imgae`"), "{told}");
    examined(&project, &["--no-config-file"]).status(0);
    project.write("database.toml", "[instances.main]\n[instances.shop]\n");
    let ran = examined(&project, &[]);
    ran.status(0);
    let told = found(&ran, "configuration").pop().unwrap();
    assert!(told.starts_with("ok: ") && told.ends_with("valid: 2 instances"), "{told}");
}

#[test]
fn doctor_reports_an_invalid_backend_choice_and_a_secret_that_others_can_read() {
    let project = fake("podman", &[]);
    let secret = project.state().join("pg-ephemeral/secret");
    fs::create_dir_all(secret.parent().unwrap()).unwrap();
    fs::write(&secret, [0; 32]).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = examined(&project, &[]);
    ran.status(0).stderr("");
    let told = found(&ran, "permissions");
    let open = format!("warning: {}: other users can read the secret: mode 644", secret.display());
    assert!(told.contains(&open), "{told:?}");
    let ran = project.command(["doctor"]).variable("OCIMAN_BACKEND", "bad").run();
    ran.status(1).stderr("").stdout(
        "missing: backend: choice: failed to choose a backend by OCIMAN_BACKEND: \"bad\" is not a backend[..]\n...\n",
    );
}
