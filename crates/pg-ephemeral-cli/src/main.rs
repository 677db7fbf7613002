//! The `pg-ephemeral` command: it owns the terminal, the signals and the exit status, and leaves everything else to
//! `pg-ephemeral-core`.

mod arguments;
mod cache_commands;
mod cache_views;
mod channels;
mod complete;
mod config_commands;
mod context;
mod database_commands;
mod doctor;
mod failure;
mod group;
mod inside;
mod integration_server;
mod listing;
mod progress;
mod session_commands;
mod session_listing;
mod signals;
mod snapshot_commands;
mod spinner;
mod tool;
mod tree;
mod words;
mod wrapped;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Color, Command, Global, Meta, Platform, Rest, Wrapped};
use failure::{FAILED, FAILED_AROUND, Failure};
use progress::Progress;
use signals::Signals;
use wrapped::Place;

fn main() -> ExitCode {
    if let Some(answered) = complete::answer() {
        return answered;
    }
    // On a machine of CI the automatic choice would be colours all the same, in errors of the parser too.
    if spinner::terminal_is_dumb() && std::env::var_os("CLICOLOR_FORCE").is_none() {
        anstream::ColorChoice::Never.write_global();
    }
    let arguments = Arguments::parse_from(words::with_the_tools_own_apart(std::env::args_os()));
    arguments.refuse_misplaced_format();
    set_color(arguments.global.color);
    set_logging(&arguments.global);
    let command = arguments.command.unwrap_or(Command::Wrapped(Wrapped::Psql(Rest { arguments: Vec::new() })));
    let failed = match &command {
        Command::Wrapped(_) | Command::Host { .. } | Command::Container { .. } | Command::Bin { .. } => FAILED_AROUND,
        Command::Session(session) if session.command.wraps() => FAILED_AROUND,
        _ => FAILED,
    };
    let progress = Progress::new(&arguments.global, &command);
    let ended = run(&arguments.global, &command, &progress);
    progress.finish();
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            failure.print();
            match failure {
                Failure::Error { .. } => ExitCode::from(failed),
                Failure::Interrupted { signal } => signals::end_by(signal),
            }
        }
    }
}

/// How long the end waits for work in the background.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

fn run(global: &Global, command: &Command, progress: &Progress) -> Result<u8, Failure> {
    // Before there is a second thread.
    check_memory()?;
    let mut signals = Signals::listen().map_err(|error| Failure::with_cause("failed to listen for signals", error))?;
    check_descriptors().map_err(|error| Failure::with_cause("failed to open what the runtime needs", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::with_cause("failed to make the runtime", error))?;
    let ended = runtime.block_on(dispatch(global, command, progress, &mut signals));
    // What is on its way to the disk gets there; a question to an engine that hangs must not keep us from leaving.
    ociman::blocking::wait_for_all(SHUTDOWN_LIMIT);
    ended
}

/// What a command may need, the stacks of its threads included.
const MEMORY: usize = 128 << 20;

/// Fails when a limit of address space leaves too little: an allocation that fails later would abort the process.
fn check_memory() -> Result<(), Failure> {
    use rustix::process::{Resource, getrlimit};
    if getrlimit(Resource::As).current.is_none() {
        return Ok(());
    }
    let_threads_share_the_heap();
    if Vec::<u8>::new().try_reserve_exact(MEMORY).is_err() {
        return Err(Failure::message(
            format!("failed to reserve {} MiB of memory under the limit of address space", MEMORY >> 20),
            "raise the limit, such as by `ulimit -v unlimited`",
        ));
    }
    Ok(())
}

/// Keeps the C library from reserving 64 MiB of address space for each thread that allocates.
#[allow(unsafe_code)]
fn let_threads_share_the_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: this sets a number in the allocator, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Fails when the system refuses a few descriptors: Tokio panics when it gets none for its signals.
fn check_descriptors() -> std::io::Result<()> {
    let pairs: std::io::Result<Vec<_>> = (0..4).map(|_| std::os::unix::net::UnixStream::pair()).collect();
    pairs.map(drop)
}

async fn dispatch(
    global: &Global,
    command: &Command,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let (wrapped, place) = match command {
        Command::Wrapped(wrapped) => (wrapped, Place::Transparent),
        Command::Host { wrapped } => (wrapped, Place::Host),
        Command::Container { wrapped } => (wrapped, Place::Container),
        Command::Bin { command } => return tool::run(global, command, progress, signals).await,
        Command::Completions { shell } => return listing::print_bytes(&complete::script(*shell)?).map(|()| 0),
        Command::Meta { command: Meta::Info } => return listing::info(global).map(|()| 0),
        Command::Meta { command: Meta::ManPages { folder } } => {
            clap_mangen::generate_to(Arguments::command(), folder).map_err(Failure::new)?;
            return Ok(0);
        }
        Command::Cache { command } => return cache_commands::run(global, command, progress, signals).await.map(|()| 0),
        Command::Config { command } => return config_commands::run(global, command).map(|()| 0),
        Command::Init => return config_commands::init(global).map(|()| 0),
        Command::Session(session) => return session_commands::run(global, session, progress, signals).await,
        Command::IntegrationServer { result_fd, control_fd } => {
            return integration_server::run(global, result_fd, control_fd, progress, signals).await;
        }
        Command::Database(database) => {
            return wrapped::until_signal(signals, database_commands::run(global, database)).await?.map(|()| 0);
        }
        Command::List => return wrapped::until_signal(signals, listing::list(global)).await?.map(|()| 0),
        Command::Gc => return wrapped::until_signal(signals, listing::gc(global)).await?.map(|()| 0),
        Command::Doctor => return wrapped::until_signal(signals, doctor::run(global)).await?,
        Command::Platform { command: Platform::Support } => {
            return wrapped::until_signal(signals, listing::support(global)).await?.map(|()| 0);
        }
    };
    wrapped::run(global, wrapped, place, progress, signals).await
}

fn set_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
}

fn set_logging(global: &Global) {
    let level = match global.verbose {
        0 => return,
        1 => "ociman=debug,pg_ephemeral_core=debug",
        _ => "trace",
    };
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new(level)).with_writer(std::io::stderr).without_time().init();
}
