//! The floor: a manual call of psql. This part runs as the command of `run-env`, and prints the time that psql took.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use tokio::process::Command;

use crate::shared::Failure;
use crate::shared::backend::Backend;
use crate::shared::command::{output, program};
use crate::shared::series::milliseconds;
use crate::sql_file::Form;

/// The first argument of this program if it runs as the command of `run-env`.
pub(crate) const WORD: &str = "by-hand";

#[derive(Debug)]
pub(crate) struct ByHand {
    pub(crate) backend: Backend,
    /// The instance of the server, which identifies its container.
    pub(crate) instance: String,
    pub(crate) form: Form,
    pub(crate) file: PathBuf,
}

pub(crate) fn in_words(form: Form) -> &'static str {
    match form {
        Form::Plain => "psql by hand",
        Form::Gzip => "gzip -dc | psql by hand",
    }
}

impl ByHand {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = || words.next().ok_or_else(|| format!("{WORD} needs a backend, an instance, a form and a file"));
        Ok(Self {
            backend: Backend::parse(&next()?)?,
            instance: next()?,
            form: Form::parse(&next()?)?,
            file: next()?.into(),
        })
    }

    pub(crate) fn words(&self) -> Result<[String; 5], Failure> {
        let file = self.file.to_str().ok_or("the folder's path is not UTF-8")?;
        Ok([WORD, self.backend.name(), &self.instance, self.form.name(), file].map(str::to_owned))
    }

    /// Runs psql, and returns the time that it took, in milliseconds.
    pub(crate) async fn time(&self) -> Result<String, Failure> {
        let mut psql = self.psql().await?;
        psql.args(["-X", "-v", "ON_ERROR_STOP=1", "-q", "-f"]);
        let begin = Instant::now();
        match self.form {
            Form::Plain if self.backend == Backend::Host => psql.arg(&self.file),
            Form::Plain => psql.arg("-").stdin(File::open(&self.file)?),
            Form::Gzip => psql.arg("-").stdin(decompressed(&self.file)?),
        };
        output(psql).await?;
        Ok(format!("{}\n", milliseconds(begin.elapsed())))
    }

    /// Returns a command that calls psql, on the host backend with the environment of `run-env`, and otherwise inside
    /// the container.
    async fn psql(&self) -> Result<Command, Failure> {
        if self.backend == Backend::Host {
            return Ok(program("psql"));
        }
        let mut list = program(self.backend.name());
        list.args(["ps", "--quiet", "--filter", &format!("label=pg-ephemeral.instance={}", self.instance)]);
        let container = output(list).await?;
        let mut exec = program(self.backend.name());
        exec.args(["exec", "--interactive", "--user", "postgres", &container, "psql", "-U", "postgres"]);
        Ok(exec)
    }
}

/// Returns the output of `gzip -dc`, which ends when its reader does.
fn decompressed(file: &Path) -> Result<Stdio, Failure> {
    let mut gzip = std::process::Command::new("gzip").arg("-dc").arg(file).stdout(Stdio::piped()).spawn()?;
    Ok(gzip.stdout.take().ok_or("gzip has no output")?.into())
}
