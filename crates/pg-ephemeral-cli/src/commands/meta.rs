//! `meta …`: prints information about pg-ephemeral itself.

use clap::CommandFactory;
use pg_ephemeral_core::layer;
use serde::Serialize;

use super::context::Context;
use crate::args::{Arguments, Format, Global, Meta};
use crate::output::{Failure, print_json, print_line};

pub(crate) fn run(global: &Global, command: &Meta) -> Result<(), Failure> {
    match command {
        Meta::Info => info(global),
        Meta::ManPages { folder } => clap_mangen::generate_to(Arguments::command(), folder).map_err(Failure::new),
    }
}

/// The output of `meta info --format json`.
#[derive(Debug, Serialize)]
struct Info {
    /// The version of pg-ephemeral.
    version: &'static str,
    /// The version of the format of layer keys. Layers with another version are built anew.
    layer_format: u32,
    /// The configuration file in effect, if any.
    config_file: Option<String>,
    /// The folder of secrets, locks and records.
    state_folder: String,
    /// The folder in which the host backend keeps images, containers and slots.
    host_state_folder: String,
}

fn info(global: &Global) -> Result<(), Failure> {
    let context = Context::load(global)?;
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        layer_format: layer::FORMAT,
        config_file: context.config.path().map(|path| path.display().to_string()),
        state_folder: context.folders.state().display().to_string(),
        host_state_folder: context.folders.host().display().to_string(),
    };
    match global.format {
        Format::Json => print_json(&info),
        _ => {
            print_line(&format!("version: {}", info.version))?;
            print_line(&format!("layer format: {}", info.layer_format))?;
            print_line(&format!("configuration: {}", info.config_file.as_deref().unwrap_or("none")))?;
            print_line(&format!("state: {}", info.state_folder))?;
            print_line(&format!("host backend's state: {}", info.host_state_folder))
        }
    }
}
