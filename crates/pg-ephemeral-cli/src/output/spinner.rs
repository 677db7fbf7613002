//! The spinner: when it is shown, and how it is drawn so that keys pressed meanwhile do not garble the screen. A
//! process has one terminal, so it has one spinner. Code that prints anything else on the terminal must remove the
//! spinner first, with [`clear`] or [`suspend`].

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// How long a command runs before the spinner appears, so that a short command does not flicker.
const SHOW_AFTER: Duration = Duration::from_millis(150);
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);
/// The maximum number of redraws per second.
const RATE: u8 = 20;
/// Columns that stay free at the right, so that the `^C` that a terminal prints at the cursor does not break the line.
const MARGIN: u16 = 8;

static SPINNER: OnceLock<ProgressBar> = OnceLock::new();

/// Returns `true` if standard error is a terminal that a spinner can be drawn on.
pub(crate) fn can_be_drawn() -> bool {
    io::stderr().is_terminal() && !terminal_is_dumb()
}

/// Returns `true` if the terminal understands no control sequences.
pub(crate) fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Shows a spinner on standard error after [`SHOW_AFTER`], until [`clear`] removes it.
pub(crate) fn start() -> ProgressBar {
    let bar = SPINNER.get_or_init(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        match ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    });
    let shown = bar.clone();
    // `indicatif` has a thread for steady ticks too, but panics when the system refuses to start it. Here, a refused
    // thread only means that there is no spinner.
    let _ = std::thread::Builder::new().name("spinner".to_owned()).spawn(move || {
        std::thread::sleep(SHOW_AFTER);
        if !shown.is_finished() {
            shown.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Screen), RATE));
        }
        while !shown.is_finished() {
            shown.tick();
            std::thread::sleep(TICK);
        }
    });
    bar.clone()
}

/// Removes the spinner for good, before a result, an error or a program of the user writes on the terminal.
pub(crate) fn clear() {
    if let Some(bar) = SPINNER.get().filter(|bar| !bar.is_finished()) {
        bar.finish_and_clear();
    }
}

/// Removes the spinner while `write` runs, so that its output appears above the spinner.
pub(crate) fn suspend(write: impl FnOnce()) {
    match SPINNER.get().filter(|bar| !bar.is_finished()) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// The terminal at standard error, reported [`MARGIN`] columns narrower than it is.
#[derive(Debug)]
struct Screen;

impl Screen {
    /// Writes a control sequence with a count. Writes nothing for 0, because terminals take a count of 0 as 1.
    fn control(&self, count: usize, letter: char) -> io::Result<()> {
        if count == 0 { Ok(()) } else { self.write_str(&format!("\x1b[{count}{letter}")) }
    }
}

/// Returns `true` if this process is in the background of its terminal, where other programs write.
fn is_in_background() -> bool {
    rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|foreground| foreground != rustix::process::getpgrp())
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
        if columns > MARGIN { columns - MARGIN } else { 80 - MARGIN }
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.control(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.control(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.control(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.control(count, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(&format!("{line}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if is_in_background() { Ok(()) } else { io::stderr().write_all(text.as_bytes()) }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
