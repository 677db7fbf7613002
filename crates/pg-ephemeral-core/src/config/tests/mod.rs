//! Tests of the whole module. The tests of a single type are in the file of that type.

use super::{Config, EffectiveInstance, Overrides};

mod effective;
mod errors;
mod files;
mod parse;
mod properties;
mod schema;
mod seed_errors;
mod settings_errors;

fn parse(text: &str) -> Config {
    match Config::parse(text, "/project/database.toml") {
        Ok(config) => config,
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}

fn errors(text: &str) -> String {
    match Config::parse(text, "database.toml") {
        Ok(config) => panic!("no error in {config:#?}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

fn main_of(text: &str) -> EffectiveInstance {
    parse(text).instance(&"main".parse().unwrap(), &Overrides::default()).unwrap()
}
