//! The label that tells how a session's server is started, so that another one can be started alike.

use serde::{Deserialize, Serialize};

use super::definition::Definition;
use crate::config::Durability;
use crate::model::{ParameterAssignment, Parameters};

/// The label [`SETTINGS`](crate::label::SETTINGS_KEY): how a session's server is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingsLabel {
    durable: bool,
    /// Whether other containers reach it.
    #[serde(default)]
    open: bool,
    /// `NAME=VALUE`.
    parameters: Vec<String>,
}

impl SettingsLabel {
    pub(crate) fn of(definition: &Definition) -> Self {
        let parameters = definition.parameters.iter().map(|(name, value)| format!("{name}={}", value.as_str()));
        let (durable, open) = (definition.durability == Durability::On, definition.cross_container_access);
        Self { durable, open, parameters: parameters.collect() }
    }

    /// What can't be read is left out: only somebody else can have written it.
    pub(crate) fn apply(&self, mut definition: Definition) -> Definition {
        definition.cross_container_access = self.open;
        let parameters = self.parameters.iter().filter_map(|text| text.parse::<ParameterAssignment>().ok());
        definition.parameters(Parameters::from_iter(parameters)).durability(Durability::from(self.durable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Folders;

    #[test]
    fn a_server_gets_the_settings_back_that_its_session_was_started_with() {
        let definition = || Definition::in_folders(Folders::at("/nowhere"));
        let parameters = Parameters::from_iter(["work_mem=4MB".parse().unwrap(), "a.b=x=\n'y'".parse().unwrap()]);
        let started = definition().parameters(parameters.clone()).durability(Durability::On);
        let text = serde_json::to_string(&SettingsLabel::of(&started)).unwrap();
        assert!(!text.contains('\n'));
        let again = serde_json::from_str::<SettingsLabel>(&text).unwrap().apply(definition());
        assert_eq!((again.parameters, again.durability), (parameters, Durability::On));
    }
}
