//! The methods of [`Definition`] that add seeds, one for each type of seed in `database.toml`.

use std::path::PathBuf;

use super::Definition;
use crate::model::SeedName;
use crate::model::seed::spec::{CacheStrategy, CsvDelimiter, CsvTable, FileGlob, GitRevision, SeedSpec};

/// Each of these methods adds a seed to the end of the chain. Use [`Definition::seed`] for options that they lack, such
/// as the delimiter of a CSV file.
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
    /// Adds a seed that runs an SQL file.
    #[must_use]
    pub fn sql_file(self, name: SeedName, path: impl Into<PathBuf>) -> Self {
        self.seed(name, SeedSpec::SqlFile { path: path.into(), git_revision: None, files: Vec::new() })
    }

    /// Adds a seed that runs an SQL file as it is in a git revision, regardless of the working tree.
    #[must_use]
    pub fn sql_file_at(self, name: SeedName, path: impl Into<PathBuf>, revision: GitRevision) -> Self {
        self.seed(name, SeedSpec::SqlFile { path: path.into(), git_revision: Some(revision), files: Vec::new() })
    }

    /// Adds a seed that runs one or more SQL statements.
    #[must_use]
    pub fn sql_statement(self, name: SeedName, statement: impl Into<String>) -> Self {
        self.seed(name, SeedSpec::SqlStatement { statement: statement.into() })
    }

    /// Adds a seed that loads a comma-separated file into a table. The first row of the file has the names of the
    /// columns.
    #[must_use]
    pub fn csv_file(self, name: SeedName, path: impl Into<PathBuf>, table: CsvTable) -> Self {
        self.seed(name, SeedSpec::CsvFile { path: path.into(), table, delimiter: CsvDelimiter::default() })
    }

    /// Adds a seed that runs a shell script on this machine.
    #[must_use]
    pub fn script(self, name: SeedName, script: impl Into<String>, cache: CacheStrategy) -> Self {
        self.seed(name, SeedSpec::Script { script: script.into(), files: Vec::new(), cache })
    }

    /// Adds a seed that runs a shell script on this machine. The script runs again if a file that matches the globs has
    /// changed.
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

    /// Adds a seed that runs a program on this machine.
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

    /// Adds a seed that runs a program on this machine. The program runs again if a file that matches the globs has
    /// changed.
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

    /// Adds a seed that runs a shell script inside the image while PostgreSQL is not running.
    #[must_use]
    pub fn container_script(self, name: SeedName, script: impl Into<String>) -> Self {
        self.seed(name, SeedSpec::ContainerScript { script: script.into(), files: Vec::new() })
    }

    /// Adds a seed that runs a shell script inside the image, while PostgreSQL is not running. The files that match the
    /// globs are in its working directory.
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
    fn each_method_adds_the_same_seed_as_the_configuration() {
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
