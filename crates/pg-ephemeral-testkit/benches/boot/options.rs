//! The command line.

use std::path::PathBuf;

pub(crate) use crate::shared::backend::Backend;
use crate::stage::{Boot, Form, Stage};

pub(crate) const USAGE: &str = "\
usage: boot [--backend host|podman|docker]... [--chains N,...] [--rounds N] [--json] BINARY

  --backend B  only this backend, which then has to work (default: all that are there)
  --chains N,… lengths of chains of small seeds, such as 0,1,4,16,64 (default: 0)
  --rounds N   how often everything is measured (default: 15)
  --json       the result as JSON";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) backends: Vec<Backend>,
    /// The lengths of the chains, as numbers of seeds.
    pub(crate) chains: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Backend {
    pub(crate) fn floor_in_words(self) -> &'static str {
        match self {
            Self::Host => "postgres on a copied data directory, first query, SIGQUIT",
            Self::Podman => "run of a committed image, first query over TCP, rm -f -t 0",
            Self::Docker => "run of a committed image, first query over TCP, rm -f",
        }
    }

    /// Checks that the backend works. The error is the reason why it does not.
    pub(crate) async fn is_there(self, stage: &Stage) -> Result<(), String> {
        if self != Self::Host {
            let mut version = crate::command::program(self.name());
            version.arg("version");
            crate::command::output(version).await.map_err(|error| error.to_string())?;
        }
        stage
            .boot(self, Boot { form: Form::Probe, seeds: stage.shortest() })
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

impl Options {
    /// Parses the command line. Returns `None` if it only asks for the usage.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut binary = None;
        let mut options =
            Self { binary: PathBuf::new(), backends: Vec::new(), chains: vec![0], rounds: 15, format: Format::Text };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--backend" => options.backends.push(Backend::parse(&value()?)?),
                "--chains" => options.chains = chains(&value()?)?,
                "--rounds" => options.rounds = rounds(&value()?)?,
                "--json" => options.format = Format::Json,
                // Cargo passes this to every bench.
                "--bench" => {}
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

    pub(crate) fn backends(&self) -> Vec<Backend> {
        if self.backends.is_empty() { Backend::ALL.to_vec() } else { self.backends.clone() }
    }
}

fn rounds(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| format!("{word} is not a number of rounds"))
}

fn chains(word: &str) -> Result<Vec<usize>, String> {
    let mut lengths = word
        .split(',')
        .map(|length| length.parse().map_err(|_| format!("{length} is not a number of seeds")))
        .collect::<Result<Vec<usize>, _>>()?;
    lengths.sort_unstable();
    lengths.dedup();
    Ok(lengths)
}
