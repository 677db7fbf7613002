//! The commands, one file each, and code that several commands share.

use crate::args::{Command, Global, Platform};
use crate::output::{Failure, Progress};
use crate::process::{Signals, until_signal};

mod backends;
mod bin;
mod cache;
pub(crate) mod completions;
mod config;
mod context;
mod database;
mod doctor;
mod gc;
mod init;
mod integration_server;
mod list;
mod meta;
mod platform;
mod session;
mod working_folder;
mod wrapped;

use wrapped::Form;

/// Runs a command and returns the exit status.
pub(crate) async fn run(
    global: &Global,
    command: &Command,
    progress: &Progress,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let done = match command {
        Command::Wrapped(wrapped) => return wrapped::run(global, wrapped, Form::Bare, progress, signals).await,
        Command::Host { wrapped } => return wrapped::run(global, wrapped, Form::Host, progress, signals).await,
        Command::Container { wrapped } => {
            return wrapped::run(global, wrapped, Form::Container, progress, signals).await;
        }
        Command::Bin { command } => return bin::run(global, command, progress, signals).await,
        Command::Session(session) => return session::run(global, session, progress, signals).await,
        Command::IntegrationServer { result_fd, control_fd } => {
            return integration_server::run(global, result_fd, control_fd, progress, signals).await;
        }
        Command::Doctor => return until_signal(signals, doctor::run(global)).await?,
        Command::Completions { shell } => completions::run(*shell),
        Command::Meta { command } => meta::run(global, command),
        Command::Cache { command } => cache::run(global, command, progress, signals).await,
        Command::Config { command } => config::run(global, command),
        Command::Init => init::run(global),
        Command::Database(database) => until_signal(signals, database::run(global, database)).await?,
        Command::List => until_signal(signals, list::run(global)).await?,
        Command::Gc => until_signal(signals, gc::run(global)).await?,
        Command::Platform { command: Platform::Support } => until_signal(signals, platform::support(global)).await?,
    };
    done.map(|()| 0)
}
