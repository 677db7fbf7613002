//! Measures how long a seed takes to load a big SQL file, relative to a manual call of psql on a server with the same
//! settings, and how much memory pg-ephemeral needs for it. Both are measured in turns, round by round, because the
//! speed of a machine changes over time.

mod by_hand;
mod options;
#[path = "../shared/mod.rs"]
mod shared;
mod sql_file;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use options::{Options, Task};
use shared::backend::Backend;
use shared::series::{HEADING, Series};
use shared::{Failure, until_signal};
use sql_file::Form;
use stage::Stage;

fn main() -> ExitCode {
    let task = match Task::parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(perform(task)));
    match ended {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(task: Task) -> Result<String, Failure> {
    match task {
        Task::Help => Ok(format!("{}\n", options::USAGE)),
        Task::ByHand(load) => load.time().await,
        Task::Measure(options) => measure(&options).await,
    }
}

/// Runs all measurements, and cleans up even if one fails.
async fn measure(options: &Options) -> Result<String, Failure> {
    sql_file::check_space(&options.folder, options.size)?;
    let stage = Stage::set(&options.binary, &options.folder)?;
    let ended = until_signal(run(options, &stage)).await;
    stage.clear(&options.backends).await;
    ended
}

/// The measurements of one form of the file on one backend.
struct Contest {
    backend: Backend,
    form: Form,
    by_hand: Vec<Duration>,
    seed: Vec<Duration>,
    /// The peak memory of pg-ephemeral in all rounds, in bytes.
    peak: Option<u64>,
}

async fn run(options: &Options, stage: &Stage) -> Result<String, Failure> {
    eprintln!("writing the files");
    sql_file::write(&stage.file(Form::Plain), options.size)?;
    sql_file::compress(&stage.file(Form::Plain)).await?;
    let contests = options.backends.iter().flat_map(|&backend| Form::ALL.map(|form| (backend, form)));
    let mut contests: Vec<Contest> = contests
        .map(|(backend, form)| Contest { backend, form, by_hand: Vec::new(), seed: Vec::new(), peak: None })
        .collect();
    for round in 0..options.rounds {
        for contest in &mut contests {
            eprintln!("round {} of {}: {}, {}", round + 1, options.rounds, contest.backend, contest.form);
            one_round(stage, contest, round).await?;
        }
    }
    let heading = format!("{} MB of SQL, in {} rounds\n{HEADING}", options.size / 1_000_000, options.rounds);
    Ok(std::iter::once(heading).chain(contests.into_iter().map(shown)).collect())
}

/// Measures both once. The order alternates from round to round.
async fn one_round(stage: &Stage, contest: &mut Contest, round: usize) -> Result<(), Failure> {
    for turn in 0..2 {
        if (round + turn).is_multiple_of(2) {
            contest.by_hand.push(stage.by_hand(contest.backend, contest.form).await?);
        } else {
            let seed = stage.seed(contest.backend, contest.form).await?;
            contest.seed.push(seed.time);
            contest.peak = contest.peak.max(seed.peak);
        }
    }
    Ok(())
}

fn shown(contest: Contest) -> String {
    let Contest { backend, form, .. } = contest;
    let peak = contest.peak.map_or("an unknown amount".to_owned(), |peak| format!("{:.1} MB", peak as f64 / 1e6));
    let by_hand = Series::new(format!("{backend}, {form}: {}", by_hand::in_words(form)), contest.by_hand);
    let seed = Series::new(format!("{backend}, {form}: the seed; pg-ephemeral took {peak} of memory"), contest.seed);
    by_hand.row(&by_hand) + &seed.row(&by_hand)
}
