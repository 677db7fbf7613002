//! Measures how long a boot takes, from the start of the command to its end, relative to a lower bound, the *floor*:
//! the time to start, query and remove the same server with the fewest possible commands by hand. All of them are
//! measured in turns, round by round, because the speed of a machine changes over time.

mod engine;
mod host;
mod options;
mod probe;
#[path = "../shared/mod.rs"]
mod shared;
mod stage;
mod summary;

use std::process::ExitCode;
use std::time::Duration;

use engine::EngineFloor;
use host::HostFloor;
use options::{Backend, Options};
use shared::series::Series;
use shared::{Failure, command, until_signal};
use stage::{Boot, Form, Stage};
use summary::{Cold, Summary};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(measure(&options)));
    match ended {
        Ok(summaries) => {
            print!("{}", summary::shown(&summaries, options.format));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all measurements, and cleans up even if one fails.
async fn measure(options: &Options) -> Result<Vec<Summary>, Failure> {
    let stage = Stage::set(&options.binary, &options.chains)?;
    let ended = until_signal(run(options, &stage)).await;
    stage.clear().await;
    ended
}

/// The measurements of one backend.
struct Contest {
    backend: Backend,
    floor: Floor,
    boots: Vec<Boot>,
    /// The time of the first boot of each chain.
    cold: Vec<Cold>,
    floor_times: Vec<Duration>,
    times: Vec<Vec<Duration>>,
}

enum Floor {
    Engine(EngineFloor),
    Host(HostFloor),
}

impl Floor {
    async fn once(&self) -> Result<Duration, Failure> {
        match self {
            Self::Engine(floor) => floor.once().await,
            Self::Host(floor) => floor.once().await,
        }
    }
}

async fn run(options: &Options, stage: &Stage) -> Result<Vec<Summary>, Failure> {
    let mut contests = Vec::new();
    for backend in options.backends() {
        match backend.is_there(stage).await {
            Ok(()) => contests.push(prepare(stage, backend, &options.chains).await?),
            Err(reason) if options.backends.is_empty() => eprintln!("{backend}: left out: {reason}"),
            Err(reason) => return Err(format!("{backend}: {reason}").into()),
        }
    }
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        for contest in &mut contests {
            one_round(stage, contest, round).await?;
        }
    }
    Ok(contests.into_iter().map(summarise).collect())
}

async fn prepare(stage: &Stage, backend: Backend, chains: &[usize]) -> Result<Contest, Failure> {
    eprintln!("{backend}: first boots");
    let forms: &[Form] = if backend == Backend::Host { &[Form::Bare] } else { &[Form::Host, Form::Bare] };
    let mut cold = Vec::new();
    for &seeds in chains {
        cold.push(Cold { seeds, time: stage.boot(backend, Boot { form: Form::Host, seeds }).await? });
    }
    let boots: Vec<Boot> =
        chains.iter().flat_map(|&seeds| forms.iter().map(move |&form| Boot { form, seeds })).collect();
    let floor = match backend {
        Backend::Host => Floor::Host(HostFloor::prepare(stage).await?),
        engine => Floor::Engine(EngineFloor::prepare(stage, engine).await?),
    };
    // Run each once without measuring, to fill caches.
    floor.once().await?;
    for boot in &boots {
        stage.boot(backend, *boot).await?;
    }
    let times = vec![Vec::new(); boots.len()];
    Ok(Contest { backend, floor, boots, cold, floor_times: Vec::new(), times })
}

/// Measures each once. The order rotates from round to round.
async fn one_round(stage: &Stage, contest: &mut Contest, round: usize) -> Result<(), Failure> {
    let contestants = contest.boots.len() + 1;
    for turn in 0..contestants {
        match (round + turn) % contestants {
            0 => contest.floor_times.push(contest.floor.once().await?),
            number => contest.times[number - 1].push(stage.boot(contest.backend, contest.boots[number - 1]).await?),
        }
    }
    Ok(())
}

fn summarise(contest: Contest) -> Summary {
    let floor = Series::new(format!("bare floor: {}", contest.backend.floor_in_words()), contest.floor_times);
    let named =
        contest.boots.iter().map(|boot| format!("pg-ephemeral {}, {} seeds", boot.form.words().join(" "), boot.seeds));
    let series = named.zip(contest.times).map(|(name, times)| Series::new(name, times)).collect();
    Summary { backend: contest.backend, cold: contest.cold, floor, series }
}
