//! The command line.

use std::path::PathBuf;

use crate::by_hand::{ByHand, WORD};
use crate::shared::backend::Backend;

pub(crate) const USAGE: &str = "\
usage: seeds [--backend host|podman|docker[,...]] [--size N[K|M|G]] [--rounds N] [--folder FOLDER] BINARY

  --backend B,…  the backends that take part (default: host)
  --size N       the size of the file of SQL in bytes, such as 100M (default: 1G)
  --rounds N     how often everything is measured (default: 3)
  --folder F     where the files are, and the servers of the host backend (default: the folder for temporary files)";

#[derive(Debug)]
pub(crate) enum Task {
    Help,
    /// Runs psql, as the command of `run-env`.
    ByHand(ByHand),
    Measure(Options),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) binary: PathBuf,
    pub(crate) backends: Vec<Backend>,
    /// The size of the SQL file, in bytes.
    pub(crate) size: u64,
    pub(crate) rounds: usize,
    pub(crate) folder: PathBuf,
}

impl Task {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words.peekable();
        if words.next_if(|word| word == WORD).is_some() {
            return ByHand::parse(words).map(Self::ByHand);
        }
        let mut binary = None;
        let mut options = Options {
            binary: PathBuf::new(),
            backends: vec![Backend::Host],
            size: 1_000_000_000,
            rounds: 3,
            folder: std::env::temp_dir(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--backend" => options.backends = value()?.split(',').map(Backend::parse).collect::<Result<_, _>>()?,
                "--size" => options.size = size(&value()?)?,
                "--rounds" => options.rounds = rounds(&value()?)?,
                "--folder" => options.folder = value()?.into(),
                // Cargo passes this to every bench.
                "--bench" => {}
                "--help" => return Ok(Self::Help),
                path if !path.starts_with('-') && binary.is_none() => binary = Some(path.into()),
                other => return Err(format!("what is {other}?")),
            }
        }
        options.binary = binary.ok_or("which binary?")?;
        Ok(Self::Measure(options))
    }
}

fn size(word: &str) -> Result<u64, String> {
    let units = [("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
    let unit = units.iter().find_map(|(unit, factor)| Some((word.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((word, 1));
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).filter(|size| *size > 0);
    size.ok_or_else(|| format!("{word} is not a size"))
}

fn rounds(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| format!("{word} is not a number of rounds"))
}
