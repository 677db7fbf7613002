//! Tests of the examples with migration tools: the result of a tool is cached as a layer, and a new migration runs the
//! tool again. The tools are in the folder that `PG_EPHEMERAL_TEST_TOOLS` names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{AMPLE, on_host, project};
use pg_ephemeral_testkit::{Project, ProjectCommand};

const BOOKS: &str = "1|Emma|Jane Austen\n2|Middlemarch|George Eliot\n3|Beowulf|unknown\n";

/// An example and the details of its tool.
struct Example {
    folder: &'static str,
    tool: &'static str,
    /// The table in which the tool records the migrations that it ran.
    history: &'static str,
    /// The file name and the text of an additional migration.
    another: (&'static str, &'static str),
}

#[test]
fn refinery_runs_again_only_for_a_new_migration() {
    runs_again_only_for_a_new_migration(&Example {
        folder: "migrations-rust",
        tool: "cargo",
        history: "refinery_schema_history",
        another: ("V4__dune.sql", "INSERT INTO books (title) VALUES ('Dune');\n"),
    });
}

#[test]
fn node_pg_migrate_runs_again_only_for_a_new_migration() {
    runs_again_only_for_a_new_migration(&Example {
        folder: "migrations-node",
        tool: "node-pg-migrate",
        history: "pgmigrations",
        another: (
            "1700000000004_dune.js",
            "export const up = (pgm) => pgm.sql(`INSERT INTO books (title) VALUES ('Dune')`);\n",
        ),
    });
}

#[test]
fn yoyo_runs_again_only_for_a_new_migration() {
    runs_again_only_for_a_new_migration(&Example {
        folder: "migrations-python",
        tool: "yoyo",
        history: "_yoyo_migration",
        another: (
            "0004-dune.py",
            "from yoyo import step\n\n__depends__ = {\"0003-first-books\"}\n\n\
             steps = [step(\"INSERT INTO books (title) VALUES ('Dune')\")]\n",
        ),
    });
}

#[track_caller]
fn runs_again_only_for_a_new_migration(example: &Example) {
    let Some(site) = Site::of(example) else { return };
    let populate = || site.command(&["cache", "populate"]).run();
    let seed = "pg-ephemeral: seed 1 of 1: migrations\n";

    populate().status(0).stdout("").stderr(&format!("pg-ephemeral: initialise the base layer\n{seed}..."));
    assert_eq!(site.runs(), 1);
    site.assert_rows("SELECT id, title, author FROM books ORDER BY id", BOOKS);
    site.assert_rows("SELECT indexdef LIKE '%(author)' FROM pg_indexes WHERE indexname = 'books_by_author'", "t\n");
    site.assert_rows(&format!("SELECT count(*) FROM {}", example.history), "3\n");
    populate().status(0).stdout("").stderr("");
    assert_eq!(site.runs(), 1, "the tool ran again, though nothing changed");

    let (file, text) = example.another;
    site.project.write(Path::new("migrations").join(file), text);
    populate().status(0).stdout("").stderr(&format!("{seed}..."));
    assert_eq!(site.runs(), 2);
    site.assert_rows("SELECT id, title, author FROM books ORDER BY id", &format!("{BOOKS}4|Dune|unknown\n"));
    site.assert_rows(&format!("SELECT count(*) FROM {}", example.history), "4\n");
    assert_eq!(site.runs(), 2, "the tool ran again, though nothing changed");

    fs::remove_file(site.project.folder().join("migrations").join(file)).unwrap();
    site.assert_rows("SELECT id, title, author FROM books ORDER BY id", BOOKS);
    assert_eq!(site.runs(), 2, "the layer of the first migrations was built again");
    site.project.assert_nothing_left();
}

/// A project with the files of an example. A script in front of the tool records each run.
struct Site {
    project: Project,
    path: String,
    notes: PathBuf,
}

impl Site {
    /// Returns `None` if there are no tools. In CI, `PG_EPHEMERAL_TEST_TOOLS` must be set; an empty value means that
    /// there are none.
    fn of(example: &Example) -> Option<Self> {
        let named = std::env::var_os("PG_EPHEMERAL_TEST_TOOLS");
        assert!(named.is_some() || std::env::var_os("CI").is_none(), "PG_EPHEMERAL_TEST_TOOLS is not set");
        let Some(tools) = named.filter(|tools| !tools.is_empty()).map(PathBuf::from) else {
            eprintln!("left out: PG_EPHEMERAL_TEST_TOOLS names no folder with {}", example.tool);
            return None;
        };
        let project = project();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example.folder);
        project.write("database.toml", fs::read(source.join("database.toml")).unwrap());
        // `package.json` makes Node.js treat the migrations as modules.
        if let Ok(package) = fs::read(source.join("package.json")) {
            project.write("package.json", package);
        }
        for file in ["Cargo.lock", "Cargo.toml"] {
            if let Ok(content) = fs::read(source.join(file)) {
                project.write(file, content);
            }
        }
        for folder in ["migrations", "src"].into_iter().filter(|folder| source.join(folder).is_dir()) {
            for entry in fs::read_dir(source.join(folder)).unwrap() {
                let entry = entry.unwrap();
                // Folders, such as Python's `__pycache__`, are skipped.
                if entry.path().is_file() {
                    project.write(Path::new(folder).join(entry.file_name()), fs::read(entry.path()).unwrap());
                }
            }
        }
        let notes = project.root().join("runs");
        let programs = project.root().join("programs");
        let compiled = Path::new(env!("CARGO_BIN_EXE_pg-ephemeral")).with_file_name("migrate");
        // The program that cargo would run is already compiled.
        let (tool, words) = match example.tool {
            "cargo" => (compiled, r#"[ "$*" = 'run --quiet' ]"#),
            tool => (tools.join("bin").join(tool), "true"),
        };
        assert!(tool.is_file(), "{} is missing: scripts/test gets it", tool.display());
        let script = format!(
            "#!/bin/sh\n{words} || exit 1\necho run >>'{}'\nexec '{}' \"$@\"\n",
            notes.display(),
            tool.display()
        );
        project.write(programs.join(example.tool), script);
        crate::support::make_executable(&programs.join(example.tool));
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Some(Self { project, path, notes })
    }

    fn command(&self, words: &[&str]) -> ProjectCommand<'_> {
        // Without this variable, node-pg-migrate's loader would leave compiled files in the folder of temporary files.
        on_host(&self.project, words).variable("PATH", &self.path).variable("JITI_FS_CACHE", "false").limit(2 * AMPLE)
    }

    /// Returns how often the tool ran.
    fn runs(&self) -> usize {
        fs::read_to_string(&self.notes).map_or(0, |text| text.lines().count())
    }

    /// Runs a query on a new server, which finds all layers in the cache, and compares the rows.
    #[track_caller]
    fn assert_rows(&self, query: &str, rows: &str) {
        self.command(&["host", "psql", "-Atc", query]).run().status(0).stdout(rows).stderr("");
    }
}
