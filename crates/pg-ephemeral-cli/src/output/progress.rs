//! Shows the current step of a command on standard error and, if asked for, how long each step took.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar};
use pg_ephemeral_core::Definition;
use pg_ephemeral_core::progress::{Observer, Step};
use pg_ephemeral_core::seed::{ApplyEvent, EventSink};

use super::spinner;
use super::stderr::{say, warn};
use crate::args::{Command, Global};

/// How often a long seed reports its progress when each report is a line of its own.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress display of a command. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Shared>);

struct Shared {
    view: View,
    timings: Option<Mutex<Timings>>,
    /// The current step, and when its progress was last printed as a line.
    shown: Mutex<(String, Instant)>,
}

enum View {
    Spinner(ProgressBar),
    Lines,
    Nothing,
}

struct Timings {
    started: Instant,
    step: Option<(String, Instant)>,
    done: Vec<(String, Duration)>,
}

impl Progress {
    pub(crate) fn new(global: &Global, command: &Command) -> Self {
        // The terminal of an integration server belongs to the program that started it. With `--verbose`, log lines can
        // come at any time and would break the spinner.
        let has_terminal = !matches!(command, Command::IntegrationServer { .. }) && global.verbose == 0;
        let view = match (global.quiet, has_terminal && spinner::can_be_drawn()) {
            (true, _) => View::Nothing,
            (false, true) => View::Spinner(spinner::start()),
            (false, false) => View::Lines,
        };
        let timings =
            global.timings.then(|| Mutex::new(Timings { started: Instant::now(), step: None, done: Vec::new() }));
        Self(Arc::new(Shared { view, timings, shown: Mutex::new((String::new(), Instant::now())) }))
    }

    /// Returns an observer that shows each step of the library.
    pub(crate) fn observer(&self) -> Observer {
        let progress = self.clone();
        Observer::new(move |step| progress.begin(&step))
    }

    fn begin(&self, step: &Step) {
        self.time(&step.to_string());
        *self.shown() = (step.to_string(), Instant::now());
        match &self.0.view {
            View::Spinner(bar) => match step {
                Step::Ready | Step::Stopped => spinner::clear(),
                step => bar.set_message(step.to_string()),
            },
            View::Lines => {
                if matches!(step, Step::Pull { .. } | Step::Push { .. } | Step::Initialise | Step::Seed { .. }) {
                    say(&format!("pg-ephemeral: {step}"));
                }
            }
            View::Nothing => {}
        }
    }

    /// Shows the steps of a definition's start, and the output and progress of its seeds.
    pub(crate) fn watch(&self, definition: Definition) -> Definition {
        let progress = self.clone();
        definition.observer(self.observer()).seed_events(EventSink::new(move |event| progress.show(&event)))
    }

    fn show(&self, event: &ApplyEvent<'_>) {
        match *event {
            ApplyEvent::Output { .. } | ApplyEvent::Unkeyed(_) if matches!(self.0.view, View::Nothing) => {}
            ApplyEvent::Output { line, .. } => say(line),
            ApplyEvent::Unkeyed(unkeyed) => warn(&unkeyed.to_string(), &unkeyed.hint()),
            ApplyEvent::Copied { bytes, total } => {
                self.advance(&format!("{} of {}", HumanBytes(bytes), HumanBytes(total)));
            }
            ApplyEvent::Restored { objects, total } => self.advance(&format!("{objects} of {total} objects")),
            _ => {}
        }
    }

    fn advance(&self, how_far: &str) {
        let mut shown = self.shown();
        match &self.0.view {
            View::Spinner(bar) => bar.set_message(format!("{}: {how_far}", shown.0)),
            View::Lines if shown.1.elapsed() > LINE_EVERY => {
                shown.1 = Instant::now();
                say(&format!("pg-ephemeral: {}: {how_far}", shown.0));
            }
            View::Lines | View::Nothing => {}
        }
    }

    fn shown(&self) -> MutexGuard<'_, (String, Instant)> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the timing of a step and ends the timing of the step before.
    pub(crate) fn time(&self, name: &str) {
        let Some(timings) = &self.0.timings else { return };
        let mut timings = timings.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((name, since)) = timings.step.replace((name.to_owned(), now)) {
            timings.done.push((name, now - since));
        }
    }

    /// Removes the spinner and prints the timings if `--timings` was given.
    pub(crate) fn finish(&self) {
        spinner::clear();
        self.time("end");
        let Some(timings) = &self.0.timings else { return };
        let timings = timings.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, duration) in timings.done.iter().filter(|(name, _)| name != "stopped") {
            say(&format!("timing: {name}: {:.1} ms", duration.as_secs_f64() * 1000.0));
        }
        say(&format!("timing: total: {:.1} ms", timings.started.elapsed().as_secs_f64() * 1000.0));
    }
}
