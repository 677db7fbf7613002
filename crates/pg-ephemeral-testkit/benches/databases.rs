//! Measures how long a private copy of a seeded database takes, relative to a lower bound, the *floor*: a manual
//! `CREATE DATABASE … TEMPLATE` over an open connection. All of them are measured in turns, round by round, because the
//! speed of a machine changes over time.
//!
//! ```sh
//! cargo bench --package pg-ephemeral-testkit --bench databases -- [--rounds N] [FOLDER]
//! ```
//!
//! `FOLDER` is the folder for the server's files, such as `/dev/shm`. The default is the folder for temporary files.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ociman::Kind;
use pg_ephemeral_core::config::BackendChoice;
use pg_ephemeral_core::{Definition, Folders, Server};
use tokio_postgres::Client;

type Failure = Box<dyn std::error::Error>;

const SEED: &str = "CREATE TABLE books AS SELECT n AS id, 'a title' AS title FROM generate_series(1, 1000) n";
/// The simulated duration of a test that uses a database.
const TEST: Duration = Duration::from_millis(200);

fn main() -> Result<(), Failure> {
    let (rounds, folder) = options(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(rounds, folder))
}

fn options(mut words: impl Iterator<Item = String>) -> Result<(usize, PathBuf), Failure> {
    let (mut rounds, mut folder) = (100, std::env::temp_dir());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = words.next().ok_or("--rounds needs a number")?.parse()?,
            // Cargo passes this to every bench.
            "--bench" => {}
            path => folder = path.into(),
        }
    }
    Ok((rounds, folder))
}

async fn measure(rounds: usize, folder: PathBuf) -> Result<(), Failure> {
    let home = tempfile::tempdir_in(&folder)?;
    let definition = Definition::in_folders(Folders::at(home.path()));
    let definition = definition.backend_choice(BackendChoice::Only(Kind::Host)).sql_statement("books".parse()?, SEED);
    let server = definition.start().await?;
    // This creates the template database, which all measured copies use.
    server.single_database().await?.close().await?;
    let client = server.connect().await?;
    let mut times: [Vec<f64>; 4] = Default::default();
    for round in 0..rounds {
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => by_hand(&client, round, &mut times).await?,
                1 => one(&server, &mut times).await?,
                _ => in_advance(&server, &mut times).await?,
            }
        }
    }
    server.stop().await?;
    println!("{rounds} rounds in {}\n   median ms      99 %     ratio", folder.display());
    let floor = percentile(&mut times[0], 50);
    let names = [
        "CREATE DATABASE ... TEMPLATE by hand (the floor)",
        "Server::single_database",
        "Server::database, the next one",
    ];
    for (name, times) in names.iter().zip(&mut times) {
        let median = percentile(times, 50);
        println!("  {median:>10.2}  {:>8.2}  {:>8.2}  {name}", percentile(times, 99), median / floor);
    }
    println!(
        "  {:>10.2}  {:>8.2}            dropping one",
        percentile(&mut times[3], 50),
        percentile(&mut times[3], 99)
    );
    Ok(())
}

async fn by_hand(client: &Client, round: usize, times: &mut [Vec<f64>; 4]) -> Result<(), Failure> {
    let begin = Instant::now();
    client.batch_execute(&format!("CREATE DATABASE hand{round} TEMPLATE pg_ephemeral_template")).await?;
    times[0].push(milliseconds(begin));
    client.batch_execute(&format!("DROP DATABASE hand{round}")).await?;
    Ok(())
}

async fn one(server: &Server, times: &mut [Vec<f64>; 4]) -> Result<(), Failure> {
    let begin = Instant::now();
    let database = server.single_database().await?;
    times[1].push(milliseconds(begin));
    let begin = Instant::now();
    database.close().await?;
    times[3].push(milliseconds(begin));
    Ok(())
}

/// Measures copies as tests that run one after the other need them: each copy is created while the previous test runs.
async fn in_advance(server: &Server, times: &mut [Vec<f64>; 4]) -> Result<(), Failure> {
    let begin = Instant::now();
    let database = server.database().await?;
    times[2].push(milliseconds(begin));
    tokio::time::sleep(TEST).await;
    database.close().await?;
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
