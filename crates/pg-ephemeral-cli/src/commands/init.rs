//! `init`: writes a first configuration file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use pg_ephemeral_core::config;

use crate::args::Global;
use crate::output::{Failure, tell};

/// Writes the configuration template, unless the file exists already.
pub(crate) fn run(global: &Global) -> Result<(), Failure> {
    let path = global.config_file.clone().unwrap_or_else(|| PathBuf::from(config::FILE_NAME));
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = opened.and_then(|mut file| file.write_all(config::template().as_bytes()));
    match written {
        Ok(()) => {
            tell(global, &format!("wrote {}", path.display()));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::message(
            format!("{} is there already", path.display()),
            "--config-file names another file to write",
        )),
        Err(error) => Err(Failure::message(
            format!("write {}: {error}", path.display()),
            "the folder must be there and yours to write to",
        )),
    }
}
