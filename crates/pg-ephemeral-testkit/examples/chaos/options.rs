//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const USAGE: &str = "\
usage: chaos [--backend host|podman|docker]... [--short] [--runs N] [--seed N] [--keep] [--verbose] BINARY

  --backend B  only this backend, which then has to work (default: all that are there)
  --short      a fifth of the runs or less, for CI (default: 300 on host, 60 on each engine)
  --runs N     as many runs on each backend
  --seed N     the moments of an earlier time again
  --keep       leave the state of a backend with leftovers for a look
  --verbose    tell of every run";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) backends: Vec<Backend>,
    pub(crate) length: Length,
    pub(crate) runs: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) keep: bool,
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Long,
    Short,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Host,
    Podman,
    Docker,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Host, Self::Podman, Self::Docker];

    /// Returns the engine's program, or `None` for the host backend.
    pub(crate) fn program(self) -> Option<&'static str> {
        match self {
            Self::Host => None,
            Self::Podman => Some("podman"),
            Self::Docker => Some("docker"),
        }
    }

    pub(crate) fn is_there(self) -> bool {
        let Some(program) = self.program() else { return true };
        let answer = Command::new(program).arg("version").stdin(Stdio::null()).output();
        answer.is_ok_and(|answer| answer.status.success())
    }

    pub(crate) fn runs(self, length: Length) -> u64 {
        match (self, length) {
            (Self::Host, Length::Long) => 300,
            (Self::Host, Length::Short) => 30,
            (Self::Podman | Self::Docker, Length::Long) => 60,
            (Self::Podman, Length::Short) => 4,
            (Self::Docker, Length::Short) => 3,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.program().unwrap_or("host"))
    }
}

impl Options {
    /// Parses the command line. Returns `None` if it only asks for the usage.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut words = words;
        let mut binary = None;
        let mut options = Self {
            binary: PathBuf::new(),
            backends: Vec::new(),
            length: Length::Long,
            runs: None,
            seed: seed_of_this_moment(),
            keep: false,
            verbose: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--backend" => options.backends.push(backend(&value()?)?),
                "--short" => options.length = Length::Short,
                "--runs" => options.runs = Some(number(&value()?)?),
                "--seed" => options.seed = number(&value()?)?,
                "--keep" => options.keep = true,
                "--verbose" => options.verbose = true,
                "--help" => {
                    println!("{USAGE}");
                    return Ok(None);
                }
                path if !path.starts_with('-') && binary.is_none() => binary = Some(path.into()),
                other => return Err(format!("what is {other}?")),
            }
        }
        options.binary = binary.ok_or("which binary?")?;
        Ok(Some(options))
    }
}

fn backend(word: &str) -> Result<Backend, String> {
    let found = Backend::ALL.into_iter().find(|backend| backend.to_string() == word);
    found.ok_or_else(|| format!("there is no backend {word}"))
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is not a number"))
}

fn seed_of_this_moment() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() % 1_000_000
}
