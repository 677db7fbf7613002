//! The backends that take part in a bench.

use std::fmt;

use super::Failure;
use super::command::{output, program};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Host,
    Podman,
    Docker,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Host, Self::Podman, Self::Docker];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == word);
        found.ok_or_else(|| format!("there is no backend {word}"))
    }

    /// Returns the IDs of the layer images of an instance.
    pub(crate) async fn images(self, instance: &str) -> Result<Vec<String>, Failure> {
        let mut list = program(self.name());
        list.args(["images", "--quiet", "--no-trunc", "--filter"]);
        list.arg(format!("label=pg-ephemeral.instance={instance}"));
        Ok(output(list).await?.split_whitespace().map(str::to_owned).collect())
    }

    /// Removes an image, if it exists.
    pub(crate) async fn remove_image(self, image: &str) {
        let mut remove = program(self.name());
        remove.args(["rmi", "--force", image]);
        let _ = output(remove).await;
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
