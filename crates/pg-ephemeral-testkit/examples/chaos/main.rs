//! Kills the real binary at random moments and then looks for leftovers. `scripts/chaos --help` shows the usage. This
//! program knows the names and labels that pg-ephemeral uses, but not how pg-ephemeral cleans up.

mod inspection;
mod options;
mod random;
mod report;
mod stage;
mod victim;

use std::process::ExitCode;
use std::time::Duration;

use options::{Backend, Options};
use random::Random;
use report::Report;
use stage::{Folder, Stage, Who};
use victim::{Action, Change, Form, Plan, Signal};

type Failure = Box<dyn std::error::Error>;

/// One run in this many is about a session. The others start a server for one command.
const ONE_SESSION_IN: u64 = 2;
/// One server in this many is of an instance that has no layers yet.
const ONE_COLD_RUN_IN: u64 = 4;
/// One server in this many is started from the second state folder, in which layers of the first are unknown.
const ONE_SECOND_FOLDER_IN: u64 = 4;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(report) => report.conclude(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Report, Failure> {
    println!("seed {} (the same again: --seed {0})", options.seed);
    let mut report = Report::default();
    for backend in Backend::ALL {
        if !options.backends.is_empty() && !options.backends.contains(&backend) {
            continue;
        }
        if options.backends.is_empty() && !backend.is_there() {
            println!("{backend}: not there, left out");
            continue;
        }
        on_backend(options, backend, &mut report)?;
    }
    Ok(report)
}

fn on_backend(options: &Options, backend: Backend, report: &mut Report) -> Result<(), Failure> {
    let runs = options.runs.unwrap_or_else(|| backend.runs(options.length));
    let stage = Stage::set(&options.binary, backend, runs)?;
    let mut instances = 1;
    let ended = on_stage(options, &stage, runs, &mut instances, report);
    stage.clear(instances, report.has_failed(backend) && options.keep);
    ended
}

fn on_stage(
    options: &Options,
    stage: &Stage,
    runs: u64,
    instances: &mut u64,
    report: &mut Report,
) -> Result<(), Failure> {
    let backend = stage.backend;
    // Each backend has its own random numbers, so that the runs of one backend can be repeated alone with the same
    // seed.
    let mut random = Random::new(options.seed.wrapping_add(backend as u64));
    let segments = inspection::segments();
    let usual = Usual::measure(stage)?;
    let Usual { cold, warm, .. } = usual;
    println!("{backend}: {runs} runs; undisturbed, a cold one takes {cold:.0?} and a warm one {warm:.0?}");

    for number in 1..=runs {
        let plan = plan(&mut random, number, instances, &usual);
        let problems = victim::run(stage, &plan)?;
        if options.verbose || !problems.is_empty() {
            println!("{backend}: run {number}: {plan}: {}", if problems.is_empty() { "ok" } else { "FAILED" });
        }
        report.add(backend, &format!("run {number}: {plan}"), problems);
    }
    for (check, problems) in inspection::after_gc(stage, *instances, &segments)? {
        report.add(backend, check, problems);
    }
    Ok(())
}

/// The times that commands take if no signal interrupts them.
struct Usual {
    cold: Duration,
    warm: Duration,
    start: Duration,
    stop: Duration,
    changes: [Duration; Change::ALL.len()],
}

impl Usual {
    /// Measures the times, and starts the sessions of the stage.
    fn measure(stage: &Stage) -> Result<Self, Failure> {
        let cold = stage.boot(0)?;
        let warm = stage.boot(0)?;
        stage.start_and_tell(Who::Bystander)?;
        stage.start_session(Who::Own(0))?;
        let stop = stage.stop_session(Who::Own(0))?;
        let start = stage.start_session(Who::Own(0))?;
        stage.stop_session(Who::Own(0))?;
        stage.start_victim()?;
        let mut changes = [Duration::ZERO; Change::ALL.len()];
        for (taken, change) in changes.iter_mut().zip(Change::ALL) {
            *taken = stage.change_victim(change)?;
        }
        stage.change_victim(Change::Restore)?;
        Ok(Self { cold, warm, start, stop, changes })
    }
}

fn plan(random: &mut Random, number: u64, instances: &mut u64, usual: &Usual) -> Plan {
    let (action, usual) = match random.below(ONE_SESSION_IN) {
        0 => match random.below(6) {
            0 => (Action::Start, usual.start),
            1 => (Action::Stop, usual.stop),
            change => {
                let change = usize::try_from(change - 2).unwrap_or(0);
                (Action::Session(Change::ALL[change]), usual.changes[change])
            }
        },
        _ => {
            let fresh = random.below(ONE_COLD_RUN_IN) == 0;
            let instance = if fresh { *instances } else { random.below(*instances) };
            *instances += u64::from(fresh);
            let form = if random.below(2) == 0 { Form::Bare } else { Form::Host };
            let folder = if random.below(ONE_SECOND_FOLDER_IN) == 0 { Folder::Second } else { Folder::First };
            (Action::Run { form, instance, folder }, if fresh { usual.cold } else { usual.warm })
        }
    };
    let usual = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX);
    let signal = Signal::ALL[usize::try_from(random.below(3)).unwrap_or(0)];
    Plan { number, action, signal, after: Duration::from_micros(random.below(usual + usual / 10)) }
}
