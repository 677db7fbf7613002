//! The seeds of a [`Definition`], one method a type: what `database.toml` says in tables, said in Rust.

use std::path::PathBuf;

use super::Definition;
use crate::model::SeedName;
use crate::model::seed::spec::{CacheStrategy, CsvDelimiter, CsvTable, FileGlob, GitRevision, SeedSpec};

/// Each adds a seed to the end of the chain. [`Definition::seed`] takes all that a type has, such as a delimiter.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_ephemeral_core::Definition;
/// use pg_ephemeral_core::seed::spec::CsvTable;
///
/// let countries = CsvTable { schema: "public".parse()?, table: "countries".parse()? };
/// let server = Definition::new()?
///     .sql_file("schema".parse()?, "schema.sql")
///     .csv_file("countries".parse()?, "countries.csv", countries)
///     .command_with_files("migrate".parse()?, "./migrate", ["--quiet"], ["migrate".parse()?, "migrations/*".parse()?])
///     .sql_statement("clock".parse()?, "create table clock as select now()")
///     .start()
///     .await?;
/// # server.stop().await?;
/// # Ok(())
/// # }
/// ```
impl Definition {
    /// Runs a file of SQL.
    #[must_use]
    pub fn sql_file(self, name: SeedName, path: impl Into<PathBuf>) -> Self {
        self.seed(name, SeedSpec::SqlFile { path: path.into(), git_revision: None, files: Vec::new() })
    }

    /// Runs a file of SQL as it is in a git revision, whatever the working tree holds.
    #[must_use]
    pub fn sql_file_at(self, name: SeedName, path: impl Into<PathBuf>, revision: GitRevision) -> Self {
        self.seed(name, SeedSpec::SqlFile { path: path.into(), git_revision: Some(revision), files: Vec::new() })
    }

    /// Runs one or more SQL statements.
    #[must_use]
    pub fn sql_statement(self, name: SeedName, statement: impl Into<String>) -> Self {
        self.seed(name, SeedSpec::SqlStatement { statement: statement.into() })
    }

    /// Loads a CSV file with commas, whose first row names columns, into a table.
    #[must_use]
    pub fn csv_file(self, name: SeedName, path: impl Into<PathBuf>, table: CsvTable) -> Self {
        self.seed(name, SeedSpec::CsvFile { path: path.into(), table, delimiter: CsvDelimiter::default() })
    }

    /// Runs a shell script on this machine.
    #[must_use]
    pub fn script(self, name: SeedName, script: impl Into<String>, cache: CacheStrategy) -> Self {
        self.seed(name, SeedSpec::Script { script: script.into(), files: Vec::new(), cache })
    }

    /// Runs a shell script on this machine, again whenever a file that the globs match changes.
    #[must_use]
    pub fn script_with_files(
        self,
        name: SeedName,
        script: impl Into<String>,
        files: impl IntoIterator<Item = FileGlob>,
    ) -> Self {
        let files = files.into_iter().collect();
        self.seed(name, SeedSpec::Script { script: script.into(), files, cache: CacheStrategy::CommandHash })
    }

    /// Runs a program on this machine.
    #[must_use]
    pub fn command<A: Into<String>>(
        self,
        name: SeedName,
        command: impl Into<String>,
        arguments: impl IntoIterator<Item = A>,
        cache: CacheStrategy,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.seed(name, SeedSpec::Command { command: command.into(), arguments, files: Vec::new(), cache })
    }

    /// Runs a program on this machine, again whenever a file that the globs match changes.
    #[must_use]
    pub fn command_with_files<A: Into<String>>(
        self,
        name: SeedName,
        command: impl Into<String>,
        arguments: impl IntoIterator<Item = A>,
        files: impl IntoIterator<Item = FileGlob>,
    ) -> Self {
        let (command, cache) = (command.into(), CacheStrategy::CommandHash);
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.seed(name, SeedSpec::Command { command, arguments, files: files.into_iter().collect(), cache })
    }

    /// Runs a shell script inside the image while PostgreSQL is not running.
    #[must_use]
    pub fn container_script(self, name: SeedName, script: impl Into<String>) -> Self {
        self.seed(name, SeedSpec::ContainerScript { script: script.into(), files: Vec::new() })
    }

    /// Runs a shell script inside the image, which finds the files that the globs match in its working directory.
    #[must_use]
    pub fn container_script_with_files(
        self,
        name: SeedName,
        script: impl Into<String>,
        files: impl IntoIterator<Item = FileGlob>,
    ) -> Self {
        let files = files.into_iter().collect();
        self.seed(name, SeedSpec::ContainerScript { script: script.into(), files })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Overrides};
    use crate::state::Folders;

    use super::*;

    #[test]
    fn each_method_says_what_its_table_in_the_configuration_says() {
        let text = r#"
            [instances.main.seeds]
            a = { type = "sql-file", path = "a.sql" }
            b = { type = "sql-file", path = "b.sql", git_revision = "HEAD" }
            c = { type = "sql-statement", statement = "select 1" }
            d = { type = "csv-file", path = "d.csv", table = { schema = "public", table = "d" } }
            e = { type = "script", script = "true", cache = { type = "none" } }
            f = { type = "command", command = "make", arguments = ["f"] }
            g = { type = "container-script", script = "apt-get update" }
            h = { type = "container-script", script = "dpkg -i h.deb", files = ["h.deb"] }
            i = { type = "script", script = "./i", files = ["i", "i/*"] }
            j = { type = "command", command = "./j", arguments = ["j"], files = ["j"] }
        "#;
        let config = Config::parse(text, "/project/database.toml").unwrap();
        let expected = config.instance(&"main".parse().unwrap(), &Overrides::default()).unwrap().seeds;
        let name = |text: &str| text.parse().unwrap();
        let glob = |text: &str| text.parse().unwrap();
        let table = CsvTable { schema: "public".parse().unwrap(), table: "d".parse().unwrap() };
        let definition = Definition::in_folders(Folders::at(std::path::Path::new("/home/me")))
            .sql_file(name("a"), "a.sql")
            .sql_file_at(name("b"), "b.sql", "HEAD".parse().unwrap())
            .sql_statement(name("c"), "select 1")
            .csv_file(name("d"), "d.csv", table)
            .script(name("e"), "true", CacheStrategy::None)
            .command(name("f"), "make", ["f"], CacheStrategy::default())
            .container_script(name("g"), "apt-get update")
            .container_script_with_files(name("h"), "dpkg -i h.deb", [glob("h.deb")])
            .script_with_files(name("i"), "./i", [glob("i"), glob("i/*")])
            .command_with_files(name("j"), "./j", ["j"], [glob("j")]);
        assert!(definition.seeds.iter().eq(&expected), "{:?}", definition.seeds);
    }

    #[test]
    fn a_parameter_replaces_one_of_the_same_name_and_keeps_the_others() {
        let definition = Definition::in_folders(Folders::at(std::path::Path::new("/home/me")))
            .parameter("work_mem=4MB".parse().unwrap())
            .parameter("log_statement=all".parse().unwrap())
            .parameter("WORK_MEM=16MB".parse().unwrap());
        let shown: Vec<_> =
            definition.parameters.iter().map(|(name, value)| format!("{name}={value}").to_lowercase()).collect();
        assert_eq!(shown, ["log_statement=all", "work_mem=16mb"]);
    }
}
