//! The spinner: when it shows itself, and how it is drawn so that keys pressed meanwhile do not garble the screen.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// A start shorter than this is not worth a flicker.
const SHOW_AFTER: Duration = Duration::from_millis(150);
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);
/// Moves of the spinner in a second at most.
const RATE: u8 = 20;
/// Columns that stay free at the right: a terminal shows `^C` where the cursor is, and must not have to break the line.
const MARGIN: u16 = 8;

/// A spinner on standard error that shows itself after a while, unless it is finished by then.
pub(crate) fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    let later = bar.downgrade();
    // Without the thread there is no spinner, which is no loss.
    let _ = std::thread::Builder::new().name("spinner".to_owned()).spawn(move || {
        std::thread::sleep(SHOW_AFTER);
        if let Some(bar) = later.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Screen), RATE));
            bar.enable_steady_tick(TICK);
        }
    });
    bar
}

/// The terminal at standard error, a little narrower than it is.
#[derive(Debug)]
struct Screen;

impl Screen {
    /// A control sequence with a count, of which none means 1.
    fn control(count: usize, letter: char) -> io::Result<()> {
        if count == 0 { Ok(()) } else { write!(io::stderr(), "\x1b[{count}{letter}") }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
        if columns > MARGIN { columns - MARGIN } else { 80 - MARGIN }
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        Self::control(count, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{line}")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        io::stderr().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
