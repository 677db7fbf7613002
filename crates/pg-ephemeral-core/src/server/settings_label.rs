//! The label with the settings of a session's server, which a restore uses to start another server with the same
//! settings.

use serde::{Deserialize, Serialize};

use super::definition::Definition;
use crate::config::Durability;
use crate::model::{ParameterAssignment, Parameters};

/// The value of the label [`SETTINGS_KEY`](crate::label::SETTINGS_KEY): the settings of a session's server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingsLabel {
    durable: bool,
    /// Whether other containers can reach the server.
    #[serde(default)]
    open: bool,
    /// Server parameters in the form `NAME=VALUE`.
    parameters: Vec<String>,
}

impl SettingsLabel {
    pub(crate) fn of(definition: &Definition) -> Self {
        let parameters = definition.parameters.iter().map(|(name, value)| format!("{name}={}", value.as_str()));
        let (durable, open) = (definition.durability == Durability::On, definition.cross_container_access);
        Self { durable, open, parameters: parameters.collect() }
    }

    /// Copies the settings to a definition. Ignores parameters that can't be parsed, because this crate never writes
    /// such a label.
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
    fn the_settings_of_a_definition_survive_the_way_through_the_label() {
        let definition = || Definition::in_folders(Folders::at("/nowhere"));
        let parameters = Parameters::from_iter(["work_mem=4MB".parse().unwrap(), "a.b=x=\n'y'".parse().unwrap()]);
        let started = definition().parameters(parameters.clone()).durability(Durability::On);
        let text = serde_json::to_string(&SettingsLabel::of(&started)).unwrap();
        assert!(!text.contains('\n'));
        let again = serde_json::from_str::<SettingsLabel>(&text).unwrap().apply(definition());
        assert_eq!((again.parameters, again.durability), (parameters, Durability::On));
    }
}
