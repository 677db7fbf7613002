//! Tests with installed and missing locales. A script that counts its runs stands in for the program `locale`.

use std::fs;
use std::process::Command;

use pg_ephemeral_testkit::Project;

use crate::support::{make_executable, on_host, project};

const COLLATION: [&str; 5] =
    ["run-env", "--", "psql", "-XAtc", "select datcollate from pg_database where datname = current_database()"];

/// Creates a project on a machine on which `locale` lists these locales.
fn project_with_locales(names: &str) -> Project {
    let project = project();
    let script = project.root().join("locale");
    let runs = project.root().join("runs");
    project.write(&script, format!("#!/bin/sh\necho run >>'{}'\nprintf '%s\\n' {names}\n", runs.display()));
    make_executable(&script);
    project.program("locale", script)
}

#[test]
fn the_nearest_locale_replaces_a_missing_default_and_verbose_and_doctor_report_it() {
    let project = project_with_locales("C POSIX de_DE.utf8");
    for _ in 0..2 {
        let ran = on_host(&project, &[&["-v"], &COLLATION[..]].concat()).run();
        ran.status(0).stdout("C\n");
        let told = ran.stderr_text();
        assert!(told.contains("the default locale is not installed") && told.contains("nearest=C"), "{told}");
    }
    let runs = fs::read_to_string(project.root().join("runs")).unwrap();
    assert_eq!(runs, "run\n", "a warm start asks nobody for the locales");

    let doctor = project.command(["doctor"]).run();
    let line = "warning: programs: locale en_US.utf8: is not installed on this machine: the host backend sorts text by C, \
                docker and podman by en_US.utf8; make it";
    assert!(doctor.stdout_text().contains(line), "{}", doctor.stdout_text());
}

#[test]
fn clusters_are_created_anew_when_the_default_locale_is_installed_later() {
    let project = project_with_locales("C POSIX");
    let cold = "pg-ephemeral: initialise the base layer\n";
    on_host(&project, &COLLATION).run().status(0).stdout("C\n").stderr(cold);
    on_host(&project, &COLLATION).run().status(0).stdout("C\n").stderr("");
    // From here on, the script lists the locales that are really installed, as if they had been created meanwhile. Not
    // every machine has the program `locale`.
    let Ok(output) = Command::new("locale").arg("-a").output() else { return };
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    if !names.lines().any(|name| name == "en_US.utf8") {
        return;
    }
    let script = format!("#!/bin/sh\nprintf '%s\\n' {}\n", names.replace('\n', " "));
    fs::write(project.root().join("locale"), script).unwrap();
    fs::remove_file(project.state().join("pg-ephemeral/locales.json")).unwrap();
    on_host(&project, &COLLATION).run().status(0).stdout("en_US.utf8\n").stderr(cold);
}

#[test]
fn a_missing_locale_of_the_configuration_is_an_error_with_a_hint() {
    let project = project_with_locales("C POSIX").file("database.toml", "locale = \"de_DE.utf8\"\n");
    let stderr = on_host(&project, &COLLATION).run().status(125).stdout("").stderr_text();
    let error = "error: the locale de_DE.utf8 is not installed on this machine: there are C, POSIX\nhint: make it";
    assert!(stderr.starts_with(error), "{stderr}");
    let doctor = project.command(["doctor"]).run().stdout_text();
    assert!(doctor.contains("warning: programs: locale de_DE.utf8: is not installed"), "{doctor}");
}
