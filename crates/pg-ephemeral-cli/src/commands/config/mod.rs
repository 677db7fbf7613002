//! `config …`: checks and explains the configuration.

use pg_ephemeral_core::config;

use crate::args::{Config, Global};
use crate::output::{Failure, print_json};

mod check;
mod show;

pub(crate) fn run(global: &Global, command: &Config) -> Result<(), Failure> {
    match command {
        Config::Check => check::run(global),
        Config::Show => show::run(global),
        Config::Schema => print_json(&config::schema()),
    }
}
