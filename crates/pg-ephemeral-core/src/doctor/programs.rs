//! Checks which of PostgreSQL's programs are installed on this machine.

use std::path::Path;

use super::finding::{Area, Finding, Level};
use crate::postgres::host_image::{Installation, Installations};
use crate::state::Folders;

/// The programs that commands need besides the server, which every installation has.
const TOOLS: [&str; 4] = ["psql", "pg_dump", "pg_restore", "pgbench"];

pub(super) fn examine(folders: &Folders) -> Vec<Finding> {
    match Installations::look(folders) {
        Ok(installations) => installations.all().iter().map(of_one).collect(),
        // Images of engines have their own programs, and the finding about the host backend tells what is missing.
        Err(_) => vec![client(on_path("psql"))],
    }
}

fn of_one(installation: &Installation) -> Finding {
    let subject = installation.bin.display().to_string();
    let missing: Vec<_> = TOOLS.into_iter().filter(|tool| !installation.bin.join(tool).is_file()).collect();
    let version = &installation.version;
    match missing.is_empty() {
        true => Finding::new(Area::Programs, subject, Level::Ok, format!("PostgreSQL {version} with all its tools")),
        false => {
            let message = format!("PostgreSQL {version} without {}", missing.join(", "));
            let advice = format!(
                "install the client programs (Debian: `apt-get install postgresql-client-{}`)",
                installation.major()
            );
            Finding::new(Area::Programs, subject, Level::Warning, message).advice(advice)
        }
    }
}

fn client(is_there: bool) -> Finding {
    match is_there {
        true => Finding::new(Area::Programs, "psql", Level::Ok, "is on PATH, for `host psql`"),
        false => Finding::new(Area::Programs, "psql", Level::Note, "is not on PATH: `host psql` has none to run")
            .advice("use `psql` without `host`, or install PostgreSQL's client programs"),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(&folder.join(program)))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_without_some_tools_is_a_warning_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let installation =
            Installation { bin: folder.path().into(), version: "17.2".to_owned(), build: "b".to_owned() };
        for tool in ["psql", "pg_dump"] {
            std::fs::write(folder.path().join(tool), "").unwrap();
        }
        let finding = of_one(&installation);
        assert_eq!(finding.message, "PostgreSQL 17.2 without pg_restore, pgbench");
        assert!(finding.level == Level::Warning && finding.advice.unwrap().contains("postgresql-client-17"));
        for tool in TOOLS {
            std::fs::write(folder.path().join(tool), "").unwrap();
        }
        assert_eq!(of_one(&installation).level, Level::Ok);
    }

    #[test]
    fn without_an_installation_only_psql_on_path_is_checked() {
        assert_eq!((client(true).level, client(false).level), (Level::Ok, Level::Note));
    }
}
