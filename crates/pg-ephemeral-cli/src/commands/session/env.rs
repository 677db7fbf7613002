//! `session url` and `session env`: print how a session is reached.

use std::collections::BTreeMap;

use ociman::Variable;
use pg_ephemeral_core::session::Name;

use super::find::attach_for_output;
use crate::args::{Format, Global};
use crate::commands::context::Context;
use crate::output::{Failure, print_json, print_line};

pub(super) async fn url(global: &Global, name: &Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let server = attach_for_output(&context, name).await?;
    print_line(server.url().expose())
}

pub(super) async fn env(global: &Global, name: &Name) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let variables = attach_for_output(&context, name).await?.pg_env();
    match global.format {
        Format::Json => {
            let pairs: BTreeMap<_, _> = variables.iter().map(|variable| (&variable.name, variable.expose())).collect();
            print_json(&pairs)
        }
        Format::Text | Format::Shell => {
            variables.iter().try_for_each(|variable| print_line(&format!("export {}", assignment(variable))))
        }
        Format::Dotenv => variables.iter().try_for_each(|variable| print_line(&dotenv_line(variable))),
    }
}

/// Returns `NAME='value'`. Within single quotes, a shell takes every character except a single quote literally.
fn assignment(variable: &Variable) -> String {
    format!("{}='{}'", variable.name, variable.expose().replace('\'', r"'\''"))
}

/// Returns an assignment that both shells and readers of `.env` files understand, if possible. A value with a single
/// quote stands in double quotes, because readers of `.env` files do not know `'\''`.
fn dotenv_line(variable: &Variable) -> String {
    let value = variable.expose();
    match value.contains('\'') && !value.contains(['"', '$', '`', '\\', '!']) {
        true => format!("{}=\"{value}\"", variable.name),
        false => assignment(variable),
    }
}
