//! The SQL file that is loaded. It has `COPY` blocks, single statements and comments.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::shared::Failure;
use crate::shared::command::{output, program};

/// The number of rows in one `COPY` block.
const ROWS: u64 = 50_000;
/// The number of single statements after each `COPY` block.
const STATEMENTS: u64 = 50;
/// The free space that is needed, as a multiple of the file's size.
const SPACE: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Gzip,
}

impl Form {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Gzip];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|form| form.name() == word).ok_or_else(|| format!("there is no form {word}"))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Returns an error if the folder has too little free space for a file of this size, its compressed copy, a server with
/// its data and a layer of that server.
pub(crate) fn check_space(folder: &Path, size: u64) -> Result<(), Failure> {
    let system = rustix::fs::statvfs(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (free, needed) = (system.f_bavail.saturating_mul(system.f_frsize), size.saturating_mul(SPACE));
    if free >= needed {
        return Ok(());
    }
    let [free, needed] = [free, needed].map(|bytes| bytes / 1_000_000);
    Err(format!("{} has {free} MB of free space, and {needed} MB are needed", folder.display()).into())
}

/// Writes a file that has at least this size, in bytes, and not much more.
pub(crate) fn write(path: &Path, size: u64) -> io::Result<()> {
    let mut file = Counting { writer: BufWriter::with_capacity(1 << 20, File::create(path)?), written: 0 };
    file.write_all(b"CREATE TABLE event (id bigint, at timestamptz, kind text, amount numeric, note text);\n")?;
    let mut id = 0;
    while file.written < size {
        writeln!(file, "\n-- The events from {id} on\nCOPY event (id, at, kind, amount, note) FROM stdin;")?;
        let last = id + ROWS;
        while id < last && file.written < size {
            id += 1;
            let (day, kind, note) = (id % 28 + 1, ["order", "payment", "refund"][(id % 3) as usize], scattered(id));
            writeln!(
                file,
                "{id}\t2024-02-{day:02} 12:00:00+00\t{kind}\t{}.50\tnote {note:016x} of event {id}",
                id % 900
            )?;
        }
        file.write_all(b"\\.\n\n")?;
        for _ in 0..STATEMENTS {
            id += 1;
            writeln!(
                file,
                "INSERT INTO event VALUES ({id}, '2024-03-01', 'order', 1.25, 'it''s one; alone'); -- {id}"
            )?;
        }
    }
    file.writer.flush()
}

/// Writes a compressed copy beside a file, with `.gz` added to its name.
pub(crate) async fn compress(path: &Path) -> Result<(), Failure> {
    let mut gzip = program("gzip");
    gzip.args(["-1", "-k"]).arg(path);
    output(gzip).await.map(drop)
}

/// Returns a pseudo-random number that depends only on the seed: a step of splitmix64.
fn scattered(seed: u64) -> u64 {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

struct Counting<W> {
    writer: W,
    written: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.writer.write(bytes)?;
        self.written += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
