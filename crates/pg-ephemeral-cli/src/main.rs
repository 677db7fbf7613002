//! The `pg-ephemeral` command: it owns the terminal, the signals and the exit status, and leaves everything else to
//! `pg-ephemeral-core`.

mod args;
mod commands;
mod output;
mod process;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

use args::{Arguments, Color, Command, Global, Rest, Wrapped, argv};
use output::{FAILED, FAILED_AROUND, Failure, Progress, spinner, wrong_usage};
use process::{Signals, end_by};

fn main() -> ExitCode {
    if let Some(answered) = commands::completions::answer() {
        return answered;
    }
    // On a machine of CI the automatic choice would be colours all the same, in errors of the parser too.
    if spinner::terminal_is_dumb() && std::env::var_os("CLICOLOR_FORCE").is_none() {
        anstream::ColorChoice::Never.write_global();
    }
    let arguments = Arguments::parse_from(argv::separate_tool_arguments(std::env::args_os()));
    if arguments.has_misplaced_format() {
        let message = "`--format shell` and `--format dotenv` are for `session env` only: use text or json";
        wrong_usage(ErrorKind::ArgumentConflict, message);
    }
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
                Failure::Interrupted { signal } => end_by(signal),
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
    let ended = runtime.block_on(commands::run(global, command, progress, &mut signals));
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
