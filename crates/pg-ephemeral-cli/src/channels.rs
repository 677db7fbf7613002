//! The two descriptors by which a program of another language talks to `integration-server`: one that it reads a result
//! from, one that it writes to, or closes, when it is done. It knows nothing of servers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::str::FromStr;
use std::sync::Arc;

use rustix::io::FdFlags;
use serde::Serialize;
use tokio::sync::mpsc;

/// What the caller said over the control descriptor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is done: it closed its end, or sent anything but a command.
    Stop,
    /// A line that begins with `{`.
    Command(String),
}

/// A descriptor that the caller passed, taken over from it. This has to come before the process opens anything of its
/// own, which could get the number of one that the caller forgot to pass: so it is done where arguments are read.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor(Arc<OwnedFd>);

impl FromStr for Descriptor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map_err(|_| "a descriptor is a number".to_owned())?;
        let taken =
            take(number).map_err(|error| format!("the caller passed no open descriptor of this number: {error}"))?;
        Ok(Self(Arc::new(taken)))
    }
}

impl Descriptor {
    fn file(&self) -> io::Result<File> {
        Ok(File::from(self.0.try_clone()?))
    }
}

/// Both descriptors at work.
#[derive(Debug)]
pub(crate) struct Channels {
    result: File,
    control: mpsc::UnboundedReceiver<Said>,
}

impl Channels {
    /// Listens from now on.
    pub(crate) fn open(result: &Descriptor, control: &Descriptor) -> io::Result<Self> {
        let result = result.file()?;
        let control = control.file()?;
        let (sender, receiver) = mpsc::unbounded_channel();
        // It ends with the process: nothing waits for a caller that says nothing.
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for said in listen(BufReader::new(control)) {
                if sender.send(said).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { result, control: receiver })
    }

    /// The next word of the caller.
    pub(crate) async fn said(&mut self) -> Said {
        self.control.recv().await.unwrap_or(Said::Stop)
    }

    /// Writes one line of JSON.
    pub(crate) fn answer(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.result.write_all(&line)
    }
}

/// A copy of a descriptor, with its number left as it was. Neither goes on to children: a server that held them open
/// would hide the caller's end from us, and ours from the caller.
#[allow(unsafe_code)]
fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: it is only asked whether it is open, and copied; a number that is not open makes both fail. It is not
    // closed here, so that whoever owns it keeps it.
    let given = unsafe { BorrowedFd::borrow_raw(number) };
    let taken = rustix::io::fcntl_dupfd_cloexec(given, 3)?;
    if number > 2 {
        rustix::io::fcntl_setfd(given, FdFlags::CLOEXEC)?;
    }
    // The caller may have made it for an event loop.
    rustix::io::ioctl_fionbio(&taken, false)?;
    Ok(taken)
}

/// What comes, up to the first word that means the end.
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
    let first = loop {
        match control.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?.first().copied(),
        }
    };
    if first != Some(b'{') {
        return Ok(Said::Stop);
    }
    let mut line = String::new();
    control.read_line(&mut line)?;
    // A line that breaks off is a caller that has gone.
    Ok(if line.ends_with('\n') { Said::Command(line) } else { Said::Stop })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Vec<Said> {
        listen(text.as_bytes()).collect()
    }

    #[test]
    fn the_end_and_any_byte_stop() {
        for text in ["", "x", "\n", "stop\n{}\n", " {}\n"] {
            assert_eq!(heard(text), [Said::Stop], "{text:?}");
        }
    }

    #[test]
    fn lines_that_begin_with_a_brace_are_commands() {
        let command = |text: &str| Said::Command(text.to_owned());
        assert_eq!(heard("{\"a\":1}\n{}\n"), [command("{\"a\":1}\n"), command("{}\n"), Said::Stop]);
        assert_eq!(heard("{}\nq{}\n"), [command("{}\n"), Said::Stop]);
    }

    #[test]
    fn a_command_that_breaks_off_stops() {
        assert_eq!(heard("{\"command\":"), [Said::Stop]);
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        for number in [-1, 987_654] {
            assert_eq!(take(number).unwrap_err().raw_os_error(), Some(9), "{number}");
        }
    }
}
