//! The steps of a start, which are reported to an [`Observer`]. The library itself displays nothing.

use std::fmt;
use std::sync::Arc;

use crate::model::instance::SeedName;

/// One step of a start or a stop. A step ends when the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Finding a backend that works.
    FindBackend,
    /// Looking for the base image and its layers.
    LookUp,
    /// Fetching an image from its registry.
    Pull {
        /// The image.
        image: String,
    },
    /// Sending an image to its registry.
    Push {
        /// The image.
        image: String,
    },
    /// Waiting for another process that is building the same layers.
    WaitForBuild,
    /// Building the base layer, by starting the image for the first time.
    Initialise,
    /// Applying a seed.
    Seed {
        /// The name of the seed.
        name: SeedName,
        /// The position of the seed in the chain, counted from 1.
        position: usize,
        /// The number of seeds in the chain.
        total: usize,
    },
    /// Saving a layer.
    Commit,
    /// Starting the server.
    Run,
    /// Waiting until the server answers a query.
    Connect,
    /// The server is ready, or a program that needs no server is about to run.
    Ready,
    /// Removing the server.
    Stop,
    /// The server has been removed.
    Stopped,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindBackend => formatter.write_str("find a backend"),
            Self::LookUp => formatter.write_str("look up layers"),
            Self::Pull { image } => write!(formatter, "pull {image}"),
            Self::Push { image } => write!(formatter, "push {image}"),
            Self::WaitForBuild => formatter.write_str("wait for another build"),
            Self::Initialise => formatter.write_str("initialise the base layer"),
            Self::Seed { name, position, total } => write!(formatter, "seed {position} of {total}: {name}"),
            Self::Commit => formatter.write_str("commit a layer"),
            Self::Run => formatter.write_str("run"),
            Self::Connect => formatter.write_str("connect"),
            Self::Ready => formatter.write_str("ready"),
            Self::Stop => formatter.write_str("stop"),
            Self::Stopped => formatter.write_str("stopped"),
        }
    }
}

/// A function that is called with each [`Step`] when it begins. The default observer does nothing.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl Observer {
    /// Creates an observer that calls `function` at the beginning of each step.
    pub fn new(function: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    pub(crate) fn begin(&self, step: Step) {
        tracing::debug!(%step);
        if let Some(function) = &self.0 {
            function(step);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}
