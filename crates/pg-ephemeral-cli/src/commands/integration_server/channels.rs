//! The two file descriptors by which a program of another language (the caller) talks to `integration-server`. The
//! caller reads results from one descriptor, writes commands to the other, and closes the other when it is done. This
//! module knows nothing of servers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::args::Descriptor;

/// A message of the caller on the control descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The caller is done: it closed its end, or sent a single byte without a line end.
    Stop,
    /// A line, which should be a command.
    Line(Vec<u8>),
    /// A line that exceeds the limit of [`LONGEST_LINE`]. Its contents are discarded.
    TooLong,
}

/// The maximum length of a line in bytes, including the line end.
const LONGEST_LINE: usize = 1 << 20;

/// The maximum number of lines that wait for an answer. The caller can't send more lines until some are answered.
pub(crate) const WAITING_LINES: usize = 64;

/// Both descriptors, opened.
#[derive(Debug)]
pub(crate) struct Channels {
    result: File,
    control: mpsc::Receiver<Said>,
}

impl Channels {
    /// Opens both descriptors and starts to listen for messages.
    pub(crate) fn open(result: &Descriptor, control: &Descriptor) -> io::Result<Self> {
        let result = result.file()?;
        let control = control.file()?;
        let (sender, receiver) = mpsc::channel(WAITING_LINES);
        // The thread is never joined, because it may block until the caller sends something. It ends with the process.
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for said in listen(BufReader::new(control)) {
                if sender.blocking_send(said).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { result, control: receiver })
    }

    /// Waits for the next message of the caller.
    pub(crate) async fn said(&mut self) -> Said {
        self.control.recv().await.unwrap_or(Said::Stop)
    }

    /// Writes `answer` as one line of JSON.
    pub(crate) fn answer(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.result.write_all(&line)
    }
}

/// Returns the messages of the caller up to and including the first [`Said::Stop`].
fn listen(mut control: impl BufRead) -> impl Iterator<Item = Said> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let said = next(&mut control).unwrap_or(Said::Stop);
        ended = said == Said::Stop;
        Some(said)
    })
}

fn next(control: &mut impl BufRead) -> io::Result<Said> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let piece = match control.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        // An incomplete line means that the caller has gone.
        let is_stop = length == 0 && matches!(piece, [byte] if !matches!(byte, b'{' | b'\n'));
        if piece.is_empty() || is_stop {
            return Ok(Said::Stop);
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(piece.len(), |end| end + 1);
        length += taken;
        if length <= LONGEST_LINE {
            line.extend_from_slice(&piece[..taken]);
        } else {
            line = Vec::new();
        }
        control.consume(taken);
        if end.is_some() {
            return Ok(if length <= LONGEST_LINE { Said::Line(line) } else { Said::TooLong });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn heard(text: &str) -> Vec<Said> {
        listen(text.as_bytes()).collect()
    }

    #[test]
    fn the_end_and_a_byte_that_is_no_line_stop() {
        for text in ["", "x", "{", "stop", "{}"] {
            assert_eq!(heard(text), [Said::Stop], "{text:?}");
        }
    }

    #[test]
    fn every_line_is_given_up_to_the_end() {
        let line = |text: &[u8]| Said::Line(text.to_owned());
        assert_eq!(heard("{\"a\":1}\n\nq{}\n"), [line(b"{\"a\":1}\n"), line(b"\n"), line(b"q{}\n"), Said::Stop]);
        let said: Vec<_> = listen(&b"\xff\xfe\n{}\n"[..]).collect();
        assert_eq!(said, [line(b"\xff\xfe\n"), line(b"{}\n"), Said::Stop]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_that_is_too_long_is_read_past_and_those_behind_it_are_given() {
        let longest = vec![b'x'; LONGEST_LINE - 1];
        let longer = io::repeat(b'x').take(300 << 20);
        let all = longest.as_slice().chain(&b"\n"[..]).chain(longer).chain(&b"\n{}\n"[..]);
        let said: Vec<_> = listen(BufReader::new(all)).collect();
        assert_eq!(said[0], Said::Line([&longest[..], b"\n"].concat()));
        assert_eq!(said[1..], [Said::TooLong, Said::Line(b"{}\n".to_vec()), Said::Stop]);
        let memory = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 200 << 10, "{kilobytes} kB of memory");
    }

    #[test]
    fn a_command_that_breaks_off_stops() {
        assert_eq!(heard("{\"command\":"), [Said::Stop]);
    }
}
